"""Attention in chunks, and of the queries needed alone, against all at once, whose oracle is the literal form."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops import attention
from tf_inpaint.ops.attention import attend
from tf_inpaint.ops.boxes import Box
from tf_inpaint.ops.chunked_attention import attend_in_chunks, chunk_columns
from tf_inpaint.ops.chunked_transfer import transfer_in_chunks
from tf_inpaint.ops.patches import Matching, patch_norms

SIZES = ((14, 15), (13, 6), (5, 16), (3, 4))


def _inputs(h, w, kh, kw, rate, ksize, batch=1):
    rng = np.random.default_rng(0)
    queries, keys, background = (
        tf.constant(rng.normal(size=(batch, *shape)), tf.float32)
        for shape in ((h, w, 5), (kh, kw, 5), (kh * rate, kw * rate, 3))
    )
    valid = tf.constant(rng.random((batch, kh, kw)) > 0.3, tf.float32)
    return queries, keys, tf.maximum(patch_norms(keys, ksize), 1e-4), valid, background


def _close(ours, expected):
    np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())


def _attentions(h, w, ksize, propagation, max_memory=None):
    """(attention of all, function of the box needed), results of each: float [2, 2 h, 2 w, 3] and int [2, h, w]."""
    inputs = _inputs(h, w, h, w, 2, ksize, batch=2)
    settings = {"rate": 2, "ksize": ksize, "scale": 2.0, "propagation": propagation}
    restricted = tf.function(
        lambda first, end: attend(*inputs, **settings, max_memory=max_memory, needed=Box(first, end)), autograph=False
    )
    return attend(*inputs, **settings), restricted


def _boxes(h, w, count):
    """All, and random boxes, many of them along borders."""
    rng = np.random.default_rng(h)
    yield 0, 0, h, w
    for _ in range(count):
        top, left = (max(0, rng.integers(-2, side)) for side in (h, w))
        bottom, right = (min(side, first + rng.integers(1, 6)) for side, first in ((h, top), (w, left)))
        yield top, left, bottom, right


def _difference(all_pasted, pasted, top, left, bottom, right):
    rows, columns = slice(2 * top, 2 * bottom), slice(2 * left, 2 * right)
    return np.abs(all_pasted[:, rows, columns] - pasted[:, rows, columns]).max()


@pytest.mark.parametrize(
    "ksize, propagation, max_memory", [(3, True, None), (1, True, None), (3, False, None), (3, True, 1), (3, False, 1)]
)
def test_what_is_needed_is_as_of_all_and_the_rest_0(ksize, propagation, max_memory):
    for h, w in SIZES if max_memory is None else SIZES[1:2]:
        (all_pasted, all_best), restricted = _attentions(h, w, ksize, propagation, max_memory)
        for top, left, bottom, right in _boxes(h, w, 30 if max_memory is None else 8):
            pasted, best = (
                value.numpy() for value in restricted(tf.constant([top, left]), tf.constant([bottom, right]))
            )
            where = (slice(None), slice(top, bottom), slice(left, right))
            assert _difference(all_pasted, pasted, top, left, bottom, right) < 1e-5
            np.testing.assert_array_equal(best[where], all_best[where])
            pasted[:, 2 * top : 2 * bottom, 2 * left : 2 * right] = 0
            best[where] = 0
            assert not pasted.any() and not best.any()


@pytest.mark.parametrize("margin", ["MARGIN", "PROPAGATED", "CONTINUED"])
def test_no_margin_is_wider_than_it_must_be(monkeypatch, margin):
    monkeypatch.setattr(attention, margin, getattr(attention, margin) - 1)
    differences = []
    for h, w in SIZES:
        (all_pasted, _), restricted = _attentions(h, w, 3, True)
        for box in _boxes(h, w, 40):
            pasted, _ = restricted(tf.constant(box[:2]), tf.constant(box[2:]))
            differences.append(_difference(all_pasted, pasted, *box))
    assert max(differences) > 1e-3


def test_far_fewer_queries_are_matched(monkeypatch):
    seen, matched = [], attention.patch_similarity
    monkeypatch.setattr(
        attention, "patch_similarity", lambda queries, *more: seen.append(queries.shape) or matched(queries, *more)
    )
    features, ones = tf.random.stateless_normal([1, 40, 50, 4], [0, 1]), tf.ones([1, 40, 50])
    attend(features, features, ones, ones, features, rate=1, needed=Box(tf.constant([20, 20]), tf.constant([23, 25])))
    assert seen == [(1, 11, 13, 4)]


@pytest.mark.parametrize("propagation", [True, False])
@pytest.mark.parametrize(
    "h, w, kh, kw, rate, ksize",
    [(5, 7, 5, 7, 2, 3), (4, 6, 3, 8, 1, 3), (9, 4, 1, 3, 3, 1), (1, 5, 1, 5, 2, 3), (6, 1, 6, 1, 2, 3), (1,) * 6],
)
def test_chunks_of_every_width(h, w, kh, kw, rate, ksize, propagation):
    inputs = _inputs(h, w, kh, kw, rate, ksize)
    settings = {"rate": rate, "ksize": ksize, "scale": 2.0, "propagation": propagation}
    chunked = attend_in_chunks if propagation else transfer_in_chunks
    in_chunks = tf.function(
        lambda columns: chunked(*(x[0] for x in inputs), columns, Matching(**settings)), autograph=False
    )
    pasted, best = attend(*inputs, **settings)
    for columns in range(1, w + 1):
        ours, chunked_best = in_chunks(tf.constant(columns))
        _close(ours, pasted[0])
        np.testing.assert_array_equal(chunked_best, best[0])


def test_weights_may_have_a_floor():
    inputs = _inputs(4, 5, 4, 5, 2, 3)
    settings = {"rate": 2, "propagation": False, "floor": 0.01}
    pasted, _ = attend(*inputs, **settings)
    _close(transfer_in_chunks(*(x[0] for x in inputs), 2, Matching(**settings))[0], pasted[0])
    assert np.abs(pasted - attend(*inputs, **{**settings, "floor": 0.0})[0]).max() > 1e-3


@pytest.mark.parametrize("propagation", [True, False])
def test_what_does_not_fit_is_done_in_chunks_for_each_image_by_its_own_mask(propagation):
    inputs = _inputs(6, 8, 6, 8, 2, 3, batch=3)
    settings = {"rate": 2, "propagation": propagation}
    pasted, best = attend(*inputs, **settings)
    for memory in (1, 1e9):
        ours, chunked_best = tf.function(attend, autograph=False)(*inputs, **settings, max_memory=memory)
        _close(ours, pasted)
        np.testing.assert_array_equal(chunked_best, best)


def test_chunks_are_equal_and_as_wide_as_memory_allows():
    needed = [int(chunk_columns(100, 20, 20, memory)) for memory in (0.0, 6e5, 1e6, 2e6, 1e12)]
    assert needed[0] == 1 and needed[-1] == 100 and needed == sorted(needed)
    assert int(chunk_columns(100, 1, 1, 4 * 16 * 2 * (60 + 12))) == 50, "two chunks of 50, not of 60 and 40"
