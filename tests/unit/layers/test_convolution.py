import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.layers import GatedConv2D, GatedUpsampleConv2D, MirrorConv2D, UpsampleConv2D
from tf_inpaint.ops.boxes import Box, crop, paste


def _box_filter(layer, channels=1):
    """The layer with a kernel of ones and no bias."""
    layer.build([None, None, None, channels])
    layer.set_weights([np.ones(layer.kernel.shape), np.zeros(layer.filters)])
    return layer


@pytest.mark.parametrize("padding, expected", [("SAME", 3), ("SYMMETRIC", 4), ("REFLECT", 5)])
def test_padding_by_hand(padding, expected):
    # Row 1, 2, 3: the first output sums 0 1 2, 1 1 2 or 2 1 2; columns are 1 wide and mirrored to 3 for two of them.
    row = tf.reshape(tf.constant([1.0, 2.0, 3.0]), [1, 1, 3, 1])
    row = tf.tile(row, [1, 3, 1, 1]) / 3
    outputs = _box_filter(MirrorConv2D(1, activation=None, padding=padding))(row)
    np.testing.assert_allclose(outputs[0, 1, 0, 0], expected, rtol=1e-6)


def test_stride_two_samples_another_grid_when_mirrored():
    ramp = tf.tile(tf.reshape(tf.range(8.0), [1, 1, 8, 1]), [1, 8, 1, 1]) / 9
    same = _box_filter(MirrorConv2D(1, strides=2, activation=None, padding="SAME"))(ramp)
    mirrored = _box_filter(MirrorConv2D(1, strides=2, activation=None, padding="SYMMETRIC"))(ramp)
    np.testing.assert_allclose(same[0, 1, :3, 0], [1, 3, 5], rtol=1e-6)  # centred on columns 1, 3, 5
    np.testing.assert_allclose(mirrored[0, 1, 1:, 0], [2, 4, 6], rtol=1e-6)  # centred on columns 2, 4, 6


@pytest.mark.parametrize("options", [{}, {"strides": 2}, {"dilation": 4}, {"kernel_size": 5}])
@pytest.mark.parametrize("padding", ["SAME", "SYMMETRIC", "REFLECT"])
def test_output_shape_is_the_one_announced(options, padding):
    layer = MirrorConv2D(4, padding=padding, **options)
    x = tf.random.normal([2, 10, 13, 3])
    assert tuple(layer(x).shape) == tuple(layer.compute_output_shape(x.shape))


def test_dilated_convolution_has_a_gradient_on_the_cpu():
    layer = MirrorConv2D(4, dilation=2)
    x = tf.random.normal([1, 8, 8, 3])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(layer(x))
    assert np.isfinite(tape.gradient(y, x)).all()


def test_elu_and_weights():
    layer = MirrorConv2D(2, 3)
    y = layer(tf.random.normal([1, 8, 8, 3])).numpy()
    assert y.min() > -1 and y.min() < 0
    assert [tuple(w.shape) for w in layer.weights] == [(3, 3, 3, 2), (2,)]


@pytest.mark.parametrize("padding", ["SAME", "SYMMETRIC", "REFLECT", "CONSTANT"])
def test_upsampling_doubles_then_convolves_with_gradients(padding):
    layer, plain = (cls(3, activation=None, padding=padding) for cls in (UpsampleConv2D, MirrorConv2D))
    x = tf.random.normal([1, 4, 5, 2])
    assert tuple(layer.compute_output_shape(x.shape)) == tuple(layer(x).shape)
    plain.build([None, None, None, 2])
    plain.set_weights([*layer.get_weights()[:1], np.float32([1, 2, 3])])
    layer.set_weights(plain.get_weights())
    results = []
    for convolve in (layer, lambda x: plain(tf.repeat(tf.repeat(x, 2, 1), 2, 2))):
        kernel = (layer if convolve is layer else plain).kernel
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = convolve(x)
            objective = tf.reduce_sum(y * tf.random.stateless_normal(y.shape, [0, 1]))
        results.append([y, *tape.gradient(objective, [x, kernel])])
    for ours, expected in zip(*results):
        np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())


def test_upsampling_has_one_kernel_size():
    with pytest.raises(ValueError, match="`kernel_size`.*Received: \\(5, 1, 1, None\\)"):
        UpsampleConv2D(3, 5)


@pytest.mark.parametrize("strides, border", [(1, None), (2, None), (2, 1), (1, 1), (1, 0)])
def test_zeros_on_every_side(strides, border):
    layer = _box_filter(MirrorConv2D(1, 5, strides, activation=None, padding="CONSTANT", border=border))
    y = layer(tf.ones([1, 12, 12, 1]))
    assert tuple(y.shape) == tuple(layer.compute_output_shape((1, 12, 12, 1)))
    pad = 2 if border is None else border
    assert y[0, 0, 0, 0] == (5 - pad) ** 2


def test_without_a_bias():
    layer = MirrorConv2D(2, use_bias=False, kernel_initializer="ones", activation=None)
    assert layer(tf.ones([1, 4, 4, 1]))[0, 0, 0, 0] == 9 and len(layer.weights) == 1


@pytest.mark.parametrize(
    "arguments, word",
    [
        ({"padding": "SAME", "border": 1}, "border"),
        ({"padding": "mirror"}, "padding"),
        ({"kernel_size": 4}, "kernel_size"),
        ({"strides": 2, "dilation": 2}, "strides"),
        ({"strides": 3}, "strides"),
        ({"dilation": 0}, "strides"),
    ],
)
def test_bad_arguments_are_named(arguments, word):
    with pytest.raises(ValueError, match=f"`{word}`.*Received"):
        MirrorConv2D(4, **arguments)


def test_a_gate_opens_and_closes():
    layer = GatedConv2D(4, 1, activation=None)
    layer.build([None, None, None, 1])
    # Both features are the input; the first gate is far open, the second far closed.
    layer.set_weights([np.array([1, 1, 0, 0], "f").reshape(1, 1, 1, 4), np.array([0, 0, 50, -50], "f")])
    x = tf.random.normal([1, 3, 3, 1])
    np.testing.assert_allclose(layer(x), np.concatenate([x, 0 * x], axis=-1), atol=1e-6)


def test_the_activation_is_the_feature_s_alone():
    layer = GatedConv2D(2, 1, activation="relu")
    layer.build([None, None, None, 1])
    layer.set_weights([np.array([1, 0], "f").reshape(1, 1, 1, 2), np.array([0, -1], "f")])
    x = tf.constant([-2.0, 3.0], shape=[1, 1, 2, 1])
    np.testing.assert_allclose(layer(x)[0, 0, :, 0], [0, 3 / (1 + np.e)], rtol=1e-6)


@pytest.mark.parametrize("cls", [GatedConv2D, GatedUpsampleConv2D])
def test_gated_layers_hand_on_half_of_their_filters(cls):
    layer = cls(6)
    x = tf.random.normal([2, 10, 12, 3])
    assert tuple(layer(x).shape) == tuple(layer.compute_output_shape(x.shape))
    assert layer(x).shape[-1] == 3 and tuple(layer.kernel.shape) == (3, 3, 3, 6)


def test_gated_upsampling_doubles_then_convolves():
    layer = GatedUpsampleConv2D(4)
    x = tf.random.normal([1, 4, 5, 2])
    y = layer(x)
    plain = GatedConv2D(4)
    plain.build([None, None, None, 2])
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(y, plain(np.repeat(np.repeat(x, 2, 1), 2, 2)), atol=1e-6)


def test_an_odd_number_of_filters_cannot_be_gated():
    with pytest.raises(ValueError, match="`filters` must be even.*Received: 3"):
        GatedConv2D(3)


@pytest.mark.parametrize("padding", ["SAME", "SYMMETRIC", "CONSTANT"])
@pytest.mark.parametrize(
    "make",
    [
        lambda padding: MirrorConv2D(2, 5, padding=padding),
        lambda padding: MirrorConv2D(2, 3, strides=2, padding=padding),
        lambda padding: MirrorConv2D(2, 5, strides=2, padding=padding),
        lambda padding: MirrorConv2D(2, 3, dilation=3, padding=padding),
        lambda padding: UpsampleConv2D(2, padding=padding),
        lambda padding: GatedUpsampleConv2D(4, padding=padding),
    ],
)
def test_a_part_of_the_output_reads_a_part_of_the_input(make, padding):
    layer, size = make(padding), tf.constant([14, 18])
    inputs = tf.random.stateless_normal([1, 14, 18, 2], [0, 1])
    outputs = layer(inputs)
    for first, end in (([0, 1], [1, 3]), ([3, 2], [4, 4]), ([5, 7], [7, 9])):
        part = Box(tf.constant(first), tf.constant(end))
        read = layer.reads(part).within(size)
        inside = paste(tf.ones_like(crop(inputs, read)), read, size) > 0
        spoilt = layer(tf.where(inside, inputs, np.nan))
        np.testing.assert_array_equal(crop(spoilt, part), crop(outputs, part))
