"""A run of test.py: what it refuses before anything is completed."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.io.images import write_png
from tf_inpaint.predict import command
from tf_inpaint.predict.command import default_options
from tf_inpaint.predict.jobs import Job
from tf_inpaint.predict.ray import _job_of
from tf_inpaint.predict.run import Run


@pytest.mark.parametrize("wanted", ["coarse", "attention"])
def test_an_image_that_the_model_does_not_make(tmp_path, wanted):
    image, mask = np.zeros([16, 16, 3], np.uint8), np.eye(16, dtype=bool)
    write_png(tmp_path / "image.png", image)
    write_png(tmp_path / "mask.png", mask)
    job = Job(*(str(tmp_path / f"{name}.png") for name in ("image", "mask", "output")))
    model = SimpleNamespace(engine=SimpleNamespace(images={"coarse", "attention"} - {wanted}))
    run = Run(load=lambda: model, **{f"save_{wanted}": True})
    said = f"this model has no {wanted} image: leave out --save_{wanted}, or take the weights photos_v1"
    for complete in (lambda: run.one(job), lambda: run.many([job, job])):
        with pytest.raises(InputError, match=said):
            complete()


def test_every_file_written_is_named(tmp_path, monkeypatch, capsys):
    image = np.zeros([16, 16, 3], np.uint8)
    write_png(tmp_path / "image.png", image)
    write_png(tmp_path / "mask.png", np.eye(16, dtype=bool))
    job = Job(*(str(tmp_path / f"{name}.png") for name in ("image", "mask", "output")))
    monkeypatch.setattr(Run, "_outputs", lambda *_: [dict.fromkeys(("completed", "coarse", "attention"), image)])
    model = SimpleNamespace(engine=SimpleNamespace(images={"coarse", "attention"}))
    Run(load=lambda: model, save_coarse=True, save_attention=True).one(job)
    said = capsys.readouterr().out.split()
    assert said == [str(tmp_path / f"output{ending}.png") for ending in ("", "_coarse", "_attention")]
    assert all(map(os.path.isfile, said))


@pytest.mark.parametrize(
    "options, weights",
    [
        ({}, "photos"),
        ({"residuals": 0.0}, "photos"),
        ({"residuals": 0.5}, "photos_v1"),
        ({"attention": "coarse"}, "photos_v1"),
        ({"save_coarse": True}, "photos_v1"),
        ({"save_attention": True}, "photos_v1"),
        ({"save_attention": True, "weights": "photos"}, "photos"),
        ({"save_attention": True, "checkpoint_dir": "run"}, None),
    ],
)
def test_what_the_default_weights_lack_is_taken_from_those_that_have_it(options, weights):
    assert default_options(**options).weights == weights


def test_several_completions_of_a_model_that_draws_nothing_are_refused_before_any(tmp_path):
    write_png(tmp_path / "image.png", np.zeros([16, 16, 3], np.uint8))
    write_png(tmp_path / "mask.png", np.eye(16, dtype=bool))
    job = Job(*(str(tmp_path / f"{name}.png") for name in ("image", "mask", "output")))
    run = Run(load=lambda: SimpleNamespace(draws=False), samples=2)
    with pytest.raises(InputError, match="draws nothing at random: leave out --samples"):
        run.many([job, job])


@pytest.mark.parametrize("option", [["--shard", "2/4"], ["--limit", "3"]])
def test_parts_of_one_image_are_refused(option, capsys):
    with pytest.raises(SystemExit):
        command.main(["--image", "x.png", "--mask", "m.png", *option])
    assert "for a folder or a list" in capsys.readouterr().err


def test_rows_of_outcomes_do_not_take_the_place_of_the_list(tmp_path):
    (tmp_path / "rows.csv").write_text("image,mask\nx.png,m.png\n")
    with pytest.raises(InputError, match="rows.csv is one of the inputs and would be overwritten"):
        command.main(["--flist", str(tmp_path / "rows.csv"), "--ray"])


def test_a_row_may_lack_what_a_job_needs():
    row = {"image": "x.png", "mask": None, "output": None, "edges": None}
    assert _job_of(row).problem == "a row names no output" and _job_of(row).outputs()
    assert _job_of({**row, "image": None}).problem == "a row names no image and no output"
    assert _job_of({**row, "output": "o.png"}) == Job("x.png", None, "o.png")
