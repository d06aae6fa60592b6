"""A run of test.py: what it refuses before anything is completed."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.io.images import write_png
from tf_inpaint.predict.command import default_options
from tf_inpaint.predict.jobs import Job
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
