import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.layers import AttentionTransfer


def literal_transfer(low, high, mask, ksize, scale=10.0):
    """One image's attention with whole patches; low [2 h, 2 w, C], high [h, w, D], mask [h, w]."""
    positions, margin = list(np.ndindex(mask.shape)), ksize // 2
    around = np.pad(high, [(margin, margin), (margin, margin), (0, 0)])
    patches = np.stack([around[y : y + ksize, x : x + ksize].ravel() for y, x in positions])  # [h w, ksize ksize D]
    touched = np.pad(mask, margin)
    known = np.array([not touched[y : y + ksize, x : x + ksize].any() for y, x in positions])  # [h w]
    scores = scale * (patches @ (patches / np.linalg.norm(patches, axis=1, keepdims=True)).T) * known
    weights = np.exp(scores - scores.max(1, keepdims=True))
    weights = np.maximum(weights / weights.sum(1, keepdims=True) * known, 1e-8)  # [h w, h w]
    source = np.pad(low, [(1, 1), (1, 1), (0, 0)])  # patches of 4 x 4, every two pixels
    pasted, raw = np.zeros_like(source), np.stack([source[2 * y : 2 * y + 4, 2 * x : 2 * x + 4] for y, x in positions])
    for (y, x), weight in zip(positions, weights):
        pasted[2 * y : 2 * y + 4, 2 * x : 2 * x + 4] += np.tensordot(weight, raw, 1) / 4
    return pasted[1:-1, 1:-1]


@pytest.mark.parametrize("ksize", [1, 3])
def test_equals_the_literal_form(ksize):
    rng = np.random.default_rng(0)
    low, high, mask = rng.normal(size=(10, 14, 3)), rng.normal(size=(5, 7, 4)), np.zeros((5, 7))
    mask[1:3, 2:5] = 1
    inputs = (tf.constant(array[np.newaxis], tf.float32) for array in (low, high, mask[..., np.newaxis]))
    filled = AttentionTransfer(ksize=ksize, fuse=False)(tuple(inputs))[0]
    np.testing.assert_allclose(filled, literal_transfer(low, high, mask, ksize), atol=1e-5)


def test_a_hole_is_filled_from_where_the_deeper_map_looks_alike():
    """Two kinds of places, told apart by the deep map; the hole is of the first kind."""
    kind = np.zeros([1, 6, 6, 2], np.float32)
    kind[:, :3, :, 0] = 5
    kind[:, 3:, :, 1] = 5
    low = np.repeat(np.repeat(kind[..., :1] * 0.2, 2, 1), 2, 2)  # 1 above, 0 below
    mask = np.zeros([1, 6, 6, 1], np.float32)
    mask[:, 1, 2:4] = 1
    holed = low * (1 - np.repeat(np.repeat(mask, 2, 1), 2, 2))
    layer = AttentionTransfer(ksize=1, fuse=False)
    filled = layer((tf.constant(holed), tf.constant(kind), tf.constant(mask))).numpy()
    assert filled[0, 2:4, 4:8].min() > 0.5 and np.abs(filled[0, 8, 2:10]).max() < 0.1


def test_offsets_tell_where_a_position_looked():
    """A hole of the kind of one place alone; known places look at themselves."""
    rng = np.random.default_rng(1)
    high = rng.normal(size=(1, 4, 6, 32)).astype(np.float32)
    high[0, 1, 1] = high[0, 3, 4]
    mask = np.zeros([1, 4, 6, 1], np.float32)
    mask[0, 1, 1] = 1
    low = tf.zeros([1, 8, 12, 4])
    filled, offsets = AttentionTransfer(ksize=1, fuse=False)((low, high, mask), with_offsets=True)
    assert filled.shape == low.shape and offsets.dtype == tf.int32
    assert offsets[0, 1, 1].numpy().tolist() == [2, 3]
    assert np.count_nonzero(offsets) == 2


def test_what_lies_in_the_hole_is_never_pasted():
    high, low = tf.random.normal([1, 8, 8, 4]), tf.random.normal([1, 16, 16, 4])
    mask = np.zeros([1, 8, 8, 1], np.float32)
    mask[:, 2:5, 2:5] = 1
    changed = low.numpy()
    changed[:, 6:8, 6:8] += 100.0  # deep inside: no known patch reaches it
    layer = AttentionTransfer(fuse=False)
    one, other = (layer((tf.constant(values), high, tf.constant(mask))) for values in (low, changed))
    np.testing.assert_allclose(one, other, atol=1e-4)  # weights of holes are floored at 1e-8, not 0


def test_a_mask_for_every_picture():
    low, high = tf.random.normal([3, 16, 16, 8]), tf.random.normal([3, 8, 8, 4])
    masks = np.zeros([3, 32, 32, 1], np.float32)
    for i in range(3):
        masks[i, 4 * i : 4 * i + 9, 8:20] = 1
    layer = AttentionTransfer()
    together = layer((low, high, tf.constant(masks)))
    for i in range(3):
        part = slice(i, i + 1)
        np.testing.assert_allclose(together[part], layer((low[part], high[part], tf.constant(masks[part]))), atol=1e-5)
    assert together.shape == low.shape and len(layer.weights) == 8


@pytest.mark.parametrize("ksize", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_in_chunks_it_is_the_same(ksize):
    low, high = tf.random.normal([2, 12, 20, 8]), tf.random.normal([2, 6, 10, 4])
    mask = tf.cast(tf.random.uniform([2, 24, 40, 1]) > 0.9, tf.float32)
    at_once, in_chunks = (
        tf.function(AttentionTransfer(ksize=ksize, fuse=False, max_memory=memory), autograph=False)((low, high, mask))
        for memory in (None, 1)
    )
    np.testing.assert_allclose(in_chunks, at_once, atol=1e-5)


@pytest.mark.parametrize("arguments, word", [({"ksize": 5}, "ksize"), ({"softmax_scale": 0}, "softmax_scale")])
def test_bad_arguments_are_named(arguments, word):
    with pytest.raises(ValueError, match=f"`{word}`.*Received"):
        AttentionTransfer(**arguments)


def test_channels_that_cannot_be_quartered():
    with pytest.raises(ValueError, match="multiple of 4 channels. Received: 6"):
        AttentionTransfer().build(((1, 8, 8, 6), (1, 4, 4, 4), (1, 8, 8, 1)))
