import numpy as np
import pytest

from tf_inpaint.inference.blending import blend, blend_into_marched


def _ramp(height=40, width=50):
    rows, columns = np.mgrid[:height, :width]
    return np.stack([100 + rows, 60 + columns, 80 + (rows + columns) // 2], axis=-1).astype(np.uint8)


def _hole(rows, columns, shape=(40, 50)):
    hole = np.zeros(shape, bool)
    hole[slice(*rows), slice(*columns)] = True
    return hole


@pytest.mark.parametrize(
    "rows, columns", [((10, 25), (12, 31)), ((11, 26), (12, 30)), ((0, 12), (20, 50)), ((5, 40), (0, 9))]
)
def test_a_shift_of_colour_is_taken_back(rows, columns):
    image, hole = _ramp(), _hole(rows, columns)
    blended = blend(image, image + np.uint8(30), hole)
    np.testing.assert_array_equal(blended[~hole], image[~hole])
    error = np.abs(blended.astype(int) - image)
    if rows[0] > 5 and columns[0] > 5:
        assert error.max() <= 3
    else:  # at the image's edge there is nothing known to blend into: it keeps some of the shift there
        assert error[hole].mean() < 25 and error[hole].min() <= 8


def test_the_same_picture_stays():
    image = _ramp()
    blended = blend(image, image, _hole((10, 25), (12, 31)))
    assert np.abs(blended.astype(int) - image).max() <= 1


def test_two_holes_and_extremes():
    image, drawn = _ramp(), np.full([40, 50, 3], 200, np.uint8)
    hole = _hole((2, 6), (2, 6)) | _hole((30, 38), (30, 48))
    blended = blend(image, drawn, hole)
    np.testing.assert_array_equal(blended[~hole], image[~hole])
    assert np.abs(blended[32:36, 34:44].astype(int) - image[32:36, 34:44]).max() < 25
    np.testing.assert_array_equal(blend(image, drawn, np.zeros([40, 50], bool)), image)
    np.testing.assert_array_equal(blend(image, drawn, np.ones([40, 50], bool)), drawn)


def test_into_what_fast_marching_fills():
    image, hole = _ramp(), _hole((10, 25), (12, 31))
    blended = blend_into_marched(image, image + np.uint8(30), hole)
    np.testing.assert_array_equal(blended[~hole], image[~hole])
    assert np.abs(blended.astype(int) - image).max() < 15  # of 30
    rim = _hole((0, 1), (0, 50))  # OpenCV finds nothing to blend there
    np.testing.assert_array_equal(blend_into_marched(image, image + np.uint8(30), rim)[rim], image[rim] + 30)
    np.testing.assert_array_equal(blend_into_marched(image, image, np.zeros([40, 50], bool)), image)


@pytest.mark.parametrize(
    "rows, columns", [((10, 12), (5, 45)), ((5, 35), (20, 21)), ((0, 3), (9, 20)), ((36, 40), (48, 50))]
)
def test_a_hole_too_thin_for_opencv_is_pasted(rows, columns):
    image, hole = _ramp(), _hole(rows, columns)
    expected = np.where(hole[..., np.newaxis], image + np.uint8(30), image)
    np.testing.assert_array_equal(blend_into_marched(image, image + np.uint8(30), hole), expected)
