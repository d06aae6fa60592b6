"""The original's own checkpoint, through everything a user may point at, gives the original's images."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tf_inpaint import Inpainter
from tf_inpaint.checkpoints.description import describe
from tf_inpaint.io.images import read_image, write_png

CASE = "deepfill_v1/generator_v1_64x64_b2_SAME"


@pytest.fixture(scope="module")
def v1(original_checkpoint):
    return original_checkpoint("deepfill_v1")


@pytest.fixture(scope="module")
def case(arrays):
    """(images RGB, hole, the original's completed float RGB) of the original's test program."""
    stored = arrays(CASE)
    return stored["image_u8_bgr"][..., ::-1], stored["mask"][0, ..., 0] == 1, stored["complete"][..., ::-1]


def test_the_folder_gives_the_original_s_pictures(v1, case):
    images, hole, expected = case
    outputs = Inpainter.load(v1).outputs(images, hole)
    np.testing.assert_allclose(outputs["predicted"][:, hole], expected[:, hole], atol=5e-5)
    truncated = np.clip((expected + 1) * 127.5, 0, 255).astype(np.uint8)
    assert np.abs(outputs["completed"].astype(int) - truncated).max() <= 1
    np.testing.assert_array_equal(outputs["completed"][:, ~hole], images[:, ~hole])


@pytest.mark.parametrize("ending", ["checkpoint", "snap-0", "snap-0.index", "snap-0.data-00000-of-00001"])
def test_every_way_to_name_it(v1, ending):
    assert describe(v1 / ending) == describe(v1)


def test_the_command_completes_with_it(v1, case, tmp_path):
    images, hole, expected = case
    write_png(tmp_path / "x.png", images[0])
    write_png(tmp_path / "m.png", hole.astype(np.uint8) * 255)
    files = ["--image", tmp_path / "x.png", "--mask", tmp_path / "m.png", "--output", tmp_path / "o.png"]
    program = Path(__file__).resolve().parents[2] / "test.py"
    command = [sys.executable, program, *files, "--checkpoint_dir", v1 / "snap-0.index"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    rounded = np.rint((np.clip(expected[0], -1, 1) + 1) * 127.5)
    assert np.abs(read_image(tmp_path / "o.png").rgb - rounded).max() <= 1


def test_the_guided_model_follows_a_sketch(original_checkpoint, arrays):
    stored = arrays("deepfill_v2_guided/generator_v2_guided_64x64_b2_SAME")
    images, hole = stored["image_u8_bgr"][..., ::-1], stored["mask"][0, ..., 0] == 1
    inpainter = Inpainter.load(original_checkpoint("deepfill_v2_guided"))
    assert inpainter.takes_edges
    outputs = inpainter.outputs(images, hole, stored["sketch_u8"][..., 0])
    np.testing.assert_allclose(outputs["predicted"][:, hole], stored["complete"][:, hole][..., ::-1], atol=5e-5)
    without = inpainter.outputs(images, hole)
    assert np.abs(without["predicted"] - outputs["predicted"]).max() > 0.01
