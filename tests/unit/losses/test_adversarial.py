import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.losses.adversarial import (
    gradient_penalty,
    interpolate,
    wasserstein_discriminator_loss,
    wasserstein_generator_loss,
)


@pytest.mark.parametrize("shape", [[4], [4, 1], [2, 2, 1]])
def test_wasserstein_by_hand_for_scores_of_any_shape(shape):
    real, fake = tf.reshape([1.0, 2.0, 3.0, 6.0], shape), tf.reshape([0.0, -1.0, 1.0, 2.0], shape)
    assert wasserstein_discriminator_loss(real, fake) == 0.5 - 3.0
    assert wasserstein_generator_loss(fake) == -0.5


def test_interpolation_has_one_factor_for_each_example():
    real, fake = tf.zeros([2, 2, 2, 3]), tf.ones([2, 2, 2, 3])
    points = interpolate(real, fake, tf.constant([0.25, 1.0])).numpy()
    assert (points[0] == 0.25).all() and (points[1] == 1).all()


def test_penalty_of_a_linear_critic_is_its_slope():
    weights = tf.random.normal([4 * 4 * 3, 1])
    penalty = gradient_penalty(lambda x: tf.reshape(x, [2, -1]) @ weights, tf.random.normal([2, 4, 4, 3]))
    np.testing.assert_allclose(penalty, (np.linalg.norm(weights) - 1) ** 2, rtol=1e-5)


def test_penalty_sees_the_masked_pixels_only():
    mask = np.zeros([1, 4, 4, 1], np.float32)
    mask[0, 1, 2] = 1
    penalty = gradient_penalty(lambda x: 3.0 * tf.reduce_sum(x, [1, 2, 3])[:, None], tf.zeros([1, 4, 4, 3]), mask)
    np.testing.assert_allclose(penalty, (3 * np.sqrt(3) - 1) ** 2, rtol=1e-6)
