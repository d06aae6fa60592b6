"""Augmentation in front of a discriminator: alike for images of one seed, shifts and cuts worked out by hand."""

import numpy as np
import tensorflow as tf

from tf_inpaint.ops.diffaugment import diffaugment

SEEDS = tf.constant([[3, index] for index in range(16)])
MASKS = tf.ones([16, 32, 40, 1])


def test_images_and_masks_are_moved_and_cut_alike():
    white = tf.ones([16, 32, 40, 3])
    images, masks = diffaugment(white, MASKS, SEEDS)
    np.testing.assert_array_equal(tf.reduce_any(images != 0, axis=-1, keepdims=True), masks == 1)
    left = tf.reduce_mean(masks, axis=[1, 2, 3]).numpy()  # of an image: no more than a quarter is cut, and shifts
    assert left.min() >= 1 - 0.25 - (1 - (7 / 8) ** 2) and left.max() <= 1 and len(set(left)) > 8


def test_one_seed_changes_two_images_alike_and_others_otherwise():
    pixels = tf.random.stateless_uniform([16, 32, 40, 3], [1, 2], -1, 1)
    one, _ = diffaugment(pixels, MASKS, SEEDS)
    again, _ = diffaugment(pixels, MASKS, SEEDS)
    np.testing.assert_array_equal(one, again)
    same, _ = diffaugment(tf.repeat(pixels[:1], 16, axis=0), MASKS, SEEDS)
    assert len({image.numpy().tobytes() for image in same}) == 16


def test_gradients_pass_to_what_is_left():
    pixels = tf.random.stateless_uniform([16, 32, 40, 3], [1, 2], -1, 1)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        images, _ = diffaugment(pixels, MASKS, SEEDS)
        total = tf.reduce_sum(tf.square(images))
    gradient = tape.gradient(total, pixels)
    assert np.isfinite(gradient).all() and np.mean(np.abs(gradient) > 0) > 0.9


def test_an_example_does_not_depend_on_its_neighbours():
    pixels = tf.random.stateless_uniform([16, 32, 40, 3], [1, 2], -1, 1)
    together, _ = diffaugment(pixels, MASKS, SEEDS)
    alone, _ = diffaugment(pixels[3:4], MASKS[3:4], SEEDS[3:4])
    np.testing.assert_allclose(together[3:4], alone, atol=1e-6)
