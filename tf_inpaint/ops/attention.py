"""Attention by patches, all at once or in chunks, whichever fits: the same numbers either way."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.ops.boxes import Box, crop, paste
from tf_inpaint.ops.chunked_attention import attend_in_chunks, chunk_columns, chunk_memory
from tf_inpaint.ops.chunked_transfer import transfer_in_chunks
from tf_inpaint.ops.patches import Matching, paste_patches, patch_similarity, propagate

MATRICES = 5  # of all queries by all keys, alive at a time; measured
AT_ONCE = 384 << 20  # bytes up to which chunks, where they are allowed, are not worth their trouble
WITHOUT_PROPAGATION = 160 << 20  # the same without it: of larger matrices, memory comes from the system each time
SMALL_TILES = 128 << 20  # bytes up to which tiles stay in a processor's cache: a step touches a few of them
NARROW = 64  # columns, below which a chunk's margins count
MARGIN = 2  # queries around those asked for: one that pastes there too, one whose patch is its neighbour's
PROPAGATED = 2  # more of them: one in each of the two directions, the first of which may begin a line further
CONTINUED = 3  # lines at the other side, where columns and rows are continued: of the last two, and patches there


def attend(queries, keys, norms, valid, background, *, max_memory=None, needed=None, **matching):
    """Match 3 x 3 patches, let matches support each other, paste the background's patches by the softmax of the scores.

    Args:
        queries: float [B, h, w, C].
        keys: float [B, kh, kw, C].
        norms: float [B, kh, kw], what the scores of a key are divided by.
        valid: float [B or 1, kh, kw], 1 = may be pasted. Other keys score 0 and, after the softmax, weigh 0.
        background: float [B, kh * rate, kw * rate, D], whose 2 rate x 2 rate patches are pasted.
        max_memory: bytes. Where doing it at once would take more, or much, each image is attended by itself in chunks,
            which have no gradients and take no less than a chunk of one column; None does all at once.
        needed: `Box` of the queries, one for all images, beyond which results are 0 and nearly nothing is computed;
            None is all.
        matching: see `Matching`.
    Returns:
        (pasted, best): float [B, h * rate, w * rate, D], overlaps added up; int32 [B, h, w], index of the heaviest key.
    """
    matching = Matching(**matching)
    inputs = keys, norms, valid, background
    if needed is None:
        return _attend(queries, *inputs, max_memory, matching)
    size, rate = tf.shape(queries)[1:3], matching.rate
    rows, columns = (_lines_read(needed, size, axis, matching.propagation) for axis in (0, 1))
    queries = tf.gather(tf.gather(queries, rows, axis=1), columns, axis=2)
    pasted, best = _attend(queries, *inputs, max_memory, matching)
    # Of the queries left, those needed begin after the lines kept before them.
    before = [
        tf.reduce_sum(tf.cast(kept < first, tf.int32)) for kept, first in zip((rows, columns), tf.unstack(needed.first))
    ]
    inside = needed.seen_from(Box(needed.first - tf.stack(before), needed.end))
    pasted = paste(crop(pasted, inside.enlarged(rate)), needed.enlarged(rate), size * rate)
    return pasted, paste(crop(best[..., tf.newaxis], inside), needed, size)[..., 0]


def offsets_of(best, width):
    """Position of each query's best key minus its own: key indices int [B, h, w] -> int [B, h, w, 2]."""
    h, w = tf.shape(best)[1], tf.shape(best)[2]
    return tf.stack([best // width - tf.range(h)[:, tf.newaxis], best % width - tf.range(w)], axis=-1)


def attention_memory(queries, keys, max_memory, batch=1):
    """Bytes that `attend` takes within `max_memory`, with grids of queries and keys of (rows, columns) each."""
    (h, w), (kh, kw) = queries, keys
    at_once = 4.0 * MATRICES * batch * h * w * kh * kw
    if at_once <= min(max_memory, AT_ONCE):
        return at_once
    enough = max(SMALL_TILES, chunk_memory(min(NARROW, w), kh, kw))
    return max(min(max_memory, enough), chunk_memory(1, kh, kw))


def _attend(queries, keys, norms, valid, background, max_memory, matching):
    """`attend` of all queries, in whichever form suits."""
    b, h, w, kh, kw = (*(tf.shape(queries)[i] for i in range(3)), tf.shape(keys)[1], tf.shape(keys)[2])

    def at_once():
        return _attend_at_once(queries, keys, norms, valid, background, matching)

    def in_chunks():
        enough = tf.maximum(float(SMALL_TILES), chunk_memory(NARROW, kh, kw))
        columns = chunk_columns(w, kh, kw, tf.minimum(float(max_memory), enough))
        known = tf.broadcast_to(valid, [b, kh, kw])
        one = attend_in_chunks if matching.propagation else transfer_in_chunks
        return tf.map_fn(
            lambda image: one(*image, columns, matching),
            (queries, keys, norms, known, background),
            fn_output_signature=(
                tf.TensorSpec([None, None, background.shape[-1]], tf.float32),
                tf.TensorSpec([None, None], tf.int32),
            ),
            parallel_iterations=1,
        )

    if max_memory is None:
        return at_once()
    most = AT_ONCE if matching.propagation else WITHOUT_PROPAGATION
    fits = min(max_memory, most) / (4.0 * MATRICES)  # entries of the matrix
    sides = queries.shape[:3] + keys.shape[1:3]
    if sides.is_fully_defined():  # of large images, shapes of the other branch would be more than TensorFlow counts
        return at_once() if sides.num_elements() <= fits else in_chunks()
    entries = tf.cast(b, tf.float32) * tf.cast(h * w, tf.float32) * tf.cast(kh * kw, tf.float32)
    return tf.cond(entries <= fits, at_once, in_chunks)


def _attend_at_once(queries, keys, norms, valid, background, matching):
    (b, h, w), (kh, kw) = tf.unstack(tf.shape(queries)[:3]), tf.unstack(tf.shape(keys)[1:3])
    # Propagation comes between scale and mask; without it both are done at once.
    factor = (matching.scale if matching.propagation else matching.scale * valid) / norms
    known = valid[:, tf.newaxis, tf.newaxis]  # [B or 1, 1, 1, kh, kw]
    scores = patch_similarity(queries, keys, matching.ksize) * factor[:, tf.newaxis, tf.newaxis]  # [B, h, w, kh, kw]
    scores = propagate(scores) * known if matching.propagation else scores
    weights = tf.nn.softmax(tf.reshape(scores, [b, h, w, kh * kw]))
    weights = tf.reshape(weights, [b, h, w, kh, kw]) * known
    weights = tf.maximum(weights, matching.floor) if matching.floor else weights
    best = tf.zeros([b, h, w], tf.int32)
    if matching.wants_best:
        best = tf.argmax(tf.reshape(weights, [b, h, w, kh * kw]), axis=-1, output_type=tf.int32)
    return paste_patches(weights, background, matching.rate), best


def _lines_read(needed, size, axis, propagation):
    """Rows or columns of the queries, in ascending order, without which those needed cannot be computed.

    What is left of an image is treated as if it was one. Its seams spoil what is beside them, which is not needed; its
    borders are the image's. The last lines stay if the first ones are needed, and the other way round, since
    propagation runs on over line ends and from the foot of a column to the head of the next.
    """
    index, first, end, length = tf.range(size[axis]), needed.first[axis], needed.end[axis], size[axis]
    margin = MARGIN + (PROPAGATED if propagation else 0)
    kept = (index >= first - margin) & (index < end + margin)
    if propagation:
        kept |= (index < CONTINUED) & (end >= length - PROPAGATED)
        kept |= (index >= length - CONTINUED) & (first <= PROPAGATED)
    return tf.cast(tf.where(kept)[:, 0], tf.int32)
