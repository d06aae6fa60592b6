"""Attention without propagation, as PEN-Net's, of one image in chunks. For inference.

With few channels, passes over the matrix of all queries by all keys take longer than the products. So products do what
they can: one matches three pixels side by side, one pastes two blocks side by side. What remains are sums over rows of
keys, of slices that begin a row further; where rows have a multiple of 16 keys, these are views (see `patches`).

Keys lie row by row, after a row that is none: sums that leave the image above reach it, and those that leave it below
reach that of the next query. A chunk is so many columns of queries. It walks down row by row, in tiles of its queries
by all keys, which stay in a processor's cache.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.ops.patches import from_blocks, to_blocks


def transfer_in_chunks(queries, keys, norms, valid, background, columns, matching):
    """What `attention.attend` computes without propagation, of one image and without gradients.

    Arguments and results are those of `chunked_attention.attend_in_chunks`.
    """
    chunks = _Chunks(queries, keys, norms, valid, background, columns, matching)
    h, w, depth = chunks.h, chunks.w, chunks.blocks.shape[-1]
    lefts = tf.range(-(-w // columns)) * columns
    pasted, best = tf.map_fn(
        chunks.attend,
        lefts,
        fn_output_signature=(
            tf.TensorSpec([None, None, depth], tf.float32),
            tf.TensorSpec([None, None], tf.int32),
        ),
        parallel_iterations=1,
    )  # [chunks, h + 1, columns, 2 blocks], [chunks, h, columns]

    def side_by_side(pieces, rows):
        across = [-1, *pieces.shape[3:]]
        order = [1, 0, *range(2, len(pieces.shape))]
        return tf.reshape(tf.transpose(pieces, order), [rows, *across])[:, :w]

    left, right = tf.split(side_by_side(pasted, h + 1), 2, axis=-1)
    blocks = tf.pad(left, [[0, 0], [0, 1], [0, 0]]) + tf.pad(right, [[0, 0], [1, 0], [0, 0]])  # [h + 1, w + 1, block]
    return from_blocks(blocks[tf.newaxis], matching.rate, h, w)[0], side_by_side(best, h)


class _Chunks:
    """The steps of `transfer_in_chunks`.

    Tiles are [queries, stride], of (kh + 1) * kw keys, the first kw of which are none.
    """

    def __init__(self, queries, keys, norms, valid, background, columns, matching):
        self.h, self.w = tf.shape(queries)[0], tf.shape(queries)[1]
        self.kw = tf.shape(keys)[1]
        self.stride = (tf.shape(keys)[0] + 1) * self.kw
        self.columns, self.matching = columns, matching

        def laid_out(values):  # [kh, kw, ...] -> [stride, ...]
            padded = tf.pad(values, [[1, 0], *[[0, 0]] * (len(values.shape) - 1)])
            return tf.reshape(padded, [self.stride, *values.shape[2:]])

        real = laid_out(tf.ones_like(valid))
        self.bias = tf.where(real > 0, 0.0, -float("inf"))
        self.factor = laid_out(matching.scale * valid / norms)
        self.valid, self.floor = laid_out(valid), matching.floor * real
        self.keys = tf.transpose(laid_out(_side_by_side(keys, matching.ksize)))  # [ksize * C, stride]
        blocks = to_blocks(background[tf.newaxis], matching.rate)[0]  # [kh + 1, kw + 1, block]
        blocks = tf.concat([blocks[:, :-1], blocks[:, 1:]], axis=-1)
        self.blocks = tf.reshape(blocks, [self.stride, blocks.shape[-1]])
        # Queries that are none around the image, and more to the right, where the last chunk ends beyond it.
        self.queries = tf.pad(_side_by_side(queries, matching.ksize), [[1, 1], [1, columns + 2], [0, 0]])

    def attend(self, left):
        """Of columns left ... left + columns: pasted [h + 1, columns, 2 blocks] and best keys [h, columns].

        The blocks of row r lie between the queries of rows r - 1 and r, and to the left and right of a query.
        """

        def products(row):
            """Of a row's columns left - 1 ... left + columns + 2 with all keys."""
            queries = tf.slice(self.queries, [row + 1, left, 0], [1, self.columns + 3, -1])
            return tf.matmul(queries[0], self.keys)

        def step(row, above, here, weights_above, pasted, best):
            below = products(row + 1)
            weights = self._weights(above, here, below)
            best = best.write(row, self._best(weights))
            pasted = pasted.write(row, self._paste(weights_above, weights))
            return row + 1, here, below, weights, pasted, best

        none = tf.zeros([self.columns + 1, self.stride])
        pasted, best = tf.TensorArray(tf.float32, self.h + 1), tf.TensorArray(tf.int32, self.h)
        state = (0, products(-1), products(0), none, pasted, best)
        state = tf.while_loop(lambda row, *_: row < self.h, step, state, parallel_iterations=1)
        weights, pasted, best = state[-3:]
        return pasted.write(self.h, self._paste(weights, none)).stack(), best.stack()

    def _weights(self, above, here, below):
        """From three rows' products, of columns left ... left + columns + 1: [columns + 1, stride], 0 for no keys."""
        begin = self.stride - self.kw  # the products of what lies above the second query and its first key
        tiles = (above, here, below)
        if self.matching.ksize == 1:
            tiles, begin = (here,), self.stride
        scores = self._sum(tiles, begin, self.columns + 1) * self.factor + self.bias
        weights = tf.nn.softmax(scores) * self.valid
        return tf.maximum(weights, self.floor) if self.matching.floor else weights

    def _best(self, weights):
        if not self.matching.wants_best:
            return tf.zeros([self.columns], tf.int32)
        # Where no key weighs anything, the first position has it, which is none.
        return tf.maximum(tf.argmax(weights[: self.columns], axis=1, output_type=tf.int32) - self.kw, 0)

    def _paste(self, above, here):
        """What two rows of queries paste between them: [columns, 2 blocks]."""
        return tf.matmul(self._sum((above, here), 0, self.columns), self.blocks)

    def _sum(self, tiles, begin, queries):
        """Of tiles, each from a row of keys further on than the one before it: [queries, stride]."""
        slices = [
            tf.slice(tf.reshape(tile, [-1]), [begin + step * self.kw], [queries * self.stride])
            for step, tile in enumerate(tiles)
        ]
        return tf.reshape(tf.add_n(slices), [queries, self.stride])


def _side_by_side(features, ksize):
    """Each pixel between its neighbours in the same row, zero beside the image: [h, w, C] -> [h, w, ksize * C]."""
    if ksize == 1:
        return features
    w = tf.shape(features)[1]
    padded = tf.pad(features, [[0, 0], [1, 1], [0, 0]])
    return tf.concat([padded[:, step : step + w] for step in range(ksize)], axis=-1)
