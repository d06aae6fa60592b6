import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.features.applications import NETWORKS
from tf_inpaint.features.vgg import VGGFeatures, preprocess


def test_pictures_become_what_vgg_was_trained_on():
    image = tf.random.uniform([1, 4, 4, 3], -1, 1)
    expected = tf.keras.applications.vgg16.preprocess_input(((image + 1) * 127.5).numpy())
    np.testing.assert_allclose(preprocess(image), expected, atol=1e-4)


def test_features_of_a_file_are_those_of_its_network(vgg16, vgg16_file):
    layers = ("block1_conv2", "block2_conv2")
    features = VGGFeatures("vgg16", vgg16_file, layers)
    image = tf.random.uniform([2, 16, 24, 3], -1, 1)
    seen = features(image)
    assert {name: tuple(value.shape) for name, value in seen.items()} == {
        "block1_conv2": (2, 16, 24, 64),
        "block2_conv2": (2, 8, 12, 128),
    }
    x = preprocess(image)
    for name in ("block1_conv1", "block1_conv2"):
        x = vgg16.get_layer(name)(x)
    np.testing.assert_allclose(seen["block1_conv2"], x, rtol=1e-5, atol=1e-3)
    with tf.GradientTape() as tape:
        tape.watch(image)
        loss = tf.reduce_sum(features(image)["block2_conv2"])
    assert np.isfinite(tape.gradient(loss, image)).all()


def test_missing_and_wrong_files_are_a_sentence(vgg16_file, tmp_path):
    with pytest.raises(InputError, match="options.perceptual_file: there is no file .*none.h5"):
        VGGFeatures(weights=tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("not weights")
    for network, path in (("vgg16", tmp_path / "text.h5"), ("vgg19", vgg16_file)):
        with pytest.raises(InputError, match=f"does not hold the weights of {network} without top") as caught:
            VGGFeatures(network, path)
        assert "\n" not in str(caught.value)


def test_a_download_that_fails_is_a_sentence(monkeypatch):
    def fail(**options):
        raise Exception("URL fetch failure on https://example.org: None\nmore")  # noqa: TRY002 - what Keras raises

    monkeypatch.setitem(NETWORKS, "vgg19", fail)
    with pytest.raises(InputError, match="vgg19 cannot be downloaded, set options.perceptual_file to a file") as caught:
        VGGFeatures("vgg19")
    assert "\n" not in str(caught.value)
