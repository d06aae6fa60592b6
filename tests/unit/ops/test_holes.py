"""Holes that grow, and a rim that fades into what is known."""

import numpy as np

from tf_inpaint.ops.holes import feather, grown

MASK = np.zeros((40, 60), bool)
MASK[10:30, 20:40] = True


def test_holes_grow_on_every_side():
    larger = grown(MASK, 2)
    assert larger[8:32, 20:40].all() and larger[10:30, 18:42].all() and not larger[7].any() and not larger[:, 17].any()
    assert not larger[8, 18]  # round at its corners
    assert grown(MASK, 0) is MASK and not grown(np.zeros_like(MASK), 3).any()


def test_a_prediction_that_is_off_fades_into_the_image():
    image = np.full((40, 60, 3), 200, np.uint8)
    image[..., 1] = 90
    blended = feather(image, np.full_like(image, 180), MASK, width=8)
    np.testing.assert_array_equal(blended[~MASK], image[~MASK])
    red = blended[20, 20:40, 0].astype(int)
    assert red[0] >= 197 and red[-1] >= 197 and red[10] == 180
    assert (np.diff(red[:9]) <= 0).all() and blended[20, 20, 1] <= 103
    np.testing.assert_array_equal(feather(image, image, MASK), image)
    assert (feather(image, np.zeros_like(image), np.ones_like(MASK)) == 0).all()
