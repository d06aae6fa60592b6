import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.layers import MirrorConv2D, PartialConv2D, PartialUpsampleConv2D, UpsampleConv2D


def literal_partial(features, mask, kernel, bias):
    """One image's convolution window by window; features [H, W, C], mask [H, W, 1], kernel [k, k, C, F], bias [F]."""
    k, (height, width) = len(kernel), mask.shape[:2]
    margins = [(k // 2, k // 2), (k // 2, k // 2), (0, 0)]
    features, known = np.pad(features * (1 - mask), margins), np.pad(1 - mask, margins)  # outside is a hole
    outputs, new_mask = np.zeros((height, width, len(bias))), np.ones((height, width, 1))
    for y, x in np.ndindex(height, width):
        seen = known[y : y + k, x : x + k].sum()
        if seen:
            outputs[y, x] = np.tensordot(features[y : y + k, x : x + k], kernel, 3) * k * k / seen + bias
            new_mask[y, x] = 0
    return outputs, new_mask


@pytest.mark.parametrize("side", [3, 5])
def test_equals_the_literal_form(side):
    rng, mask = np.random.default_rng(0), np.zeros((9, 11, 1))
    mask[2:8, 1:9] = 1  # the windows in its middle know nothing
    features, kernel, bias = (rng.normal(size=size) for size in ((9, 11, 2), (side, side, 2, 4), 4))
    layer = PartialConv2D(4, side)
    layer.build(((1, None, None, 2), None))
    layer.set_weights([kernel, bias])
    ours = layer(tuple(tf.constant(array[np.newaxis], tf.float32) for array in (features, mask)))
    for found, expected in zip(ours, literal_partial(features, mask, kernel, bias)):
        np.testing.assert_allclose(found[0], expected, atol=1e-5)
    assert ours[1].numpy().any()


def _mean_of_window(**options):
    layer = PartialConv2D(1, 3, **options)
    layer.build(((1, None, None, 1), None))
    layer.set_weights([np.full([3, 3, 1, 1], 1 / 9), np.full([1], 10.0)])
    return layer


def test_by_hand():
    """A mean over known pixels only; a window without any gives 0, bias or not."""
    x = np.arange(25, dtype=np.float32).reshape(1, 5, 5, 1)
    mask = np.zeros([1, 5, 5, 1], np.float32)
    mask[:, :, 2:] = 1
    y, new_mask = _mean_of_window()((tf.constant(x), tf.constant(mask)))
    np.testing.assert_allclose(y[0, 2, 2, 0], x[0, 1:4, 1, 0].mean() + 10, rtol=1e-6)
    assert y[0, 2, 4, 0] == 0 and new_mask[0, 2, 4, 0] == 1 and new_mask[0, 2, 2, 0] == 0
    np.testing.assert_allclose(y[0, 0, 0, 0], x[0, :2, :2, 0].mean() + 10, rtol=1e-6)  # outside is a hole


def test_what_lies_in_the_hole_does_not_matter():
    x, mask = np.random.default_rng(0).normal(size=(1, 6, 6, 1)).astype("f"), np.zeros([1, 6, 6, 1], "f")
    mask[:, 2:4, 2:4] = 1
    layer = _mean_of_window()
    one, other = (layer((tf.constant(values), tf.constant(mask)))[0] for values in (x, x + 100 * mask))
    np.testing.assert_array_equal(one, other)


def test_a_mask_of_other_channels_is_named():
    with pytest.raises(ValueError, match="`mask` must have 3 channels. Received: 1"):
        PartialConv2D(4, multi_channel=True)((tf.zeros([1, 8, 8, 3]), tf.zeros([1, 8, 8, 1])))


def test_masks_of_few_channels_are_those_of_all():
    """Where two maps are joined, a position is worth the number of channels known there."""
    x = tf.random.stateless_normal([1, 6, 6, 5], [1, 2])
    holes = np.zeros([1, 6, 6, 2], np.float32)
    holes[:, :4, :, 0] = holes[:, :, :4, 1] = 1
    few = PartialConv2D(4, mask_channels=(2, 3), kernel_initializer="ones")
    all_channels = PartialConv2D(4, multi_channel=True, kernel_initializer="ones")
    outputs, mask = few((x, tf.constant(holes)))
    expected, expected_mask = all_channels((x, tf.repeat(tf.constant(holes), (2, 3), axis=-1)))
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    assert mask.shape == (1, 6, 6, 1)
    np.testing.assert_array_equal(tf.repeat(mask, 4, axis=-1), expected_mask)
    assert np.any(outputs != 0) and 0 < np.mean(mask) < 1
    with pytest.raises(ValueError, match="`mask_channels` must add up to the input's 5"):
        PartialConv2D(4, mask_channels=(2, 2))((x, tf.constant(holes)))


def test_without_the_window_s_factor_a_result_is_smaller_by_it():
    x, mask = tf.random.stateless_normal([1, 6, 6, 2], [1, 2]), tf.zeros([1, 6, 6, 1])
    with_it, without = (
        PartialConv2D(3, mask_channels=(2,), window_factor=factor, kernel_initializer="ones")((x, mask))[0]
        for factor in (True, False)
    )
    np.testing.assert_allclose(with_it, 18 * without, rtol=1e-5)


def _pair(plain, partial, channels=3):
    """Layers of the same random weights."""
    for layer in (plain, partial):
        shape = (None, None, None, channels)
        layer.build((shape, None) if layer is partial else shape)
    kernel, bias = (tf.random.stateless_normal(weight.shape, [1, 2]).numpy() for weight in plain.weights)
    for layer in (plain, partial):
        layer.set_weights([kernel, bias])
    return plain, partial


@pytest.mark.parametrize(
    "options",
    [{}, {"kernel_size": 5}, {"strides": 2}, {"dilation": 4}, {"padding": "REFLECT"}, {"activation": "relu"}],
    ids=str,
)
def test_where_all_is_known_it_is_the_plain_convolution(options):
    """With mirrored borders everywhere; with zeros away from them."""
    options = {"activation": "elu", "padding": "SYMMETRIC", **options}
    image, mask = tf.random.stateless_normal([2, 16, 12, 3], [3, 4]), tf.zeros([2, 16, 12, 1])
    plain, partial = _pair(MirrorConv2D(4, **options), PartialConv2D(4, **options))
    outputs, hole = partial((image, mask))
    np.testing.assert_allclose(outputs, plain(image), rtol=1e-6, atol=1e-6)
    assert not np.any(hole)
    options["padding"] = "SAME"
    plain, partial = _pair(MirrorConv2D(4, **options), PartialConv2D(4, **options))
    inner = (slice(None), slice(4, -4), slice(4, -4)) if "strides" not in options else (slice(None), slice(1, -1), 2)
    np.testing.assert_allclose(partial((image, mask))[0][inner], plain(image)[inner], rtol=1e-5, atol=1e-5)


def test_borders_mirror_holes_too():
    x, mask = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1), np.zeros([1, 4, 4, 1], np.float32)
    mask[:, 0, 0] = 1
    y, _ = _mean_of_window(padding="SYMMETRIC")((tf.constant(x), tf.constant(mask)))
    known = [1, 1, 4, 4, 5]  # four of the corner's nine pixels mirror the hole
    np.testing.assert_allclose(y[0, 0, 0, 0], np.mean(known) + 10, rtol=1e-6)


def test_upsampling_doubles_pictures_and_holes():
    plain, partial = _pair(UpsampleConv2D(2), PartialUpsampleConv2D(2, activation="elu", padding="SYMMETRIC"))
    image, mask = tf.random.stateless_normal([2, 6, 6, 3], [3, 4]), np.zeros([2, 6, 6, 1], np.float32)
    mask[1, :, 2:] = 1
    outputs, hole = partial((image, tf.constant(mask)))
    np.testing.assert_allclose(outputs[0], plain(image)[0], rtol=1e-5, atol=1e-5)
    assert outputs.shape == (2, 12, 12, 2) and not np.any(hole[0])
    np.testing.assert_array_equal(hole[1, :, :, 0], np.broadcast_to(np.arange(12) > 4, [12, 12]))
    shapes = partial.compute_output_shape(((2, 6, 6, 3), (2, 6, 6, 1)))
    assert [tuple(shape) for shape in shapes] == [outputs.shape, hole.shape]


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_what_is_known_is_counted_in_32_bits(dtype):
    layer = PartialConv2D(3, 17)  # whose windows hold more pixels than bfloat16 counts
    image, mask = tf.random.stateless_normal([1, 40, 40, 2], [3, 4]), np.zeros([1, 40, 40, 1], np.float32)
    mask[:, 4:36, 4:36] = 1
    image, mask = tf.cast(image, dtype), tf.constant(mask)
    expected, hole = layer((tf.cast(image, tf.float32), mask))
    outputs, same_hole = layer((image, tf.cast(mask, dtype)))
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(hole, same_hole)
    assert np.any(hole)
