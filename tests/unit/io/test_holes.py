"""What of a mask file is the hole, and which files look like no mask."""

import numpy as np
import pytest
from PIL import Image

from tf_inpaint.errors import InputError
from tf_inpaint.io.holes import read_holes

BOX = np.zeros((128, 128), bool)
BOX[40:88, 30:100] = True


@pytest.fixture
def write(tmp_path):
    """write(array, name, ...) -> the path of an image file."""

    def write(array, name="m.png", **options):
        Image.fromarray(np.asarray(array, np.uint8)).save(tmp_path / name, **options)
        return str(tmp_path / name)

    return write


def _photo():
    y, x = np.mgrid[0:128, 0:128].astype(float)
    rgb = np.stack([90 + 80 * np.sin(x / 37) * np.cos(y / 53), 110 + 70 * y / 128, 140 - 60 * x / 128], -1)
    return np.clip(rgb + np.random.default_rng(0).normal(0, 3, rgb.shape), 0, 255).astype(np.uint8)


def _layer(left, right, alpha=255):
    layer = np.zeros((128, 128, 4), np.uint8)
    layer[BOX] = (*left, alpha)
    layer[:, 65:][BOX[:, 65:]] = (*right, alpha)
    return layer


def _painted(colour):
    rgb = _photo()
    rgb[BOX] = colour
    return rgb


def _soft():
    cv2 = pytest.importorskip("cv2")
    return cv2.GaussianBlur(BOX * np.uint8(255), (0, 0), 4)


RED = np.dstack([BOX * 255, BOX * 0, BOX * 0])


@pytest.mark.parametrize(
    "array, options",
    [
        (BOX * 255, {"name": "m.jpg", "quality": 20}),
        (RED, {"name": "m.jpg", "quality": 60}),
        (BOX * 255, {}),
        (RED, {}),
        (_soft(), {}),
        (_layer((204, 50, 50), (20, 20, 110)), {}),
        (_layer((30, 30, 110), (31, 30, 111)), {}),
        (np.where(BOX, 200, 40), {}),
    ],
    ids="jpeg red_jpeg plain red soft two_colours rounded grey".split(),
)
def test_masks_are_masks_without_a_word(write, array, options):
    marked, warning = read_holes(write(array, **options))
    assert warning is None and (marked == BOX).mean() > 0.99


@pytest.mark.parametrize(
    "array, said",
    [
        (_photo(), "colours, none of them paint on a plain ground: a photograph where a mask is expected"),
        (_painted((255, 0, 0)), "none of them paint on a plain ground"),
        (_painted(255), "none of them paint on a plain ground"),
        (_painted(255)[..., 0], "levels, of which no two stand out"),
        (np.dstack([_photo(), 255 - BOX * np.uint8(255)]), "of which 21% are transparent: --mask_from alpha"),
        (BOX * 1, "holds 0 and 1: its largest level is 1, .* or add --mask_from colour"),
        (BOX * 7, "its largest level is 7"),
        (_layer((255, 0, 0), (255, 0, 0), 100), "is translucent: its paint covers 39% at most; --mask_from colour"),
    ],
    ids="photo red white grey rubbed_out ones sevens translucent".split(),
)
def test_what_is_no_mask_is_refused(write, array, said):
    with pytest.raises(InputError, match=f"the mask .*m.png .*{said}"):
        read_holes(write(array))


@pytest.mark.parametrize(
    "array, said",
    [
        (_layer((255, 255, 255), (0, 0, 0)), "light and dark paint, of which the dark counts as known"),
        (_layer((255, 0, 0), (10, 0, 90))[..., :3], "which counts as known: --mask_from colour takes paint of any"),
    ],
)
def test_paint_that_counts_as_known_is_said(write, array, said):
    marked, warning = read_holes(write(array))
    assert said in warning and (marked[:, :65] == BOX[:, :65]).all() and not marked[:, 65:].any()


@pytest.mark.parametrize(
    "array, mask_from",
    [
        (_layer((255, 255, 255), (0, 0, 0)), "colour"),
        (_layer((255, 0, 0), (10, 0, 90))[..., :3], "colour"),
        (_layer((255, 0, 0), (0, 0, 0), 100), "colour"),
        (BOX * 1, "colour"),
        (255 - BOX * 255, "colour"),
        (255 - BOX * 255, "dark"),
        (BOX * 255, "light"),
        (np.dstack([_photo(), 255 - BOX * np.uint8(255)]), "alpha"),
    ],
)
def test_a_person_may_say_what_the_hole_is(write, array, mask_from):
    marked, warning = read_holes(write(array), mask_from)
    assert warning is None
    np.testing.assert_array_equal(marked, BOX)


def test_alpha_has_to_be_there(write):
    with pytest.raises(InputError, match="has no transparent part, which --mask_from alpha takes for the hole"):
        read_holes(write(BOX * 255), "alpha")
