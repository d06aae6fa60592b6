import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.losses.perceptual import gram_matrix, perceptual_loss, style_loss


def test_gram_matrix_by_hand():
    features = tf.constant([[[[1.0, 2.0], [3.0, 4.0]]]])  # 1 x 2 positions, 2 channels
    np.testing.assert_allclose(gram_matrix(features), [[[10 / 4, 14 / 4], [14 / 4, 20 / 4]]])


def test_losses_by_hand():
    features = [tf.constant([[[[1.0, 2.0], [3.0, 4.0]]]]), tf.constant([[[[2.0]]]])]
    targets = [tf.zeros([1, 1, 2, 2]), tf.constant([[[[3.0]]]])]
    np.testing.assert_allclose(perceptual_loss(features, targets), (1 + 4 + 9 + 16) / 4 + 1)
    np.testing.assert_allclose(style_loss(features, targets), (10**2 + 2 * 14**2 + 20**2) / 16 + (4 - 9) ** 2)


def test_style_knows_no_places_and_features_do():
    features = tf.random.normal([2, 4, 4, 3])
    turned = [features[:, ::-1]]
    np.testing.assert_allclose(style_loss(turned, [features]), 0.0, atol=1e-10)
    assert perceptual_loss(turned, [features]) > 0.1


@pytest.mark.parametrize("loss", [perceptual_loss, style_loss])
def test_a_batch_is_the_mean_of_its_pictures(loss):
    ours, truth = tf.random.normal([2, 4, 4, 3]), tf.random.normal([2, 4, 4, 3])
    alone = [loss([ours[i : i + 1]], [truth[i : i + 1]]) for i in range(2)]
    np.testing.assert_allclose(loss([ours], [truth]), np.mean(alone), rtol=1e-5)
