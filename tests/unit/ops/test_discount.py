import cv2
import numpy as np
import pytest

from tf_inpaint.ops.discount import box_discount, distance_discount, hole_distance


def test_box_form_by_hand():
    # Rows 0, 1, 2, 3 of 4 are min(i, 4 - i) = 0, 1, 2, 1 from an edge: the last row is not 0.
    weights = box_discount(4, 4, 0.5).numpy()[0, :, :, 0]
    np.testing.assert_allclose(weights, [[1, 1, 1, 1], [1, 0.5, 0.5, 0.5], [1, 0.5, 0.25, 0.5], [1, 0.5, 0.5, 0.5]])


def test_gamma_one_discounts_nothing():
    assert (box_discount(8, 6, 1.0).numpy() == 1).all()


def test_distance_form_of_a_box_counts_from_every_edge():
    mask = np.zeros([1, 9, 9, 1], np.float32)
    mask[:, 2:7, 2:7] = 1
    distance = hole_distance(mask).numpy()[0, :, :, 0]
    np.testing.assert_allclose(distance[4], [0, 0, 1, 2, 3, 2, 1, 0, 0])
    np.testing.assert_allclose(distance_discount(mask, 0.99).numpy()[0, 4, :, 0], 0.99 ** distance[4], rtol=1e-6)


@pytest.mark.parametrize("shape", [(40, 56), (33, 17)])
def test_distance_is_opencvs_for_any_shape(shape):
    mask = np.random.default_rng(0).random([2, *shape]) < 0.97
    expected = [cv2.distanceTransform(m.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for m in mask]
    distance = hole_distance(mask[..., np.newaxis].astype(np.float32)).numpy()[..., 0]
    np.testing.assert_allclose(distance, expected, atol=1e-4)


def test_nothing_known_is_finite():
    assert np.isfinite(hole_distance(np.ones([1, 8, 8, 1], np.float32)).numpy()).all()
