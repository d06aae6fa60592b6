"""Sums along diagonals against their definitions, position by position."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops.patches import paste_patches, patch_similarity, propagate

RNG = np.random.default_rng(0)
SIZES = [(1, 5, 7, 5, 7), (3, 4, 6, 3, 8), (2, 9, 4, 1, 3), (2, 1, 5, 1, 5), (1, 6, 1, 6, 1), (1, 1, 1, 1, 1)]


def _normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def _similarity(queries, keys):
    (h, w), (kh, kw) = queries.shape[1:3], keys.shape[1:3]
    queries, keys = (np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)]) for x in (queries, keys))
    windows = itertools.product(range(3), range(3))
    return sum(
        np.einsum("bhwc,bklc->bhwkl", queries[:, i : i + h, j : j + w], keys[:, i : i + kh, j : j + kw])
        for i, j in windows
    )


def _line_by_line(scores):
    b, h, w, kh, kw = scores.shape
    flat = np.pad(scores.reshape(b, h * w, kh * kw), [(0, 0), (1, 1), (1, 1)])
    return (flat[:, :-2, :-2] + flat[:, 1:-1, 1:-1] + flat[:, 2:, 2:]).reshape(scores.shape)


def _column_by_column(scores):
    turned = (0, 2, 1, 4, 3)
    return _line_by_line(scores.transpose(turned)).transpose(turned)


def _propagated(scores):
    return _column_by_column(_line_by_line(scores))


def _pasted(weights, background, rate):
    b, h, w, kh, kw = weights.shape
    depth, first = background.shape[-1], rate // 2
    background = np.pad(background, [(0, 0), (first, rate - first), (first, rate - first), (0, 0)])
    canvas = np.zeros([b, (h + 1) * rate, (w + 1) * rate, depth])
    for i, j, k, m in np.ndindex(h, w, kh, kw):
        patch = background[:, k * rate : (k + 2) * rate, m * rate : (m + 2) * rate]
        weight = weights[:, i, j, k, m, None, None, None]
        canvas[:, i * rate : (i + 2) * rate, j * rate : (j + 2) * rate] += weight * patch
    return canvas[:, first : first + h * rate, first : first + w * rate]


def _close(ours, expected):
    np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("b, h, w, kh, kw", SIZES)
def test_similarity(b, h, w, kh, kw):
    queries, keys = _normal(b, h, w, 4), _normal(b, kh, kw, 4)
    _close(patch_similarity(queries, keys), _similarity(queries, keys))
    _close(patch_similarity(queries, keys, ksize=1), np.einsum("bhwc,bklc->bhwkl", queries, keys))


@pytest.mark.parametrize("b, h, w, kh, kw", SIZES)
def test_propagation(b, h, w, kh, kw):
    scores = _normal(b, h, w, kh, kw)
    _close(propagate(scores), _propagated(scores))


@pytest.mark.parametrize("rate", [1, 2, 3])
@pytest.mark.parametrize("b, h, w, kh, kw", SIZES)
def test_pasting(b, h, w, kh, kw, rate):
    weights, background = _normal(b, h, w, kh, kw), _normal(b, kh * rate, kw * rate, 3)
    _close(paste_patches(weights, background, rate), _pasted(weights, background, rate))


@pytest.mark.parametrize("b", [1, 3])
def test_one_graph_for_all_sizes_with_gradients(b):
    """Gradients of sums of squares give the sum back twice; that of a propagation goes the way backwards."""
    five, four = tf.TensorSpec([None] * 5), tf.TensorSpec([None, None, None, 3])

    @tf.function(input_signature=[four, four, five, five], autograph=False)
    def gradients(queries, background, scores, cotangent):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([queries, scores])
            similar = tf.reduce_sum(patch_similarity(queries, queries[:, ::-1]) * cotangent)
            spread = tf.reduce_sum(propagate(scores) * cotangent)
            pasted = tf.reduce_sum(paste_patches(scores, background, 2) ** 2)
        return [(similar, tape.gradient(similar, queries)), *((x, tape.gradient(x, scores)) for x in (spread, pasted))]

    for h, w in ((3, 5), (4, 2)):
        queries, background = _normal(b, h, w, 3), _normal(b, 2 * h, 2 * w, 3)
        scores, cotangent = _normal(b, h, w, h, w), _normal(b, h, w, h, w)
        (similar, by_queries), (spread, by_scores), (pasted, by_weights) = gradients(
            queries, background, scores, cotangent
        )
        _close(similar, np.sum(_similarity(queries, queries[:, ::-1]) * cotangent))
        _close(np.sum(by_queries * queries), 2 * similar)
        _close(by_scores, _line_by_line(_column_by_column(cotangent)))
        _close(pasted, np.sum(_pasted(scores, background, 2) ** 2))
        _close(np.sum(by_weights * scores), 2 * pasted)
