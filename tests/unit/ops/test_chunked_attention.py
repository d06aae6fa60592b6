"""Attention in chunks of every width against all at once, whose own oracle is the literal form (see layers)."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops.attention import attend
from tf_inpaint.ops.chunked_attention import attend_in_chunks, chunk_columns
from tf_inpaint.ops.patches import Matching, patch_norms

RNG = np.random.default_rng(0)


def _normal(*shape):
    return tf.constant(RNG.normal(size=shape), tf.float32)


def _inputs(h, w, kh, kw, rate, ksize, batch=1):
    keys = _normal(batch, kh, kw, 5)
    valid = tf.constant(RNG.random((batch, kh, kw)) > 0.3, tf.float32)
    norms = tf.maximum(patch_norms(keys, ksize), 1e-4)
    return _normal(batch, h, w, 5), keys, norms, valid, _normal(batch, kh * rate, kw * rate, 3)


def _close(ours, expected):
    np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("propagation", [True, False])
@pytest.mark.parametrize(
    "h, w, kh, kw, rate, ksize",
    [(5, 7, 5, 7, 2, 3), (4, 6, 3, 8, 1, 3), (9, 4, 1, 3, 3, 1), (1, 5, 1, 5, 2, 3), (6, 1, 6, 1, 2, 3), (1,) * 6],
)
def test_chunks_of_every_width(h, w, kh, kw, rate, ksize, propagation):
    inputs = _inputs(h, w, kh, kw, rate, ksize)
    settings = {"rate": rate, "ksize": ksize, "scale": 2.0, "propagation": propagation}
    in_chunks = tf.function(lambda columns: attend_in_chunks(*(x[0] for x in inputs), columns, Matching(**settings)))
    pasted, best = attend(*inputs, **settings)
    for columns in range(1, w + 1):
        ours, chunked_best = in_chunks(tf.constant(columns))
        _close(ours, pasted[0])
        np.testing.assert_array_equal(chunked_best, best[0])


def test_weights_may_have_a_floor():
    inputs = _inputs(4, 5, 4, 5, 2, 3)
    settings = {"rate": 2, "propagation": False, "floor": 0.01}
    pasted, _ = attend(*inputs, **settings)
    _close(attend_in_chunks(*(x[0] for x in inputs), 2, Matching(**settings))[0], pasted[0])
    assert np.abs(pasted - attend(*inputs, **{**settings, "floor": 0.0})[0]).max() > 1e-3


def test_what_does_not_fit_is_done_in_chunks_for_each_image_by_its_own_mask():
    inputs = _inputs(6, 8, 6, 8, 2, 3, batch=3)
    pasted, best = attend(*inputs, rate=2)
    for memory in (1, 1e9):
        ours, chunked_best = tf.function(attend)(*inputs, rate=2, max_memory=memory)
        _close(ours, pasted)
        np.testing.assert_array_equal(chunked_best, best)


def test_chunks_are_equal_and_as_wide_as_memory_allows():
    needed = [int(chunk_columns(100, 20, 20, memory)) for memory in (0.0, 6e5, 1e6, 2e6, 1e12)]
    assert needed[0] == 1 and needed[-1] == 100 and needed == sorted(needed)
    assert int(chunk_columns(100, 1, 1, 4 * 16 * 2 * (60 + 12))) == 50, "two chunks of 50, not of 60 and 40"
