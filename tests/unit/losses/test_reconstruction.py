import numpy as np
import tensorflow as tf

from tf_inpaint.losses.reconstruction import (
    discounted_l1,
    hole_l1,
    pyramid_l1,
    total_variation,
    total_variation_of_image,
    total_variation_of_region,
    valid_l1,
)


def _pictures():
    """Errors of 1 everywhere in the first image and 3 in the second, holes of 4 and 1 of 16 pixels."""
    image = tf.zeros([2, 4, 4, 3])
    predicted = image + tf.reshape([1.0, -3.0], [2, 1, 1, 1])
    mask = np.zeros([2, 4, 4, 1], np.float32)
    mask[0, :2, :2] = mask[1, 3, 3] = 1
    return predicted, image, mask


def test_each_picture_is_divided_by_its_own_area():
    predicted, image, mask = _pictures()
    assert hole_l1(predicted, image, mask) == 2.0
    np.testing.assert_allclose(valid_l1(predicted, image, mask), 2.0, rtol=1e-6)


def test_only_the_named_region_counts():
    predicted, image, mask = _pictures()
    assert valid_l1(predicted * mask, image, mask) == 0
    assert hole_l1(predicted * (1 - mask), image, mask) == 0


def test_a_batch_is_the_mean_of_its_pictures():
    predicted, image = tf.random.normal([2, 4, 4, 3]), tf.random.normal([2, 4, 4, 3])
    _, _, mask = _pictures()
    for loss in (hole_l1, valid_l1, discounted_l1):
        parts = [loss(predicted[i : i + 1], image[i : i + 1], mask[i : i + 1]) for i in range(2)]
        np.testing.assert_allclose(loss(predicted, image, mask), np.mean(parts), rtol=1e-6)


def test_full_and_empty_holes_are_finite():
    predicted, image, _ = _pictures()
    assert valid_l1(predicted, image, tf.ones([2, 4, 4, 1])) == 0
    assert hole_l1(predicted, image, tf.zeros([2, 4, 4, 1])) == 0


def test_weights_multiply_the_error():
    predicted, image, mask = _pictures()
    assert hole_l1(predicted, image, mask, 0.5) == 1.0
    assert discounted_l1(predicted, image, tf.fill([1, 4, 4, 1], 0.25)) == 0.5


def test_pyramid_compares_every_level_at_its_size():
    image = tf.reshape(tf.range(5.0), [1, 1, 5, 1]) * tf.ones([1, 5, 1, 3])  # columns 0 1 2 3 4
    middle = tf.reshape([0.0, 2.0, 4.0], [1, 1, 3, 1]) * tf.ones([1, 3, 1, 3])
    corners = tf.reshape([0.0, 4.0], [1, 1, 2, 1]) * tf.ones([1, 2, 1, 3])
    np.testing.assert_allclose(pyramid_l1([middle, corners], image), 0.0, atol=1e-6)
    np.testing.assert_allclose(pyramid_l1([middle + 1.0, corners - 0.5], image), 1.5, rtol=1e-6)


def test_total_variation_by_hand():
    """Only pairs that touch the hole count, each once; images without a hole count 0."""
    picture = np.zeros([2, 4, 4, 3], np.float32)
    picture[0, 1, 1] = 1.0  # the hole's one pixel: 4 pairs, each of difference 1
    picture[0, 3] = 100.0  # known pixels among themselves
    mask = np.zeros([2, 4, 4, 1], np.float32)
    mask[0, 1, 1] = 1
    assert total_variation(tf.constant(picture), tf.constant(mask)) == 0.5
    mask[0, 0, 0] = 1  # a corner: two more pairs, without a difference
    np.testing.assert_allclose(total_variation(tf.constant(picture), tf.constant(mask)), 4 / 6 / 2)
    mask[0, 0, 1] = 1  # 7 pairs now, one of them of two hole pixels
    np.testing.assert_allclose(total_variation(tf.constant(picture), tf.constant(mask)), 4 / 7 / 2)
    picture[0, 1, 1, 1:] = 0  # a mean over channels
    np.testing.assert_allclose(total_variation(tf.constant(picture), tf.constant(mask)), 4 / 7 / 2 / 3)


def test_total_variation_of_the_grown_hole_and_of_the_image_by_hand():
    picture, mask = np.zeros([2, 5, 5, 1], np.float32), np.zeros([2, 5, 5, 1], np.float32)
    mask[0, 2, 2] = 1
    picture[0, 1, 1] = 1.0  # a corner of the grown hole: two of its four pairs lie in it
    picture[1] = 7.0
    picture, mask = tf.constant(picture), tf.constant(mask)
    np.testing.assert_allclose(total_variation_of_region(picture, mask), 2 / 25 / 2, rtol=1e-6)
    np.testing.assert_allclose(total_variation_of_image(picture), 4 / 20 / 2, rtol=1e-6)


def test_total_variation_moves_nothing_that_is_known_and_apart():
    picture, mask = tf.random.normal([1, 6, 6, 3]), np.zeros([1, 6, 6, 1], np.float32)
    mask[0, 2:4, 2:4] = 1
    with tf.GradientTape() as tape:
        tape.watch(picture)
        loss = total_variation(picture, tf.constant(mask))
    moved = np.any(tape.gradient(loss, picture)[0] != 0, axis=-1)
    assert moved[2:4, 2:4].all() and not moved[[0, 0, 1, 4], [0, 2, 1, 4]].any()
