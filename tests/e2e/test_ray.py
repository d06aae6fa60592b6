"""`python test.py --ray`, on a cluster of this machine: the files of `python test.py`, and a row of each image."""

import csv
import os
import signal

import numpy as np
import pytest
from runs import TINY, write_untrained_run

from tf_inpaint import cli
from tf_inpaint.errors import InputError
from tf_inpaint.evaluate import main as evaluate
from tf_inpaint.io.images import write_png
from tf_inpaint.predict import ray as completing
from tf_inpaint.predict.command import default_options, main
from tf_inpaint.predict.ray import DONE, REFUSED, THERE, Completer, complete

ray = pytest.importorskip("ray", reason="completing on Ray needs Ray: pip install '.[ray]'")
pytest.importorskip("ray.data")
import fsspec  # noqa: E402
import pyarrow.parquet  # noqa: E402

pytestmark = pytest.mark.slow

COUNT, BROKEN = 41, {"07.png", "23.png"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images of several sizes, their masks, and what test.py makes of them."""
    folder = tmp_path_factory.mktemp("ray")
    write_untrained_run(folder / "run", TINY)
    generator = np.random.default_rng(0)
    for number in range(COUNT):
        height, width = 64 + 8 * (number % 3), 64 + 3 * (number % 4)
        mask = np.zeros((height, width), bool)
        mask[20:40, 20:40] = True
        write_png(folder / "images" / f"{number:02}.png", generator.integers(0, 256, (height, width, 3), np.uint8))
        write_png(folder / "masks" / f"{number:02}.png", mask)
    for name in BROKEN:
        (folder / "images" / name).write_text("no image")
    assert main(command(folder, "alone")) == cli.SOME_FAILED
    return folder


@pytest.fixture(scope="module")
def cluster():
    """Of this process, with two actors' worth of processors."""
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    yield
    ray.shutdown()


def command(folder, output, *more):
    paths = ("--image", folder / "images", "--mask", folder / "masks", "--output", folder / output)
    return [str(word) for word in (*paths, "--checkpoint_dir", folder / "run", *more)]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def mortal(marker):
    """Actors of which the first is killed after five images."""

    class Mortal(Completer):
        def __call__(self, table):
            if not marker.exists():
                super().__call__(table.slice(0, 5))
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__call__(table)

    return Mortal


def states_in(path):
    with open(path, newline="") as file:
        return sorted((os.path.basename(row["image"]), row["state"]) for row in csv.DictReader(file))


def test_an_actor_that_is_killed_loses_nothing_and_what_stands_is_not_done_again(folder, cluster, monkeypatch, capsys):
    monkeypatch.setattr(completing, "Completer", mortal(folder / "killed"))
    monkeypatch.setattr(completing, "CHUNK", 16)
    names = [f"{number:02}.png" for number in range(COUNT)]
    for count_there in (5, COUNT - len(BROKEN)):  # when the actor was killed, and after all
        assert main(command(folder, "ray", "--ray", "--actors", "1")) == cli.SOME_FAILED
        said = capsys.readouterr()
        assert said.out.endswith(
            f"{count_there} of {COUNT} are there already\n{COUNT - len(BROKEN) - count_there} of {COUNT - count_there} "
            f"images completed; a row for each: {folder}/ray/rows.csv\n"
        )
        assert sorted(line for line in said.err.splitlines() if line.startswith("failed")) == [
            f"failed: {folder}/images/{name} is not an image, whatever its name says, or damaged from its start on"
            for name in sorted(BROKEN)
        ]
        there = set(names[:5] if count_there == 5 else names)
        states = [(name, REFUSED if name in BROKEN else THERE if name in there else DONE) for name in names]
        assert states_in(folder / "ray" / "rows.csv") == states
        assert contents(folder / "ray") == contents(folder / "alone")


def test_lists_in_parquet_and_datasets_of_programs(folder, cluster, capsys):
    """Of images that stand or are wrong, which needs no network."""
    paths = [[str(folder / kind / name) for name in ("00.png", "07.png")] for kind in ("images", "masks", "alone")]
    paths[2][1] = paths[0][1]  # which must not be written
    table = pyarrow.table(paths, ["image", "mask", "output"])
    pyarrow.parquet.write_table(table, folder / "list.parquet")
    outcomes = complete(ray.data.from_arrow(table), chunk=1).take_all()
    assert sorted(row["state"] for row in outcomes) == [REFUSED, THERE]
    assert main(["--flist", str(folder / "list.parquet"), "--ray"]) == cli.SOME_FAILED
    assert "1 of 2 are there already\n0 of 1 images completed" in capsys.readouterr().out
    assert states_in(folder / "rows.csv") == [("00.png", THERE), ("07.png", REFUSED)]
    with pytest.raises(InputError, match="must have the columns image, mask and output; it lacks output"):
        pyarrow.parquet.write_table(table.drop(["output"]), folder / "list.parquet")
        main(["--flist", str(folder / "list.parquet"), "--ray"])


def test_an_error_of_an_actor_is_one_sentence(folder, cluster, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.run(main, command(folder, "never", "--ray", "--rows", str(folder / "rows.parquet"), "--temperature", "-1"))
    assert stopped.value.code == cli.BAD_INPUT and not (folder / "rows.parquet").exists()
    assert "\nerror: --temperature must be 0 or more, not -1\n" in capsys.readouterr().err


def test_addresses_are_read_and_written(folder):
    """Of fsspec's memory, which other processes do not share: an actor in this one."""
    system, addresses = fsspec.filesystem("memory"), {}
    for kind in ("images", "masks"):
        for name in ("00.png", "07.png"):
            system.pipe_file(f"/{kind}/{name}", (folder / kind / name).read_bytes())
        addresses[kind[:-1]] = [f"memory://{kind}/{name}" for name in ("00.png", "07.png", "99.png")]
    addresses["output"] = [f"memory://out/{name}.png" for name in "abc"]
    actor = Completer(default_options(checkpoint_dir=str(folder / "run")), os.getcwd())
    done, damaged, missing = actor(pyarrow.table(addresses)).sort_by("output").to_pylist()
    assert system.cat_file("/out/a.png") == (folder / "alone" / "00.png").read_bytes()
    assert (done["state"], done["output"], done["sentence"]) == (DONE, "memory://out/a.png", "")
    assert damaged["sentence"].startswith("failed: memory://images/07.png is not an image")
    assert missing["sentence"] == "failed: memory://images/99.png does not exist"
    assert [row["state"] for row in actor(pyarrow.table(addresses)).to_pylist()].count(THERE) == 1
    assert system.ls("/out", detail=False) == ["/out/a.png"]


def test_evaluating_comes_to_the_bytes_of_one_machine(folder, cluster, tmp_path):
    sources = [str(folder / "alone" / f"0{number}.png") for number in range(5)]
    shared = ["--images", *sources, "--protocol", "centre", "--size", "64", "--baselines", "mean"]
    assert evaluate([*shared, "--output", str(tmp_path / "one")]) == cli.DONE
    assert evaluate([*shared, "--output", str(tmp_path / "ray"), "--ray", "--actors", "2"]) == cli.DONE
    for name in ("results.json", "per_image.csv"):
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    counts = [len((tmp_path / "ray" / f"rows-{shard}-of-2.jsonl").read_text().splitlines()) for shard in (1, 2)]
    assert counts == [3, 2] and not (tmp_path / "ray" / "rows.jsonl").read_text()
