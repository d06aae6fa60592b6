"""Patch similarity, propagation and pasting: what contextual attention is made of.

A 3 x 3 patch product is the sum of nine pixel products, and pasting overlapping patches is a sum over the overlaps.
So nothing here builds patches: similarities and pastes are one matrix product each, and sums of that matrix shifted
along its diagonals (query and key moved together), with zero beyond the border. Same numbers as correlating patches,
for a ninth and a quarter of the multiplications.

Score matrices have rank 5: [B, h, w, kh, kw], query at (row h, column w), key at (row k, column l).

A sum along diagonals is a sum of slices. Read as one long vector, with `stride` entries for each query, a matrix has
the pair that is p queries and k keys further just p * stride + k entries further, wherever one starts. What must not
count has to lie there as a zero, so images are laid out in wider rows, the last columns of which are none, with none
before and after: products with none are zero by themselves.
    One column further, (p + 1, k + 1), lies stride + 1 entries further, one row, (p + width, k + key_width),
width * stride + key_width. Both are multiples of 16, as are stride + 1 and the difference of the widths: slices that
begin and end so are views of the vector, not copies, and a sum takes one pass. Only speed depends on it.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

VIEW = 16  # entries: slices of float32 that begin and end at multiples of it need not be copied


class Matching(NamedTuple):
    """How patches are matched and pasted.

    Attributes:
        rate, ksize, scale, propagation: as `ContextualAttention`, whose `softmax_scale` is `scale`.
        floor: the least weight of a key.
        wants_best: whether the heaviest key is of use; if not, its index is 0.
    """

    rate: int
    ksize: int = 3
    scale: float = 10.0
    propagation: bool = True
    floor: float = 0.0
    wants_best: bool = True


def patch_norms(keys, ksize=3):
    """L2 norm of the ksize x ksize zero-padded patch around each position: [B, kh, kw, C] -> [B, kh, kw]."""
    energy = tf.reduce_sum(tf.square(keys), axis=-1, keepdims=True)  # [B, kh, kw, 1]
    total = tf.nn.conv2d(energy, tf.ones([ksize, ksize, 1, 1], keys.dtype), 1, "SAME")
    # The gradient of a root is infinite at 0; such patches are below every floor anyway.
    total = tf.maximum(total, tf.constant(1e-30, keys.dtype))
    return tf.sqrt(total)[..., 0]


def patch_similarity(queries, keys, ksize=3):
    """Products of all ksize x ksize zero-padded patches of `queries` with those of `keys`.

    Args:
        queries: float [B, h, w, C].
        keys: float [B, kh, kw, C].
        ksize: 1 or 3.
    Returns:
        scores: float [B, h, w, kh, kw].
    Raises:
        ValueError: if `ksize` is neither 1 nor 3.
    """
    if ksize not in (1, 3):
        raise ValueError(f"`ksize` must be 1 or 3. Received: {ksize}")
    b, h, w, c = _sides(queries)
    kh, kw = _sides(keys)[1:3]
    if ksize == 1:
        scores = tf.matmul(tf.reshape(queries, [b, h * w, c]), tf.reshape(keys, [b, kh * kw, c]), transpose_b=True)
        return tf.reshape(scores, [b, h, w, kh, kw])
    # The nine products of two patches are sums over three steps to the side, then three down.
    width, key_width = _widths(w, kw)
    stride = _aligned(key_width + 1 + kh * key_width + 1) - 1
    across = [step * (stride + 1) for step in range(3)]
    down = [step * (width * stride + key_width) for step in range(3)]
    rows = _aligned(h * width) + _spare(across, stride) + _spare(down, stride)

    def laid_out(features, width, count):  # [B, h, w, C] -> [B, count, C], in rows of `width`
        corner = width + 1  # positions from a patch's first pixel to its middle
        features = _pad(features, 2, 0, width - _sides(features)[2])
        positions = _sides(features)[1] * width
        return _pad(tf.reshape(features, [b, positions, c]), 1, corner, count - corner - positions)

    scores = tf.matmul(laid_out(queries, width, rows), laid_out(keys, key_width, stride), transpose_b=True)
    # [B, rows, stride]: a query each row, a key each column, none in between and around
    scores = _diagonal_sum(_diagonal_sum(scores, across), down)
    scores = tf.reshape(tf.slice(scores, [0, 0, 0], [b, h * width, kh * key_width]), [b, h, width, kh, key_width])
    return tf.slice(scores, [0] * 5, [b, h, w, kh, kw])


def propagate(scores):
    """Let neighbouring matches support each other, first along rows, then along columns.

    S'[q, k] = S[q - 1, k - 1] + S[q, k] + S[q + 1, k + 1] over positions counted row by row, then the same over
    positions counted column by column. Counting runs on over line ends, as in the release.

    Args:
        scores: float [B, h, w, kh, kw].
    Returns:
        float [B, h, w, kh, kw].
    Reference: Yu et al. 2018, equation 3, in the form of release 1.0.0 (both directions at once, kernel 3).
    """
    b, h, w, kh, kw = _sides(scores)
    queries, keys = h * w, kh * kw

    # Along rows: neighbours lie one query and one key further.
    stride = _aligned(keys + 2) - 1
    steps = [step * (stride + 1) for step in range(3)]
    rows = _aligned(queries) + _spare(steps, stride)
    lines = tf.pad(tf.reshape(scores, [b, queries, keys]), [[0, 0], [1, rows - queries - 1], [1, stride - keys - 1]])
    lines = tf.slice(_diagonal_sum(lines, steps), [0, 0, 0], [b, queries, keys])

    # Along columns: w queries and kw keys further, and from the foot of a column to the head of the next.
    stride = _aligned(keys + 2 * kw + 1) - 1
    steps = [step * (w * stride + kw) for step in range(3)]
    rows = _aligned(queries) + _spare(steps, stride)
    columns = _continued(lines, 2, kw, stride - keys - 2 * kw)
    columns = _continued(columns, 1, w, rows - queries - 2 * w)
    columns = tf.slice(_diagonal_sum(columns, steps), [0, 0, 0], [b, queries, keys])
    return tf.reshape(columns, [b, h, w, kh, kw])


def paste_patches(weights, background, rate):
    """Each query pastes its weighted sum of the background's 2 rate x 2 rate patches; overlaps are added up.

    The patch of key (i, j) covers rows rate * i - rate // 2 ... + 2 rate of `background` (zero outside), and is
    pasted at the same place relative to the query. So patches consist of four blocks of rate x rate pixels, and every
    block belongs to four patches: its weight is the sum of theirs.

    Args:
        weights: float [B, h, w, kh, kw].
        background: float [B, k * rate, l * rate, C].
        rate: stride of the patches, >= 1.
    Returns:
        float [B, h * rate, w * rate, C].
    """
    b, h, w, kh, kw = _sides(weights)
    width, key_width = _widths(w, kw)
    positions, keys = (h + 1) * width, (kh + 1) * key_width  # of blocks
    stride = _aligned(keys + 1) - 1
    row = width * stride + key_width
    steps = [0, stride + 1, row, row + stride + 1]
    rows = _aligned(positions) + _spare(steps, stride)
    weights = tf.pad(weights, [[0, 0], [1, 0], [1, width - w - 1], [1, 0], [1, 0]])  # [B, h + 1, width, kh + 1, kw + 1]
    weights = tf.reshape(weights, [b, positions, keys])
    weights = _diagonal_sum(tf.pad(weights, [[0, 0], [0, rows - positions], [0, stride - keys]]), steps)

    blocks = to_blocks(background, rate)  # [B, kh + 1, kw + 1, rate * rate * C]
    depth = blocks.shape[-1]
    pasted = tf.matmul(weights, _pad(tf.reshape(blocks, [b, keys, depth]), 1, 0, stride - keys))
    pasted = tf.reshape(tf.slice(pasted, [0, 0, 0], [b, positions, depth]), [b, h + 1, width, depth])
    return from_blocks(pasted, rate, h, w)


def to_blocks(image, rate):
    """The blocks that patches consist of: float [B, k * rate, l * rate, C] -> [B, k + 1, l + 1, rate * rate * C].

    The patch of (i, j) has those of rows i and i + 1 and columns j and j + 1.
    """
    first, last = rate // 2, rate - rate // 2
    blocks = tf.pad(image, [[0, 0], [first, last], [first, last], [0, 0]])
    return tf.nn.space_to_depth(blocks, rate) if rate > 1 else blocks


def from_blocks(blocks, rate, h, w):
    """The image, float [B, h * rate, w * rate, C], of blocks as `to_blocks` makes them; columns may follow them."""
    image = tf.nn.depth_to_space(blocks, rate) if rate > 1 else blocks
    first = rate // 2
    return image[:, first : first + h * rate, first : first + w * rate]


def _widths(w, kw):
    """Of rows of queries and keys with a column that is none; narrow queries, of a small hole, make a small matrix."""
    key_width = kw + 1
    return w + 1 + (key_width - w - 1) % VIEW, key_width


def _continued(scores, axis, width, after):
    """Where columns lead beyond the first and last row: from the head of one to the foot of that before, and back.

    `scores`, [B, h * w, kh * kw], with `width` more positions at either end of an axis: nothing and the last row's but
    for its last one, and the first row's but for its first one and nothing. So many zeros come `after` them.
    """
    begin, size = [0, 0, 0], [-1, -1, -1]
    size[axis] = width - 1
    begin[axis] = _sides(scores)[axis] - width
    feet = tf.slice(scores, begin, size)
    begin[axis] = 1
    heads = tf.slice(scores, begin, size)
    return tf.concat([_pad(feet, axis, 1, 0), scores, _pad(heads, axis, 0, 1 + after)], axis)


def _diagonal_sum(matrix, steps):
    """Sums of the entries of a matrix, [B, queries, stride], that lie `steps` further, from 0 in ascending order.

    Of the queries but for the last `_spare(steps, stride)`, whose sums would reach into the next image.
    """
    b, queries, stride = _sides(matrix)
    spare = _spare(steps, stride)
    sums = _sum_of_slices(tf.reshape(matrix, [-1]), steps, (b * queries - spare) * stride)
    if matrix.shape[0] != 1:  # no sums of the last image's spare queries: any number will do
        sums = _pad(sums, 0, 0, spare * stride)
    return tf.reshape(sums, [b, -1, stride])


def _sum_of_slices(vector, steps, size):
    """Sum of the slices of `size` entries that begin at `steps`; so is its gradient, of a vector with zeros around."""

    @tf.custom_gradient
    def total(vector):
        def gradient(upstream):
            length = tf.size(vector, out_type=tf.int64)
            upstream = _pad(upstream, 0, steps[-1], length - size)
            return _sum_of_slices(upstream, [steps[-1] - step for step in reversed(steps)], length)

        return tf.add_n([tf.slice(vector, [step], [size]) for step in steps]), gradient

    return total(vector)


def _spare(steps, stride):
    """Queries that a sum over so many steps takes beyond the last one summed, in a number that keeps slices views."""
    return _aligned((steps[-1] + stride - 1) // stride)


def _aligned(count):
    return (count + VIEW - 1) // VIEW * VIEW  # no quotients of negative numbers, which ONNX rounds otherwise


def _pad(values, axis, before, after):
    paddings = [[0, 0]] * len(values.shape)
    paddings[axis] = [before, after]
    return tf.pad(values, paddings)


def _sides(values):
    return tf.unstack(tf.shape(values, out_type=tf.int64))
