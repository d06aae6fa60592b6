"""What `test.py` checks before the network runs."""

import numpy as np
import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.io.images import write_png
from tf_inpaint.predict.jobs import Job
from tf_inpaint.predict.tasks import Reading, read_task


@pytest.fixture
def job(tmp_path):
    """job(mask) -> a Job for a 4 x 6 image and that mask."""

    def write(mask):
        write_png(tmp_path / "x.png", np.full((4, 6, 3), 9, np.uint8))
        write_png(tmp_path / "m.png", np.asarray(mask, np.uint8))
        return Job(str(tmp_path / "x.png"), str(tmp_path / "m.png"), "o.png")

    return write


def _mask(holes, hole=255, known=0):
    mask = np.full((4, 6), known)
    mask.flat[:holes] = hole
    return mask


def test_the_threshold_is_127_and_a_half(job):
    task = read_task(job(_mask(5, hole=128, known=127)))
    assert task.image.rgb.shape == (4, 6, 3) and not task.warnings and task.edges is None
    np.testing.assert_array_equal(task.mask, _mask(5, hole=1).astype(bool))
    np.testing.assert_array_equal(read_task(job(_mask(5)), Reading(invert=True)).mask, ~task.mask)


@pytest.mark.parametrize(
    "holes, invert, said",
    [
        (0, False, "marks no hole, so o.png is a copy of the image; if its holes are black, add --invert_mask"),
        (24, True, "marks no hole, so o.png is a copy of the image; is --invert_mask one too many?"),
        (23, False, "covers 96% of the image: inverted? if its holes are black, add --invert_mask"),
        (1, True, "covers 96% of the image: inverted? is --invert_mask one too many?"),
    ],
)
def test_a_strange_hole_is_warned_of(job, holes, invert, said):
    (warning,) = read_task(job(_mask(holes)), Reading(invert)).warnings
    assert said in warning


@pytest.mark.parametrize("holes, invert", [(24, False), (0, True)])
def test_a_hole_that_leaves_nothing_is_refused(job, holes, invert):
    with pytest.raises(InputError, match="m.png covers the whole image"):
        read_task(job(_mask(holes)), Reading(invert))


def test_both_sizes_are_named(job):
    with pytest.raises(InputError, match="m.png has 5 x 3 pixels, but the image .*x.png has 6 x 4"):
        read_task(job(np.zeros((3, 5))))


def test_an_image_is_its_own_mask_by_its_transparency_alone(tmp_path):
    rgba = np.full((4, 6, 4), 255, np.uint8)
    rgba[0, :2, 3] = 0, 200
    write_png(tmp_path / "x.png", rgba)
    job = Job(str(tmp_path / "x.png"), str(tmp_path / "x.png"), "o.png")
    task = read_task(job, Reading(mask_from="alpha"))
    assert task.mask[0, :2].all() and task.mask.sum() == 2
    with pytest.raises(InputError, match="x.png cannot be its own mask; --mask_from alpha completes"):
        read_task(job)
    write_png(tmp_path / "x.png", rgba[..., :3])
    with pytest.raises(InputError, match="x.png has no transparent part"):
        read_task(job, Reading(mask_from="alpha"))


def test_masks_grow_and_are_fitted(job):
    assert read_task(job(_mask(1)), Reading(grow=1)).mask.sum() == 3
    with pytest.raises(InputError, match="grown by 9 pixels, covers the whole image"):
        read_task(job(_mask(1)), Reading(grow=9))
    small = np.zeros((2, 3), np.uint8)
    small[0, 0] = 255
    mask = read_task(job(small), Reading(fit=True)).mask
    assert mask[:2, :2].all() and mask.sum() == 4


def test_edges_that_are_nearly_all_line_are_warned_of(job):
    task = job(_mask(5))
    task = Job(task.image, task.mask, task.output, task.mask)
    write_png(task.mask, np.uint8(_mask(5, hole=0, known=255)))
    (warning,) = read_task(task, Reading(invert=True)).warnings
    assert "is 79% line: a sketch in black on white?" in warning
