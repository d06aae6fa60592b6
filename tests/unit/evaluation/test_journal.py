"""Rows on disk, and the statistics streamed from them."""

import numpy as np
import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.evaluation.journal import Journal
from tf_inpaint.evaluation.summary import Running, Summary, share_bin
from tf_inpaint.io.shards import EVERYTHING, Shard


def _row(number, psnr=20.0, share=0.25):
    return {
        "number": number,
        "picture": f"{number}.png",
        "hole_share": share,
        "mask_sha256": f"{number:02x}",
        "picture_sha256": f"{number + 1:02x}",
        "truth_tv": 0.5,
        "values": {"a": {"psnr": psnr}, "b": {"psnr": 2 * psnr}},
    }


def test_rows_come_back_in_order_and_a_torn_one_is_dropped(tmp_path):
    journal = Journal(tmp_path, {"size": 64})
    for number in (2, 0, 1):
        journal.write(_row(number))
    journal.close()
    with open(tmp_path / "rows.jsonl", "ab") as file:
        file.write(b'{"number": 3, "pict')  # a kill
    journal = Journal(tmp_path, {"size": 64})
    assert journal.done == {0, 1, 2}
    journal.write(_row(3))
    assert [row["number"] for row in journal.rows()] == [0, 1, 2, 3] and journal.row(3)["picture"] == "3.png"
    journal.close()
    assert Journal(tmp_path, {"size": 64}).done == {0, 1, 2, 3}


def test_parts_are_written_apart_and_read_together(tmp_path):
    for part in (Shard(2, 2), Shard(1, 2)):
        journal = Journal(tmp_path, {"size": 64}, shard=part)
        for number in part.of(range(5)):
            journal.write(_row(number))
        journal.close()
        assert journal.done == set(part.of(range(5)))
    torn = tmp_path / "rows-2-of-2.jsonl"
    with open(torn, "ab") as file:
        file.write(b'{"number": 5, "pict')  # another machine is just writing it
    length = torn.stat().st_size
    whole = Journal(tmp_path, {"size": 64})
    assert torn.stat().st_size == length
    whole.write(_row(7))
    assert [row["number"] for row in whole.rows()] == [0, 1, 2, 3, 4, 7] and whole.row(3)["picture"] == "3.png"
    assert [str(whole.part_of(number)) for number in (3, 4, 7)] == ["2/2", "1/2", "1/1"]
    whole.close()


def test_a_part_of_another_evaluation_is_refused(tmp_path):
    for number, size in ((1, 64), (2, 128)):
        journal = Journal(tmp_path / str(size), {"size": size}, shard=Shard(number, 2))
        journal.write(_row(number - 1))
        journal.close()
    for path in (tmp_path / "128").iterdir():
        path.rename(tmp_path / "64" / path.name)
    said = r"holds part 2/2 of an evaluation that differs in size \(128 there, 64 now\): give another --output, or "
    for part, remedy in ((EVERYTHING, "delete .*rows-2-of-2.jsonl"), (Shard(1, 2), "delete .*rows-2-of-2.jsonl")):
        with pytest.raises(InputError, match=said + remedy):
            Journal(tmp_path / "64", {"size": 64}, shard=part)
    with pytest.raises(InputError, match="part 2/2 .*, or --restart to begin anew"):
        Journal(tmp_path / "64", {"size": 64}, shard=Shard(2, 2))
    Journal(tmp_path / "64", {"size": 64}, restart=True, shard=Shard(2, 2)).close()  # its own rows alone
    assert Journal(tmp_path / "64", {"size": 64}).done == {0}
    assert Journal(tmp_path / "64", {"size": 64}, restart=True).done == set()


def test_another_evaluation_is_refused_unless_restarted(tmp_path):
    journal = Journal(tmp_path, {"size": 64, "protocol": "centre"})
    journal.write(_row(0))
    journal.close()
    with pytest.raises(InputError, match=r"differs in size \(64 there, 128 now\): give another --output, or --restart"):
        Journal(tmp_path, {"size": 128, "protocol": "centre"})
    (tmp_path / "settings.json").write_text("{")  # damaged
    with pytest.raises(InputError, match="size .nothing there, 64 now"):
        Journal(tmp_path, {"size": 64, "protocol": "centre"})
    assert Journal(tmp_path, {"size": 128, "protocol": "centre"}, restart=True).done == set()


def test_running_statistics():
    values = np.random.default_rng(0).standard_normal(50) + 1e3
    running = Running()
    for value in values:
        running.add(value)
    assert running.mean == pytest.approx(values.mean(), rel=1e-13)
    assert running.deviation == pytest.approx(values.std(ddof=1), rel=1e-9)


def test_summary_by_method_and_hole_share():
    rows = [_row(0, 10.0, 0.05), _row(1, 30.0, 0.1), _row(4, 20.0, 0.3), _row(7, 25.0, 0.31)]
    summary = Summary(iter(rows), ["a", "b"], ["psnr"])
    assert summary.count == 4 and summary.total["b", "psnr"].mean == pytest.approx(42.5)
    assert summary.bins() == [0, 2, 3] and summary.by_share[0, "a", "psnr"].mean == pytest.approx(20.0)
    assert summary.ranked() == {"worst": 0, "median": 7, "best": 1}
    assert (summary.least_share, summary.greatest_share) == (0.05, 0.31)


@pytest.mark.parametrize("share, expected", [(0.001, 0), (0.1, 0), (0.1001, 1), (0.3, 2), (0.6, 5), (1.0, 9)])
def test_a_bin_holds_its_upper_limit(share, expected):
    assert share_bin(share) == expected
