"""The factored attention against the literal form, written from the definition with whole patches."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.layers import ContextualAttention
from tf_inpaint.ops.boxes import Box
from tf_inpaint.ops.images import resize_nearest


def literal_attention(foreground, background, mask, rate=2, scale=10.0, propagation=True, step=1):
    """One image's attention with patches as convolution kernels; foreground, background [1, H, W, C]."""
    resized = [resize_nearest(x, [side // rate for side in x.shape[1:3]]) for x in (foreground, background)]
    resized.append(resize_nearest(mask, resized[1].shape[1:3]))
    f, b, small_mask = (x[:, ::step, ::step] for x in resized)
    rate *= step
    raw = tf.image.extract_patches(background, [1, 2 * rate, 2 * rate, 1], [1, rate, rate, 1], [1, 1, 1, 1], "SAME")
    channels = background.shape[-1]
    raw = tf.transpose(tf.reshape(raw, [-1, 2 * rate, 2 * rate, channels]), [1, 2, 3, 0])
    h, w = (side // rate for side in foreground.shape[1:3])
    k, m = (side // rate for side in background.shape[1:3])

    def patches(x):
        return tf.reshape(
            tf.image.extract_patches(x, [1, 3, 3, 1], [1] * 4, [1] * 4, "SAME"), [k * m, 3, 3, x.shape[-1]]
        )

    keys = patches(b)
    keys = keys / tf.maximum(tf.sqrt(tf.reduce_sum(keys**2, [1, 2, 3], keepdims=True)), 1e-4)
    valid = tf.cast(tf.reduce_max(patches(small_mask), [1, 2, 3]) == 0, tf.float32)
    scores = tf.nn.conv2d(f, tf.transpose(keys, [1, 2, 3, 0]), 1, "SAME")
    if propagation:
        identity = tf.eye(3)[:, :, tf.newaxis, tf.newaxis]
        scores = tf.nn.conv2d(tf.reshape(scores, [1, h * w, k * m, 1]), identity, 1, "SAME")
        scores = tf.transpose(tf.reshape(scores, [h, w, k, m]), [1, 0, 3, 2])
        scores = tf.nn.conv2d(tf.reshape(scores, [1, h * w, k * m, 1]), identity, 1, "SAME")
        scores = tf.transpose(tf.reshape(scores, [w, h, m, k]), [1, 0, 3, 2])
    scores = tf.reshape(scores, [1, h, w, k * m])
    weights = tf.nn.softmax(scale * scores * valid) * valid
    return tf.nn.conv2d_transpose(weights, raw, foreground.shape, rate, "SAME") / 4


def _features(height, width, channels=6, batch=1, seed=0):
    return tf.random.stateless_normal([batch, height, width, channels], [seed, 1])


def _mask(height, width, seed=0):
    mask = np.zeros([1, height, width, 1], np.float32)
    top, left = np.random.default_rng(seed).integers(0, [height // 2, width // 2])
    mask[:, top : top + height // 3, left : left + width // 3] = 1
    return tf.constant(mask)


@pytest.mark.parametrize("propagation", [True, False])
@pytest.mark.parametrize("rate", [1, 2, 3, 4])
def test_equals_the_literal_form_with_gradients(rate, propagation):
    height, width = 5 * rate, 7 * rate
    foreground, background = _features(height, width), _features(height, width, seed=1)
    mask, cotangent = _mask(height, width), _features(height, width, seed=2)
    results = []
    for attention in (
        lambda f, b: ContextualAttention(rate=rate, propagation=propagation)((f, b, mask))[0],
        lambda f, b: literal_attention(f, b, mask, rate, propagation=propagation),
    ):
        with tf.GradientTape() as tape:
            tape.watch([foreground, background])
            output = attention(foreground, background)
            objective = tf.reduce_sum(output * cotangent)
        results.append([output, *tape.gradient(objective, [foreground, background])])
    for ours, literal in zip(*results):
        np.testing.assert_allclose(ours, literal, atol=2e-5 * np.abs(literal).max())


@pytest.mark.parametrize("propagation", [True, False])
@pytest.mark.parametrize("height, width", [pytest.param(10, 14, marks=pytest.mark.slow), (6, 18)])
def test_in_chunks_it_equals_the_literal_form(height, width, propagation):
    foreground, background, mask = _features(height, width), _features(height, width, seed=1), _mask(height, width)
    literal = literal_attention(foreground, background, mask, propagation=propagation)
    layer = ContextualAttention(propagation=propagation, max_memory=1)
    output, offsets = tf.function(layer, autograph=False)((foreground, background, mask))
    np.testing.assert_allclose(output, literal, atol=1e-5 * np.abs(literal).max())
    at_once = ContextualAttention(propagation=propagation)((foreground, background, mask))
    np.testing.assert_array_equal(offsets, at_once[1])


@pytest.mark.parametrize("height, width, max_memory", [(32, 24, None), (20, 12, 1)])
def test_with_a_step_it_is_the_literal_form_of_larger_patches(height, width, max_memory):
    foreground, background = _features(height, width), _features(height, width, seed=5)
    mask = _mask(height, width)
    expected = literal_attention(foreground, background, mask, step=2)
    layer = ContextualAttention(step=2, max_memory=max_memory)
    output, offsets = layer((foreground, background, mask))
    np.testing.assert_allclose(output, expected, atol=1e-5)
    assert offsets.shape == (1, height // 2, width // 2, 2)
    np.testing.assert_array_equal(offsets[:, 1::2, 1::2], offsets[:, ::2, ::2])
    assert not np.any(offsets % 2)
    part, _ = layer((foreground, background, mask, Box(tf.constant([6, 3]), tf.constant([17, 9]))))
    np.testing.assert_allclose(part[:, 6:17, 3:9], expected[:, 6:17, 3:9], atol=1e-5)


def test_with_a_step_sides_need_be_multiples_of_the_rate_alone():
    features, mask = _features(18, 22), _mask(18, 22)
    output, offsets = ContextualAttention(step=2)((features, features, mask))
    assert output.shape == features.shape and offsets.shape == (1, 9, 11, 2)
    assert np.all(np.isfinite(output)) and np.any(output[:, -1] != 0) and np.any(output[:, :, -1] != 0)


def test_with_a_step_nothing_that_reaches_a_hole_is_pasted():
    background = _features(32, 32)
    mask = np.zeros([1, 32, 32, 1], np.float32)
    mask[:, 8:10, 10:12] = 1  # of a single position, which is in a row and column that is not matched
    spoilt = tf.where(mask > 0, 1e6, background)
    query = _features(32, 32, seed=3)
    one, other = (ContextualAttention(step=2)((query, values, mask))[0] for values in (background, spoilt))
    np.testing.assert_array_equal(one, other)


def test_background_of_another_size():
    foreground, background, mask = _features(8, 12), _features(16, 6, seed=1), _mask(16, 6)
    ours = ContextualAttention()((foreground, background, mask))[0]
    # The literal form checks nothing of the foreground against the background but for its channels.
    np.testing.assert_allclose(ours, literal_attention(foreground, background, mask), atol=1e-5)


def test_every_picture_has_its_own_mask():
    features = _features(16, 16, batch=3)
    masks = tf.concat([_mask(16, 16, seed) for seed in (1, 2, 3)], axis=0)
    layer = ContextualAttention()
    together, offsets = layer((features, features, masks))
    for i in range(3):
        one = slice(i, i + 1)
        alone, own_offsets = layer((features[one], features[one], masks[one]))
        np.testing.assert_allclose(together[one], alone, atol=1e-5)
        np.testing.assert_array_equal(offsets[one], own_offsets)


def test_copies_what_matches():
    """A texture of period 4 rows with a hole: the best key of a hole query is a known place of the same phase."""
    rows = np.arange(32) % 8
    features = np.eye(8, dtype=np.float32)[rows][np.newaxis, :, np.newaxis, :] * np.ones([1, 1, 32, 1], np.float32)
    mask = np.zeros([1, 32, 32, 1], np.float32)
    mask[:, 12:20, 12:20] = 1
    _, offsets = ContextualAttention(softmax_scale=50.0)((features, features, mask))
    inside = offsets.numpy()[0, 6:10, 6:10]
    keys = inside + np.stack(np.meshgrid(np.arange(6, 10), np.arange(6, 10), indexing="ij"), -1)
    assert (inside[..., 0] % 4 == 0).all(), "row phase of 8 pixels is 4 cells"
    hole = (keys >= 6) & (keys < 10)
    assert not hole.all(-1).any()


def test_dynamic_sizes_and_known_static_shapes():
    layer = ContextualAttention()
    feature, mask = tf.TensorSpec([None, None, None, 6]), tf.TensorSpec([None, None, None, 1])
    attend = tf.function(lambda f, m: layer((f, f, m)), input_signature=[feature, mask], autograph=False)
    for height, width in ((8, 8), (12, 6)):
        features, hole = _features(height, width), _mask(height, width)
        output, offsets = attend(features, hole)
        assert offsets.shape == [1, height // 2, width // 2, 2]
        np.testing.assert_allclose(output, layer((features, features, hole))[0], atol=1e-6)


def test_a_large_image_of_known_size_can_be_traced():
    layer = ContextualAttention(max_memory=1 << 30)
    features, mask = tf.TensorSpec([1, 512, 512, 2]), tf.TensorSpec([1, 512, 512, 1])
    attend = tf.function(lambda f, m: layer((f, f, m)), input_signature=[features, mask], autograph=False)
    assert attend.get_concrete_function().output_shapes[0] == (1, 512, 512, 2)


@pytest.mark.parametrize(
    "arguments, word",
    [({"ksize": 5}, "ksize"), ({"rate": 0}, "rate"), ({"softmax_scale": 0}, "softmax_scale"), ({"step": 0}, "step")],
)
def test_bad_arguments_are_named(arguments, word):
    with pytest.raises(ValueError, match=f"`{word}`.*Received"):
        ContextualAttention(**arguments)


def test_sides_must_be_multiples_of_the_rate():
    features = _features(9, 8)
    with pytest.raises(ValueError, match="multiples of `rate` 2.*Received"):
        ContextualAttention().call((features, features, _mask(9, 8)))
