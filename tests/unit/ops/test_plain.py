"""What is predicted in holes keeps to the levels beside them."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops.plain import keep_to_levels_beside

HEIGHT, WIDTH = 42, 51  # no multiples of the blocks in which levels are gathered


def _limited(predicted, image, mask, **options):
    arrays = (np.float32(array)[np.newaxis] for array in (predicted, image, mask[..., np.newaxis]))
    return keep_to_levels_beside(*map(tf.constant, arrays), **options)[0].numpy()


def _mask(*boxes):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for box in boxes:
        mask[box] = True
    return mask


@pytest.mark.parametrize("hole", [np.s_[10:30, 12:40], np.s_[:9, :9], np.s_[20:, :], np.s_[3:4, 7:50]])
def test_a_hole_in_a_plain_ground_takes_its_level_channel_by_channel(hole):
    mask, colour = _mask(hole), np.array([1.0, -1.0, 0.25])
    image = np.where(mask[..., np.newaxis], 0.0, colour)
    predicted = np.random.default_rng(0).uniform(-1, 1, image.shape)
    for options in ({}, {"wanted": tf.constant(mask[np.newaxis, ..., np.newaxis], tf.float32)}):
        limited = _limited(predicted, image, mask, **options)
        np.testing.assert_allclose(limited[mask], np.broadcast_to(colour, limited[mask].shape), atol=1e-6)


def test_beyond_the_levels_beside_it_goes_their_range_and_no_farther():
    mask = _mask(np.s_[10:30, 12:40])
    even = np.indices(mask.shape).sum(axis=0)[..., np.newaxis].repeat(3, axis=-1) % 2 == 0
    image = np.where(even, 0.1, 0.16)
    farther = 0.06 / (1 - 0.06 / (32 / 255))  # more than the range, as not quite plain
    for wanted, expected in ((-1.0, 0.1 - farther), (0.2, 0.2), (1.0, 0.16 + farther)):
        limited = _limited(np.full(image.shape, wanted), image, mask)
        np.testing.assert_allclose(limited[mask], expected, atol=1e-6)


def test_beside_textures_in_any_channel_nothing_is_limited():
    mask = _mask(np.s_[10:30, 12:40])
    image = np.zeros((*mask.shape, 3))
    image[..., 1] = np.where(np.indices(mask.shape).sum(axis=0) % 2, -0.13, 0.13)
    predicted = np.random.default_rng(0).uniform(-1, 1, image.shape).astype(np.float32)
    np.testing.assert_array_equal(_limited(predicted, image, mask), predicted)


def test_each_place_goes_by_the_rim_that_is_nearest():
    mask = _mask(np.s_[8:28, 8:44])
    image = np.where(np.arange(WIDTH)[:, np.newaxis] < 26, -0.5, 0.5) * np.ones((HEIGHT, 1, 3))
    limited = _limited(np.zeros(image.shape), image, mask)
    np.testing.assert_allclose(limited[12:24, 8:12], -0.5, atol=1e-6)
    np.testing.assert_allclose(limited[12:24, 40:44], 0.5, atol=1e-6)
    np.testing.assert_allclose(limited[10:26, 24:28], 0.0, atol=1e-6)


def test_without_a_hole_or_anything_known_nothing_is_limited():
    predicted = np.random.default_rng(0).uniform(-1, 1, (HEIGHT, WIDTH, 3)).astype(np.float32)
    np.testing.assert_array_equal(_limited(predicted, np.zeros_like(predicted), _mask(np.s_[:])), predicted)
    np.testing.assert_array_equal(_limited(predicted, predicted, _mask()), predicted)


def test_an_image_of_which_nothing_is_known_keeps_no_other_waiting():
    masks = np.stack([_mask(np.s_[:]), _mask(np.s_[10:30, 12:40])])[..., np.newaxis].astype(np.float32)
    predicted = np.random.default_rng(0).uniform(-1, 1, (2, HEIGHT, WIDTH, 3)).astype(np.float32)
    image = np.full(predicted.shape, 0.25, np.float32)
    limited = keep_to_levels_beside(predicted, image, masks).numpy()
    np.testing.assert_array_equal(limited[0], predicted[0])
    np.testing.assert_allclose(limited[1][masks[1, ..., 0] > 0], 0.25, atol=1e-6)
