"""A small guided run folder for the programs that complete images."""

import os
from pathlib import Path

import cv2
import pytest
from runs import write_untrained_run

from tf_inpaint.io.images import write_png
from tf_inpaint.samples import SAMPLES, load_sample


@pytest.fixture(scope="session")
def guided_run(tmp_path_factory):
    """Folder of an untrained guided DeepFill v2, as train.py leaves it; TF_INPAINT_RUN names another to look at."""
    if "TF_INPAINT_RUN" in os.environ:
        return Path(os.environ["TF_INPAINT_RUN"]).resolve()
    folder = tmp_path_factory.mktemp("guided_run")
    values = {
        "recipe": "deepfill_v2",
        "options": {"width": 8, "guided": True},
        "data": {"image_size": 64, "edges": "canny"},
        "mask": {"kind": "brush_stroke"},
    }
    write_untrained_run(folder, values, contrast=2.5)
    return folder


@pytest.fixture(scope="session")
def photo(tmp_path_factory):
    """A PNG of 120 x 160: a portrait that matplotlib brings along."""
    hopper = next(sample for sample in SAMPLES if sample.name == "hopper")
    rgb = load_sample(hopper)
    width = rgb.shape[1]
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    write_png(path, cv2.resize(rgb[: width * 3 // 4], (160, 120), interpolation=cv2.INTER_AREA))
    return path
