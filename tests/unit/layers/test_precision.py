import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.layers import GatedConv2D, MirrorConv2D, PartialConv2D, SpectralConv2D, UpsampleConv2D
from tf_inpaint.layers.norm_convolution import NormConv2D
from tf_inpaint.layers.precision import set_precision
from tf_inpaint.models import DeepFillV1Discriminator, DeepFillV2Discriminator, PENNetDiscriminator

HALVES = {"mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}
LAYERS = {
    "plain": lambda: MirrorConv2D(6),
    "dilated": lambda: MirrorConv2D(6, dilation=2),
    "gated": lambda: GatedConv2D(6),
    "upsampled": lambda: UpsampleConv2D(6),
    "spectral": lambda: SpectralConv2D(6),
    "partial": lambda: PartialConv2D(6, activation="elu"),
    "normed": lambda: NormConv2D(6),
}


def pictures(*shape):
    return tf.random.stateless_uniform(shape, [1, 2], -1.0, 1.0)


def first(outputs):
    return outputs[0] if isinstance(outputs, tuple) else outputs


@pytest.mark.parametrize("on_gpu", [False, True], ids=["float32 between layers", "16 bits between layers"])
@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("kind", LAYERS)
def test_convolutions_compute_in_16_bits_with_float32_weights(kind, precision, on_gpu):
    layer = LAYERS[kind]()
    inputs = pictures(1, 8, 8, 4)
    if kind == "partial":
        inputs = inputs, tf.pad(tf.ones([1, 4, 4, 1]), [[0, 0], [2, 2], [2, 2], [0, 0]])
    expected = first(layer(inputs))
    set_precision(layer, precision)
    if on_gpu:
        layer.handed_on = HALVES[precision]
    with tf.GradientTape() as tape:
        outputs = first(layer(inputs))
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32))
    assert outputs.dtype == (HALVES[precision] if on_gpu and kind != "normed" else tf.float32)
    assert layer.kernel.dtype in (tf.float32, "float32")
    gradients = [each for each in tape.gradient(loss, layer.trainable_variables) if each is not None]
    assert gradients and all(gradient.dtype == tf.float32 for gradient in gradients)
    difference = np.abs(tf.cast(outputs, tf.float32) - expected)
    assert 0 < difference.max() < 0.03


DISCRIMINATORS = {
    "v1 discriminators": lambda: (DeepFillV1Discriminator(4), (pictures(1, 32, 32, 3), pictures(1, 16, 16, 3))),
    "v2 discriminator": lambda: (DeepFillV2Discriminator(4), pictures(1, 64, 64, 4)),
    "pen discriminator": lambda: (PENNetDiscriminator(4), pictures(1, 64, 64, 3)),
}


@pytest.mark.parametrize("on_gpu", [False, True], ids=["float32 between layers", "16 bits between layers"])
@pytest.mark.parametrize("kind", DISCRIMINATORS)
def test_discriminators_take_and_return_float32_and_say_nearly_the_same(kind, on_gpu, monkeypatch):
    network, inputs = DISCRIMINATORS[kind]()
    expected = tf.nest.flatten(network(inputs))
    if on_gpu:
        monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"])
    set_precision(network, "mixed_bfloat16")
    outputs = tf.nest.flatten(network(inputs))
    changed = 0.0
    for output, value in zip(outputs, expected):
        assert output.dtype == value.dtype and output.dtype in (tf.float32, tf.int32)
        if output.dtype == tf.float32:
            changed = max(changed, np.abs(output - value).max() / max(1.0, np.abs(value).max()))
    assert 0 < changed < 0.1
    set_precision(network, "float32")
    for output, value in zip(tf.nest.flatten(network(inputs)), expected):
        np.testing.assert_array_equal(output, value)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="`precision` must be one of float32, mixed_bfloat16.* Received: 'half'"):
        set_precision(MirrorConv2D(2), "half")


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_of_64_bits_convolves_in_them(kind):
    layer = type(LAYERS[kind]())(6, dtype="float64")
    inputs = tf.cast(pictures(1, 8, 8, 4), tf.float64)
    outputs = first(layer((inputs, tf.zeros([1, 8, 8, 1], tf.float64)) if kind == "partial" else inputs))
    assert outputs.dtype == layer.kernel.dtype == "float64"
    nudged = inputs + 1e-12  # which 32 bits do not see
    assert np.any(first(layer((nudged, tf.zeros([1, 8, 8, 1]))) if kind == "partial" else layer(nudged)) != outputs)
