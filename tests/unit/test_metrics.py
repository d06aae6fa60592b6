import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint import metrics


def test_hole_l1_is_the_mean_error_inside_the_hole_on_the_unit_range():
    image = np.zeros([2, 4, 4, 3], np.float32)
    completed, mask = image.copy(), np.zeros([2, 4, 4, 1], np.float32)
    mask[0, :2] = 1.0
    completed[0, 0] = 0.5  # half of the hole is off by 0.25 of the range
    completed[0, 3] = 1.0  # outside the hole
    assert metrics.hole_l1(completed, image, mask).numpy() == pytest.approx([0.125, 0.0])


def test_psnr_by_hand_and_as_tensorflow_has_it():
    generator = np.random.default_rng(0)
    image, completed = (generator.uniform(-1, 1, [3, 8, 8, 3]).astype(np.float32) for _ in range(2))
    expected = tf.image.psnr((completed + 1) / 2, (image + 1) / 2, max_val=1.0)
    np.testing.assert_allclose(metrics.psnr(completed, image), expected, rtol=1e-5)
    assert metrics.psnr(tf.fill([1, 2, 2, 3], 0.2), tf.zeros([1, 2, 2, 3])).numpy() == pytest.approx([20.0], rel=1e-5)


def test_psnr_of_equal_pictures_is_a_hundred():
    image = tf.zeros([1, 4, 4, 3])
    assert metrics.psnr(image, image).numpy() == pytest.approx([100.0])
