"""PatchMatch and OpenCV's methods against what the packages gave: the same bytes by the same versions."""

import numpy as np
import pytest

from tf_inpaint import metrics
from tf_inpaint.evaluation import baselines
from tf_inpaint.evaluation.baselines import BASELINES
from tf_inpaint.evaluation.methods import Untrained
from tf_inpaint.evaluation.tasks import Task
from tf_inpaint.ops.levels import from_levels

SAME = ("pypatchmatch 2.2.0", "OpenCV 4.11.0", "OpenCV 5.0.0")  # versions of which all bits are known
STORED = {
    "patchmatch": "patchmatch/patch3_seed0",
    "fsr": "xphoto/fsr_fast",
    "shift_map": "xphoto/shiftmap",
    "telea": "opencv_telea_radius3",
    "navier_stokes": "opencv_ns_radius3",
}


@pytest.mark.parametrize("case", range(3))
@pytest.mark.parametrize("name", STORED)
def test_baseline(name, case, arrays, agree, monkeypatch):
    if BASELINES[name].missing():
        pytest.skip(BASELINES[name].missing())
    stored = arrays("patchmatch/results").under(f"case{case}/")
    monkeypatch.setattr(baselines, "_PATCH_RADIUS", 3)
    mask = stored["mask"] > 127
    task = Task(0, "x", stored["image_u8"], mask)
    expected = np.where(mask[..., np.newaxis], stored[STORED[name]], stored["image_u8"])
    found, again = Untrained(name).complete([task, task])
    np.testing.assert_array_equal(found, again)
    if BASELINES[name].version() in SAME:
        agree(f"{name}, levels", np.abs(found.astype(int) - expected).max(), 0)
    else:
        mask = np.float64(mask[np.newaxis, ..., np.newaxis])
        image, found, expected = (from_levels(np.float64(one[np.newaxis])) for one in (task.image, found, expected))
        difference = metrics.hole_psnr(found, image, mask) - metrics.hole_psnr(expected, image, mask)
        agree(f"{name}, dB in the hole", abs(difference[0]), 1.0)
