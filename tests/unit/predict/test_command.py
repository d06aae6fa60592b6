"""What `test.py` checks before the network runs, and the form in which pictures come back."""

import numpy as np
import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.io.images import ImageFile, write_png
from tf_inpaint.predict.command import read_job, restore
from tf_inpaint.predict.jobs import Job


@pytest.fixture
def job(tmp_path):
    """job(mask) -> a Job for a 4 x 6 picture and that mask."""

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
    picture, hole, warning = read_job(job(_mask(5, hole=128, known=127)))
    assert picture.rgb.shape == (4, 6, 3) and warning is None
    np.testing.assert_array_equal(hole, _mask(5, hole=1).astype(bool))
    np.testing.assert_array_equal(read_job(job(_mask(5)), invert_mask=True)[1], ~hole)


@pytest.mark.parametrize(
    "holes, invert, said",
    [
        (0, False, "marks no hole, so o.png is a copy of the picture; if its holes are black, add --invert_mask"),
        (24, True, "marks no hole, so o.png is a copy of the picture; is --invert_mask one too many?"),
        (23, False, "covers 96% of the picture: inverted? if its holes are black, add --invert_mask"),
        (1, True, "covers 96% of the picture: inverted? is --invert_mask one too many?"),
    ],
)
def test_a_strange_hole_is_warned_of(job, holes, invert, said):
    assert said in read_job(job(_mask(holes)), invert)[2]


@pytest.mark.parametrize("holes, invert", [(24, False), (0, True)])
def test_a_hole_that_leaves_nothing_is_refused(job, holes, invert):
    with pytest.raises(InputError, match="m.png covers the whole picture"):
        read_job(job(_mask(holes)), invert)


def test_both_sizes_are_named(job):
    with pytest.raises(InputError, match="m.png has 5 x 3 pixels, but the picture .*x.png has 6 x 4"):
        read_job(job(np.zeros((3, 5))))


RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
COMPLETED = 255 - RGB
HOLE = _mask(7).astype(bool)
ALPHA = np.arange(24, dtype=np.uint8).reshape(4, 6)
GREY = np.repeat(RGB[..., :1], 3, axis=2)


def test_colours_come_back_as_they_are():
    np.testing.assert_array_equal(restore(ImageFile(RGB, None, False), COMPLETED, HOLE), COMPLETED)


def test_alpha_is_kept_and_opaque_in_the_hole():
    restored = restore(ImageFile(RGB, ALPHA, False), COMPLETED, HOLE)
    np.testing.assert_array_equal(restored[..., :3], COMPLETED)
    np.testing.assert_array_equal(restored[..., 3], np.where(HOLE, 255, ALPHA))


def test_grey_comes_back_grey_and_known_levels_as_they_were():
    restored = restore(ImageFile(GREY, None, True), COMPLETED, HOLE)
    assert restored.shape == (4, 6) and restored.dtype == np.uint8
    np.testing.assert_array_equal(restored[~HOLE], GREY[..., 0][~HOLE])
    red, green, blue = COMPLETED[0, 0] / 1.0
    assert restored[0, 0] == round(0.299 * red + 0.587 * green + 0.114 * blue)


def test_grey_with_alpha_is_rgba_of_equal_colours():
    restored = restore(ImageFile(GREY, ALPHA, True), COMPLETED, HOLE)
    assert restored.shape == (4, 6, 4)
    assert (restored[..., 0] == restored[..., 1]).all() and (restored[..., 1] == restored[..., 2]).all()
    np.testing.assert_array_equal(restored[..., 3], np.where(HOLE, 255, ALPHA))
