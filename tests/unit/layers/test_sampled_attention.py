"""The layers that take contextual attention's place and sample the background: what they have in common, then apart."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.layers import AppearanceFlow, ContextualAttention, SpatialTransformer
from tf_inpaint.models.weights import named_weights, parameter_count

LAYERS = [SpatialTransformer, AppearanceFlow]


def _inputs(batch=2, height=16, width=24, channels=4):
    features = tf.random.stateless_normal([batch, height, width, channels], [1, 2])
    mask = np.zeros([batch, height, width, 1], np.float32)
    mask[0, 4:8, 6:12] = 1
    return features, features, tf.constant(mask)


def _built(layer, channels=4, scale=0.0):
    """The layer, its last weights drawn at random of this scale instead of 0."""
    layer(_inputs(channels=channels))
    last = layer.affine if isinstance(layer, SpatialTransformer) else layer.flow
    for number, weight in enumerate(last.weights):
        weight.assign(scale * tf.random.stateless_normal(weight.shape, [3, number]))
    return layer


@pytest.mark.parametrize("layer", LAYERS)
def test_at_first_the_background_is_handed_on(layer):
    foreground, background, mask = _inputs()
    output, offsets = layer()((foreground, background + 1, mask))
    np.testing.assert_array_equal(output, background + 1)
    assert offsets.shape == (2, 16, 24, 2) and not np.any(offsets)


@pytest.mark.parametrize("layer", LAYERS)
def test_first_gradients_reach_what_predicts(layer):
    layer, inputs = _built(layer()), _inputs()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(inputs)[0] ** 2)
    gradients = dict(zip(named_weights(layer), tape.gradient(loss, list(named_weights(layer).values()))))
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
    last = "affine.kernel" if isinstance(layer, SpatialTransformer) else "flow.kernel"
    assert np.abs(gradients[last]).max() > 0


@pytest.mark.parametrize("layer", LAYERS)
def test_each_picture_goes_by_its_own_mask(layer):
    layer, (foreground, background, mask) = _built(layer(), scale=0.3), _inputs()
    output, offsets = layer((foreground, background, mask))
    assert np.abs(offsets).max() > 0.1
    for i in range(2):
        one = slice(i, i + 1)
        alone, own = layer((foreground[one], background[one], mask[one]))
        np.testing.assert_allclose(output[one], alone, atol=1e-5)
        np.testing.assert_allclose(offsets[one], own, atol=1e-5)
    other = layer((foreground, background, tf.concat([mask[:1] * 0, mask[1:]], axis=0)))[1]
    assert np.abs(other - offsets)[0].max() > 1e-4 and np.abs(other - offsets)[1].max() < 1e-5


@pytest.mark.parametrize("layer", LAYERS)
def test_one_mask_for_all_and_of_another_size(layer):
    foreground, background, mask = _inputs()
    layer = _built(layer(), scale=0.3)
    small = mask[:1, ::4, ::4]
    enlarged = tf.tile(tf.repeat(tf.repeat(small, 2, axis=1), 2, axis=2), [2, 1, 1, 1])  # 8 x 12
    one = layer((foreground, background, small))[1]
    assert one.shape == (2, 16, 24, 2)
    assert layer((foreground, background, enlarged))[1].shape == one.shape


@pytest.mark.parametrize("layer", LAYERS)
def test_one_graph_for_all_sizes(layer):
    layer = _built(layer(), scale=0.3)
    features, mask = tf.TensorSpec([None, None, None, 4]), tf.TensorSpec([None, None, None, 1])
    graph = tf.function(lambda f, m: layer((f, f, m)), input_signature=[features, mask], autograph=False)
    for size in ((16, 24), (8, 8)):
        foreground, _, holes = _inputs(1, *size)
        np.testing.assert_allclose(graph(foreground, holes)[0], layer((foreground, foreground, holes))[0], atol=1e-5)


def test_the_affine_map_moves_and_scales():
    layer, (foreground, background, mask) = _built(SpatialTransformer()), _inputs()
    # Two rows down and one column to the left, in halves of the distance between outermost pixels.
    layer.affine.bias.assign([0, 0, 0, 0, 2 / 7.5, -1 / 11.5])
    output, offsets = layer((foreground, background, mask))
    np.testing.assert_allclose(offsets, np.broadcast_to([2.0, -1.0], offsets.shape), atol=1e-5)
    np.testing.assert_allclose(output[:, :-2, 1:], background[:, 2:, :-1], atol=1e-4)
    assert not np.any(output[:, -1]) and np.abs(output[:, :, 0]).max() < 1e-4  # from outside
    layer.affine.bias.assign([-1, 0, 0, -1, 0, 0])  # every place looks at the middle
    output, _ = layer((foreground, background, mask))
    middle = tf.reduce_mean(background[:, 7:9, 11:13], axis=[1, 2], keepdims=True)
    np.testing.assert_allclose(output, np.broadcast_to(middle, output.shape), atol=1e-5)


def test_the_flow_tells_row_and_column():
    layer, (foreground, background, mask) = _built(AppearanceFlow()), _inputs()
    layer.flow.bias.assign([3.0, -2.0])
    output, _ = layer((foreground, background, mask))
    np.testing.assert_allclose(output[:, :-3, 2:], background[:, 3:, :-2], atol=1e-6)


@pytest.mark.parametrize(
    "layer, count",
    [
        (SpatialTransformer, 5 * 18 + 2 + 2 * 18 + 2 + 2 * 6 + 6),
        (AppearanceFlow, 5 * 18 + 2 + 3 * (2 * 18 + 2) + 2 * 18 + 2),
    ],
)
def test_parameters(layer, count):
    assert parameter_count(_built(layer())) == count


@pytest.mark.parametrize("layer", LAYERS)
def test_the_interface_of_contextual_attention(layer):
    output, offsets = layer(padding="SAME")(_inputs())
    expected, matched = ContextualAttention(rate=2)(_inputs())
    assert output.shape == expected.shape and offsets.shape.rank == matched.shape.rank


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_of_64_bits_samples_in_them(layer):
    inputs = [tf.cast(each, tf.float64) for each in _inputs()]
    output, offsets = layer(dtype="float64")(tuple(inputs))
    np.testing.assert_array_equal(output, inputs[1])
    assert (output.dtype, offsets.dtype) == (tf.float64, tf.float32)
