"""DCGAN against its description: there are no reference numbers, so counts and the search are worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.models import DCGANDiscriminator, DCGANGenerator
from tf_inpaint.models.weights import parameter_count
from tf_inpaint.ops.latent_search import neighbourhood_weights, search_code


def _convolution(inputs, outputs, norm):
    return 25 * inputs * outputs + outputs + (2 * outputs if norm else 0)


def test_parameter_counts():
    generator, critic = DCGANGenerator(), DCGANDiscriminator()
    image, statistics = generator(tf.zeros([2, 100]))
    assert image.shape == (2, 64, 64, 3) and statistics == {}
    assert critic(image)[0].shape == (2, 1)
    widths = [512, 512, 256, 128]  # the second stage is as wide as the first
    expected = 100 * 8192 + 8192 + 2 * 512 + sum(_convolution(a, b, True) for a, b in zip(widths, widths[1:]))
    assert parameter_count(generator) == expected + _convolution(128, 3, False)
    widths = [64, 128, 256, 512]
    expected = _convolution(3, 64, False) + sum(_convolution(a, b, True) for a, b in zip(widths, widths[1:]))
    assert parameter_count(critic) == expected + 8192 + 1


@pytest.mark.parametrize("size, stages", [(16, 2), (32, 3), (128, 5)])
def test_other_sizes(size, stages):
    generator, critic = DCGANGenerator(size, 10, 4), DCGANDiscriminator(size, 4)
    image, statistics = generator(tf.zeros([3, 10]), training=True)
    assert image.shape == (3, size, size, 3) and len(statistics) == stages
    assert critic(image)[0].shape == (3, 1)


def test_search_is_adam_with_clipped_codes(agree):
    """A linear generator and discriminator, whose gradients are written out, and Adam as described."""
    rng = np.random.default_rng(0)
    matrix, judge = rng.normal(size=(3, 12)), rng.normal(size=12)
    code, image = rng.uniform(-1, 1, (2, 3)), rng.uniform(-1, 1, (2, 12))
    weights = rng.integers(0, 2, (2, 4)).repeat(3, axis=1).astype(float)
    found, loss = search_code(
        tf.constant(code, tf.float32),
        lambda z: tf.reshape(z @ tf.constant(matrix, tf.float32), [-1, 2, 2, 3]),
        lambda x: tf.reshape(x, [-1, 12]) @ tf.constant(judge[:, np.newaxis], tf.float32),
        tf.constant(image.reshape(2, 2, 2, 3), tf.float32),
        tf.constant(weights[:, ::3].reshape(2, 2, 2, 1), tf.float32),
        steps=40,
        learning_rate=0.05,
        prior_weight=0.3,
    )

    def terms(code):
        drawn = code @ matrix
        return weights * (drawn - image), drawn @ judge

    first = second = np.zeros_like(code)
    for count in range(1, 41):
        difference, score = terms(code)
        slope = weights * np.sign(difference) - 0.3 / (1 + np.exp(score))[:, np.newaxis] * judge
        gradient = slope @ matrix.T
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        code = code - 0.05 * (first / (1 - 0.9**count)) / (np.sqrt(second / (1 - 0.999**count)) + 1e-8)
        code = np.clip(code, -1, 1)
    difference, score = terms(code)
    agree("search for a code, codes, absolute", np.abs(found - code).max(), 1e-4)
    expected = np.abs(difference).sum(axis=1) + 0.3 * np.log1p(np.exp(-score))
    agree("search for a code, loss, relative", np.abs(loss / expected - 1).max(), 1e-4)


def test_weights_count_the_hole_around_a_known_pixel():
    mask = np.zeros([1, 9, 9, 1], np.float32)
    mask[0, 4, 4] = 1
    weights = neighbourhood_weights(tf.constant(mask), 3).numpy()[0, ..., 0]
    expected = np.zeros([9, 9])
    expected[3:6, 3:6] = 1 / 9
    expected[4, 4] = 0
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    mask[0, 4, 4], mask[0, 0, 0] = 0, 1
    corner = neighbourhood_weights(tf.constant(mask), 3).numpy()[0, :3, :3, 0]
    np.testing.assert_allclose(corner, [[0, 1 / 6, 0], [1 / 6, 1 / 9, 0], [0, 0, 0]], rtol=1e-6)
