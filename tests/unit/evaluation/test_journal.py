"""Rows on disk, and the statistics streamed from them."""

import numpy as np
import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.evaluation.journal import FEATURES, Journal, drop
from tf_inpaint.evaluation.summary import Running, Summary, ratio_bin
from tf_inpaint.io.shards import EVERYTHING, Shard


def _row(index, psnr=20.0, ratio=0.25):
    return {
        "number": index,
        "picture": f"{index}.png",
        "hole_share": ratio,
        "mask_sha256": f"{index:02x}",
        "picture_sha256": f"{index + 1:02x}",
        "truth_tv": 0.5,
        "values": {"a": {"psnr": psnr}, "b": {"psnr": 2 * psnr}},
    }


def _write(folder, indices, settings, **options):
    with Journal(folder, settings, **options) as journal:
        for index in indices:
            journal.write(_row(index))
    return journal


def _done(folder, settings, **options):
    return _write(folder, (), settings, **options).done


def test_rows_come_back_in_order_and_a_torn_one_is_dropped(tmp_path):
    _write(tmp_path, (2, 0, 1), {"size": 64})
    with open(tmp_path / "rows.jsonl", "ab") as file:
        file.write(b'{"number": 3, "pict')  # a kill
    with Journal(tmp_path, {"size": 64}) as journal:
        assert journal.done == {0, 1, 2}
        journal.write(_row(3))
        assert [row["number"] for row in journal.rows()] == [0, 1, 2, 3] and journal.row(3)["picture"] == "3.png"
    assert _done(tmp_path, {"size": 64}) == {0, 1, 2, 3}


def test_shards_are_written_apart_and_read_together(tmp_path):
    for shard in (Shard(2, 2), Shard(1, 2)):
        indices = shard.of(range(5))
        assert _write(tmp_path, indices, {"size": 64}, shard=shard).done == set(indices)
    torn = tmp_path / "rows-2-of-2.jsonl"
    with open(torn, "ab") as file:
        file.write(b'{"number": 5, "pict')  # another machine is just writing it
    length = torn.stat().st_size
    with Journal(tmp_path, {"size": 64}) as journal:
        assert torn.stat().st_size == length
        journal.write(_row(7))
        assert [row["number"] for row in journal.rows()] == [0, 1, 2, 3, 4, 7] and journal.row(3)["picture"] == "3.png"
        assert [str(journal.shard_of(index)) for index in (3, 4, 7)] == ["2/2", "1/2", "1/1"]


def test_a_shard_of_another_evaluation_is_refused(tmp_path):
    for shard, size in ((Shard(1, 2), 64), (Shard(2, 2), 128)):
        _write(tmp_path / str(size), [shard.number - 1], {"size": size}, shard=shard)
    for path in (tmp_path / "128").iterdir():
        path.rename(tmp_path / "64" / path.name)
    folder, settings = tmp_path / "64", {"size": 64}
    said = r"holds shard 2/2 of an evaluation that differs in size \(128 there, 64 now\): give another --output, or "
    for shard in (EVERYTHING, Shard(1, 2)):
        with pytest.raises(InputError, match=said + "delete .*rows-2-of-2.jsonl"):
            Journal(folder, settings, shard=shard)
    with pytest.raises(InputError, match="shard 2/2 .*, or --restart to begin anew"):
        Journal(folder, settings, shard=Shard(2, 2))
    _done(folder, settings, restart=True, shard=Shard(2, 2))  # its own rows alone
    assert _done(folder, settings) == {0}
    assert _done(folder, settings, restart=True) == set()


def test_restarting_drops_the_features_of_what_was_measured(tmp_path):
    shards = EVERYTHING, Shard(2, 2), Shard(12, 2**4), Shard(2, 2**4)
    kept = [tmp_path / FEATURES / f"method-0{shard.suffix}.f32" for shard in shards]
    kept[0].parent.mkdir()
    for path in kept:
        path.touch()
    _done(tmp_path, {}, restart=True, shard=Shard(2, 2**4))
    assert [path.exists() for path in kept] == [True, True, True, False]
    _done(tmp_path, {})
    assert [path.exists() for path in kept] == [True, True, True, False]
    _done(tmp_path, {}, restart=True)
    assert not any(path.exists() for path in kept)


def test_another_evaluation_is_refused_unless_restarted(tmp_path):
    _write(tmp_path, [0], {"size": 64, "protocol": "centre"})
    with pytest.raises(InputError, match=r"differs in size \(64 there, 128 now\): give another --output, or --restart"):
        Journal(tmp_path, {"size": 128, "protocol": "centre"})
    (tmp_path / "settings.json").write_text("{")  # damaged
    with pytest.raises(InputError, match="size .nothing there, 64 now"):
        Journal(tmp_path, {"size": 64, "protocol": "centre"})
    assert _done(tmp_path, {"size": 128, "protocol": "centre"}, restart=True) == set()


def test_running_statistics():
    values = np.random.default_rng(0).standard_normal(50) + 1e3
    running = Running()
    for value in values:
        running.add(value)
    assert running.mean == pytest.approx(values.mean(), rel=1e-13)
    assert running.deviation == pytest.approx(values.std(ddof=1), rel=1e-9)


def test_summary_by_method_and_hole_ratio():
    rows = [_row(0, 10.0, 0.05), _row(1, 30.0, 0.1), _row(4, 20.0, 0.3), _row(7, 25.0, 0.31)]
    summary = Summary(iter(rows), ["a", "b"], ["psnr"])
    assert summary.count == 4 and summary.total["b", "psnr"].mean == pytest.approx(42.5)
    assert summary.bins() == [0, 2, 3] and summary.by_ratio[0, "a", "psnr"].mean == pytest.approx(20.0)
    assert summary.ranked(higher=True) == {"worst": 0, "median": 7, "best": 1}
    assert summary.ranked(higher=False) == {"worst": 1, "median": 4, "best": 0}
    assert (summary.ratio.least, summary.ratio.greatest) == (0.05, 0.31)


@pytest.mark.parametrize("ratio, expected", [(0.001, 0), (0.1, 0), (0.1001, 1), (0.3, 2), (0.6, 5), (1.0, 9)])
def test_a_bin_holds_its_upper_limit(ratio, expected):
    assert ratio_bin(ratio) == expected


def test_whatever_was_measured_is_dropped_at_once(tmp_path):
    _write(tmp_path, [0], {"size": 64})
    for number in (1, 2):
        _write(tmp_path, [number - 1], {"size": 64}, shard=Shard(number, 2))
    drop(tmp_path)
    assert _done(tmp_path, {"size": 128}) == set()
    drop(tmp_path / "none")
