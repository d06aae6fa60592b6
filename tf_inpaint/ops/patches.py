"""Patch similarity, propagation and pasting: what contextual attention is made of.

A 3 x 3 patch product is the sum of nine pixel products, and pasting overlapping patches is a sum over the overlaps.
So nothing here builds patches: similarities and pastes are one matrix product each, and sums of that matrix shifted
along its diagonals (query and key moved together), with zero beyond the border. Same numbers as correlating patches,
for a ninth and a quarter of the multiplications.

Score matrices have rank 5: [B, h, w, kh, kw], query at (row h, column w), key at (row k, column l).
"""

from __future__ import annotations

import tensorflow as tf


def _shifted(scores, axis, step):
    """scores[q + step, k + step] along one pair of axes (axis, axis + 2), 0 outside; step is -1 or 1."""
    queries, keys = tf.shape(scores)[axis], tf.shape(scores)[axis + 2]
    paddings = [[0, 0]] * 5
    begin = [0] * 5
    size = [-1] * 5
    for pair, length in ((axis, queries), (axis + 2, keys)):
        paddings[pair] = [0, 1] if step > 0 else [1, 0]
        begin[pair] = 1 if step > 0 else 0
        size[pair] = length
    shifted = tf.slice(tf.pad(scores, paddings), begin, size)
    return tf.ensure_shape(shifted, scores.shape)


def patch_norms(keys, ksize=3):
    """L2 norm of the ksize x ksize zero-padded patch around each position: [B, kh, kw, C] -> [B, kh, kw]."""
    energy = tf.reduce_sum(tf.square(keys), axis=-1, keepdims=True)
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
    b, h, w, c = (tf.shape(queries)[i] for i in range(4))
    kh, kw = tf.shape(keys)[1], tf.shape(keys)[2]
    scores = tf.matmul(tf.reshape(queries, [b, h * w, c]), tf.reshape(keys, [b, kh * kw, c]), transpose_b=True)
    scores = tf.reshape(scores, [b, h, w, kh, kw])
    if ksize == 3:
        for axis in (1, 2):
            scores = scores + _shifted(scores, axis, 1) + _shifted(scores, axis, -1)
    return scores


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

    def along_diagonal(values):
        b, h, w, kh, kw = (tf.shape(values)[i] for i in range(5))
        flat = tf.pad(tf.reshape(values, [b, h * w, kh * kw]), [[0, 0], [1, 1], [1, 1]])
        flat = tf.add_n([tf.slice(flat, [0, begin, begin], [-1, h * w, kh * kw]) for begin in range(3)])
        return tf.reshape(flat, [b, h, w, kh, kw])

    scores = along_diagonal(scores)
    scores = along_diagonal(tf.transpose(scores, [0, 2, 1, 4, 3]))
    return tf.transpose(scores, [0, 2, 1, 4, 3])


def paste_patches(weights, background, rate):
    """Each query pastes its weighted sum of the background's 2 rate x 2 rate patches; overlaps are added up.

    The patch of key (i, j) covers rows rate * i - rate // 2 ... + 2 rate of `background` (zero outside), and is
    pasted at the same place relative to the query.

    Args:
        weights: float [B, h, w, kh, kw].
        background: float [B, k * rate, l * rate, C].
        rate: stride of the patches, >= 1.
    Returns:
        float [B, h * rate, w * rate, C].
    """
    b, h, w, kh, kw = (tf.shape(weights)[i] for i in range(5))
    c = background.shape[-1]

    def from_both(values, axis, neighbour):
        return values + _shifted(values, axis, neighbour)

    bands = []
    for (row_step, _, rows), cells in zip(phases(rate), background_cells(background, rate)):
        by_row = from_both(weights, 1, row_step)
        parts = []
        for (column_step, _, columns), pixels in zip(phases(rate), cells):
            matrix = tf.reshape(from_both(by_row, 2, column_step), [b, h * w, kh * kw])
            parts.append(tf.reshape(tf.matmul(matrix, pixels), [b, h, w, rows, columns, c]))
        bands.append(tf.concat(parts, axis=4))
    pasted = tf.concat(bands, axis=3)  # [B, h, w, rate, rate, C]
    pasted = tf.transpose(pasted, [0, 1, 3, 2, 4, 5])
    return tf.reshape(pasted, [b, h * rate, w * rate, c])


def phases(rate):
    """Which two patches a pixel lies in, along one axis: its own cell's and that of the cell before or after.

    Args:
        rate: pixels in a cell.
    Returns:
        tuples (step, start, count): the other patch is the cell's at `step`, -1 or 1, for `count` pixels from `start`.
    """
    before = rate - rate // 2
    return [each for each in ((-1, 0, before), (1, before, rate - before)) if each[2]]


def background_cells(background, rate):
    """The pixels of each phase, as the matrix that weights are multiplied with.

    Args:
        background: float [B, k * rate, l * rate, C].
        rate: pixels in a cell.
    Returns:
        for each phase of rows a list, for each of columns, of float [B, k * l, rows * columns * C].
    """
    b, height, width = (tf.shape(background)[i] for i in range(3))
    kh, kw, c = height // rate, width // rate, background.shape[-1]
    cells = tf.reshape(background, [b, kh, rate, kw, rate, c])
    cells = tf.transpose(cells, [0, 1, 3, 2, 4, 5])  # [B, kh, kw, rate, rate, C]
    return [
        [
            tf.reshape(cells[:, :, :, top : top + rows, left : left + columns], [b, kh * kw, rows * columns * c])
            for _, left, columns in phases(rate)
        ]
        for _, top, rows in phases(rate)
    ]
