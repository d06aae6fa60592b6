import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops.colour import jitter_colours
from tf_inpaint.ops.masks import MASKS, MaskOptions
from tf_inpaint.ops.masks.noise import noise_region
from tf_inpaint.ops.masks.turned_boxes import turned_box


@pytest.mark.parametrize("height, width", [(64, 64), (128, 128), (48, 160)])
def test_noise_regions_have_an_allowed_share(height, width):
    shares = [float(tf.reduce_mean(noise_region(tf.constant([3, i]), height, width, (0.2, 0.3)))) for i in range(40)]
    inside = [0.2 <= share <= 0.3 for share in shares]
    assert np.mean(inside) >= 0.95 and np.std(shares) > 0.01


def test_noise_regions_are_blotches_not_pixels():
    mask = noise_region(tf.constant([3, 1]), 128, 128, (0.2, 0.3)).numpy()[..., 0]
    changes = np.mean(mask[:, 1:] != mask[:, :-1])
    assert 0.01 < changes < 0.06  # white noise of this share: 0.38


def test_a_turned_box_keeps_its_shape_and_shrinks_with_the_canvas():
    upright = turned_box(64, 64, 32, 32, 10, 4, 0).numpy()[..., 0]
    expected = np.zeros([64, 64])
    expected[9:43, 3:37] = 1  # one pixel wider all around
    np.testing.assert_array_equal(upright, expected)
    turned = turned_box(64, 64, 32, 32, 16, 16, 45).numpy()[..., 0]
    np.testing.assert_allclose(turned.mean(), 0.14, atol=0.02)
    rows, columns = np.nonzero(turned)
    assert turned[32, columns.min()] and turned[rows.min(), 32] and not turned[rows.min(), columns.min()]  # a diamond


def test_turned_boxes_are_drawn_everywhere():
    options = MaskOptions("turned_box", 32, 32)
    masks = np.stack([MASKS["turned_box"](tf.constant([1, i]), 64, 64, options) for i in range(60)])
    assert masks.max(axis=0).mean() > 0.6 and len({float(mask.mean()) for mask in masks}) > 30


def test_colours_change_a_little_and_stay_in_range():
    image = tf.random.stateless_uniform([8, 8, 3], [1, 2])
    np.testing.assert_allclose(jitter_colours(image, [3, 4], 0.0), image, atol=1e-5)
    results = [jitter_colours(image, [3, i], 0.05).numpy() for i in range(20)]
    changes = [np.abs(result - image).mean() for result in results]
    assert (
        0.003 < min(changes)
        and max(changes) < 0.1
        and min(map(np.min, results)) >= 0
        and max(map(np.max, results)) <= 1
    )
    grey = tf.fill([4, 4, 3], 0.5)
    np.testing.assert_allclose(np.ptp(jitter_colours(grey, [3, 4], 0.3), axis=-1), 0, atol=1e-6)
