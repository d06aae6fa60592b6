"""Attention with propagation, of one image in chunks, without a matrix of all queries by all keys. For inference.

Positions are counted row by row: queries p in rows of w, keys k in rows of kw. Every sum in attention then goes along a
diagonal of the matrix [p, k]; what differs is how far the neighbours are and what lies beyond the border:

    similarity    (p +- 1, k +- 1)     nothing beside the image
                  (p +- w, k +- kw)    nothing above and below
    propagation   (p +- 1, k +- 1)     running on over line ends
                  (p +- w, k +- kw)    from the foot of a column to the head of the next
    pasting       (p +- 1, k +- 1)     nothing beside the image
                  (p +- w, k +- kw)    nothing above and below

A chunk is so many columns of queries, from the top of the image to its foot. It walks down row by row and keeps the
rows above and below; a few columns to its sides are computed again. A tile is one row of a chunk against all keys, and
against a row of kw keys that are none. Read as one long vector, a tile's neighbours along a diagonal are a slice that
begins elsewhere, and the keys that are none lend it their zeros where a diagonal leaves the image.
"""

from __future__ import annotations

import tensorflow as tf

MARGIN = (
    6  # columns to each side: 2 each for similarity, propagation and pasting, of which the border's are not complete
)
TILES = 16  # alive at a time; measured


def attend_in_chunks(queries, keys, norms, valid, background, columns, matching):
    """What `attention.attend` computes with propagation, of one image and without gradients.

    Args:
        queries: float32 [h, w, C].
        keys: float32 [kh, kw, C].
        norms: float32 [kh, kw], what the scores of a key are divided by.
        valid: float32 [kh, kw], 1 = may be pasted.
        background: float32 [kh * rate, kw * rate, D], whose 2 rate x 2 rate patches are pasted.
        columns: width of the chunks, an int or int32 scalar, 1 .. w.
        matching: `Matching`.
    Returns:
        (pasted, best): float32 [h * rate, w * rate, D], overlaps added up; int32 [h, w], index of the heaviest key.
    """
    chunks = _Chunks(queries, keys, norms, valid, background, columns, matching)
    h, w, rate, depth = chunks.h, chunks.w, matching.rate, background.shape[-1]
    count = -(-w // columns)
    pasted, best = tf.map_fn(
        chunks.attend,
        tf.range(count) * columns,
        fn_output_signature=(
            tf.TensorSpec([None, None, rate, rate, depth], tf.float32),
            tf.TensorSpec([None, None], tf.int32),
        ),
        parallel_iterations=1,
    )  # [chunks, h, columns, rate, rate, D], [chunks, h, columns]
    pasted = tf.transpose(pasted, [1, 3, 0, 2, 4, 5])  # [h, rate, chunks, columns, rate, D]
    pasted = tf.reshape(pasted, [h * rate, count * columns * rate, depth])[:, : w * rate]
    return pasted, tf.reshape(tf.transpose(best, [1, 0, 2]), [h, count * columns])[:, :w]


def chunk_memory(columns, kh, kw):
    """Bytes that a chunk of so many columns takes, with kh x kw keys: float, or float32 scalar of tensors."""
    keys = tf.cast((kh + 1) * kw, tf.float32) if tf.is_tensor(kh) else (kh + 1) * kw
    return 4.0 * TILES * (columns + 2 * MARGIN) * keys


def chunk_columns(w, kh, kw, memory):
    """Width of equal chunks of w columns that take at most `memory` bytes, as int32 scalar; 1 if none does."""
    w = tf.cast(w, tf.float32)
    widest = tf.clip_by_value(tf.floor(memory / chunk_memory(1 - 2 * MARGIN, kh, kw)) - 2.0 * MARGIN, 1.0, w)
    return tf.cast(tf.math.ceil(w / tf.math.ceil(w / widest)), tf.int32)


class _Chunks:
    """The steps of `attend_in_chunks`.

    Tiles are vectors: so many queries, each of `stride` keys, the last kw of which are none. Those that a sum over rows
    takes its slices from have kw more at either end.
    """

    def __init__(self, queries, keys, norms, valid, background, columns, matching):
        self.h, self.w = tf.shape(queries)[0], tf.shape(queries)[1]
        self.kh, self.kw = tf.shape(keys)[0], tf.shape(keys)[1]
        self.columns, self.matching = columns, matching
        self.stride = (self.kh + 1) * self.kw
        self.after, self.before = self.stride + 1, -self.stride - 1  # the neighbours to the sides
        self.phases = _phases(matching.rate)

        def with_none(values):  # [kh, kw] -> [stride]
            return tf.reshape(tf.pad(values, [[0, 1], [0, 0]]), [self.stride])

        self.valid = with_none(valid)
        self.factor = with_none(matching.scale / norms)
        real = with_none(tf.ones_like(valid))
        self.bias = tf.where(real > 0, 0.0, -float("inf"))
        self.floor = matching.floor * real if matching.floor else None
        column = tf.range(self.stride) % self.kw
        self.not_first, self.not_last = (tf.cast(tf.not_equal(column, end), tf.float32) for end in (0, self.kw - 1))
        keys = tf.pad(keys, [[0, 1], [0, 0], [0, 0]])
        self.keys = tf.transpose(tf.reshape(keys, [self.stride, keys.shape[-1]]))  # [C, stride]
        self.pixels = _pixels(tf.pad(background, [[0, matching.rate], [0, 0], [0, 0]]), matching.rate)

        self.above_image = self.w + MARGIN + 1  # queries that are none, before the first one
        beyond = [[self.above_image, 2 * self.w + columns + MARGIN], [0, 0]]
        self.queries = tf.pad(tf.reshape(queries, [self.h * self.w, queries.shape[-1]]), beyond)

    def attend(self, left):
        """Of columns left ... left + columns: pasted [h, columns, rate, rate, D] and best keys [h, columns]."""
        first, w, last = left - MARGIN, self.w, self.h - 1  # first: the query with which the tile of row 0 begins
        beside = self._beside(first)
        inside = self._inside(left)

        def products(row):
            return self._products(first + row * w, beside)

        def next_scores(row, above, here):
            below = products(row + 1)
            return self._scores(first + row * w, above, here, below), here, below

        # A row's products need the row below, so do its scores and what it pastes: three waves, each a row behind.
        def step(row, above, here, scores_above, scores, weights_above, weights, pasted, best):
            scores_below, above, here = tf.cond(
                row < last,
                lambda: next_scores(row + 1, above, here),
                lambda: (self._wrapped(first + 1, w - 1 - left), above, here),
            )
            heavy = self._weights(self._propagate(scores_above, scores, scores_below), inside)
            best = best.write(row, self._best(heavy))
            weights_below = self._with_sides(heavy)
            pasted = pasted.write(row, self._paste(weights_above, weights, weights_below))
            return row + 1, above, here, scores, scores_below, weights, weights_below, pasted, best

        none = (tf.zeros([self.columns * self.stride + 2 * self.kw]),) * len(self.phases)
        pasted = tf.TensorArray(tf.float32, self.h + 1)  # each row when the next is known
        best = tf.TensorArray(tf.int32, self.h)
        scores, above, here = next_scores(0, products(-1), products(0))
        scores_above = self._wrapped(first + (self.h - 1) * w - 1, -left)
        state = (0, above, here, scores_above, scores, none, none, pasted, best)
        state = tf.while_loop(lambda row, *_: row < self.h, step, state, parallel_iterations=1)
        weights_above, weights, pasted, best = state[-4:]
        pasted = pasted.write(self.h, self._paste(weights_above, weights, none))
        return pasted.stack()[1:], best.stack()

    def _beside(self, first):
        """For tiles from query `first` on: where a source lies in the same lines as what is after it, and before."""
        column = (first + tf.range(self.columns + 2 * MARGIN)) % self.w
        not_first, not_last = (tf.cast(tf.not_equal(column, end), tf.float32)[:, tf.newaxis] for end in (0, self.w - 1))
        return not_first * self.not_first, not_last * self.not_last  # [columns + 12, stride]

    def _inside(self, left):
        """What the weights of columns left - 2 ... left + columns + 2 are multiplied by, and no less than."""
        column = left - 2 + tf.range(self.columns + 4)
        inside = tf.cast((column >= 0) & (column < self.w), tf.float32)[:, tf.newaxis]
        return inside * self.valid, None if self.floor is None else inside * self.floor

    def _products(self, first, beside):
        """Products of a row with all keys, and of what lies beside both: a tile of columns + 8 queries, and ends."""
        queries = tf.slice(self.queries, [first + self.above_image, 0], [self.columns + 2 * MARGIN, -1])
        products = tf.matmul(queries, self.keys)  # [columns + 12, stride]
        begin, size = 2 * self.stride - self.kw, (self.columns + 8) * self.stride + 2 * self.kw
        sources = [(products, 0)]
        if self.matching.ksize == 3:
            sources += [(products * beside[0], self.after), (products * beside[1], self.before)]
        return tf.add_n([_slice(tile, begin + far, size) for tile, far in sources])

    def _scores(self, first, above, here, below):
        """Similarities from three rows of products, propagated along rows: a tile of columns + 4 queries, and ends."""
        size = (self.columns + 8) * self.stride
        sources = ((here, self.kw),)
        if self.matching.ksize == 3:
            sources = ((above, 0), (here, self.kw), (below, 2 * self.kw))
        scores = tf.add_n([_slice(tile, begin, size) for tile, begin in sources])
        scores = tf.reshape(scores, [-1, self.stride]) * self.factor  # [columns + 8, stride]
        query = first + 2 + tf.range(self.columns + 8)  # of those beyond the image nothing may reach others
        scores *= tf.cast((query >= 0) & (query < self.h * self.w), tf.float32)[:, tf.newaxis]
        begin, size = 2 * self.stride - self.kw, (self.columns + 4) * self.stride + 2 * self.kw
        return tf.add_n([_slice(scores, begin + far, size) for far in (0, self.after, self.before)])

    def _wrapped(self, first, end):
        """Scores that continue the columns beyond the image, but for its last corner: nothing continues column `end`.

        `first` is the query next to which, in the order of columns, the tile of the border's row begins.
        """
        beside = self._beside(first)
        scores = self._scores(first, *(self._products(first + step * self.w, beside) for step in (-1, 0, 1)))
        continued = tf.cast(tf.not_equal(tf.range(-2, self.columns + 2), end), tf.float32)
        return scores * tf.pad(tf.repeat(continued, self.stride), [[self.kw, self.kw]])

    def _propagate(self, above, here, below):
        """Sums over rows, from the foot of a column to the head of the next: a tile of columns + 4 queries."""
        kw, size = self.kw, (self.columns + 4) * self.stride
        total = tf.add_n([_slice(tile, begin, size) for tile, begin in ((above, 0), (here, kw), (below, 2 * kw))])
        # The first and last row of keys were summed with keys that are none.
        above, here, below = (
            tf.reshape(_slice(tile, kw, size), [-1, self.kh + 1, kw]) for tile in (above, here, below)
        )
        foot = tf.pad(above[:, self.kh - 1, :-1], [[0, 0], [1, 0]])  # [columns + 4, kw]
        head = tf.pad(below[:, 0, 1:], [[0, 0], [0, 1]])
        first = foot + here[:, 0] + tf.where(self.kh > 1, below[:, 1], head)
        last = tf.where(self.kh > 1, above[:, self.kh - 2], foot) + here[:, self.kh - 1] + head
        rows = tf.range(self.columns + 4) * (self.kh + 1)
        ends = tf.concat([rows, rows + self.kh - 1], axis=0)[:, tf.newaxis]
        return tf.tensor_scatter_nd_update(tf.reshape(total, [-1, kw]), ends, tf.concat([first, last], axis=0))

    def _weights(self, scores, inside):
        """[columns + 4, stride], 0 for queries beside the image."""
        scores = tf.reshape(scores, [-1, self.stride]) * self.valid
        weights = tf.nn.softmax(scores + self.bias) * inside[0]
        return weights if self.floor is None else tf.maximum(weights, inside[1])

    def _best(self, weights):
        if not self.matching.wants_best:
            return tf.zeros([self.columns], tf.int32)
        return tf.argmax(weights[2:-2], axis=1, output_type=tf.int32)

    def _with_sides(self, weights):
        """For each phase, weights with those of the neighbours that paste there too: tiles of `columns`, and ends."""
        begin, size = 2 * self.stride - self.kw, self.columns * self.stride + 2 * self.kw
        alone = _slice(weights, begin, size)
        sides = {-1: (self.not_last, self.before), 1: (self.not_first, self.after)}
        return tuple(alone + _slice(weights * sides[step][0], begin + sides[step][1], size) for step, *_ in self.phases)

    def _paste(self, above, here, below):
        """What a row of queries and the rows next to it paste there: [columns, rate, rate, D]."""
        size = self.columns * self.stride
        bands = []
        for (row_step, _, rows), pixels in zip(self.phases, self.pixels):
            bricks = []
            for index, (_, _, columns) in enumerate(self.phases):
                other = _slice(above[index], 0, size) if row_step < 0 else _slice(below[index], 2 * self.kw, size)
                weights = tf.reshape(_slice(here[index], self.kw, size) + other, [-1, self.stride])
                bricks.append(tf.reshape(tf.matmul(weights, pixels[index]), [self.columns, rows, columns, -1]))
            bands.append(tf.concat(bricks, axis=2))  # [columns, rows, rate, D]
        return tf.concat(bands, axis=1)


def _slice(tile, begin, size):
    return tf.slice(tf.reshape(tile, [-1]), [begin], [size])


def _phases(rate):
    """Which patches a position's `rate` pixels lie in, beside its own, along one axis.

    Tuples (step, start, count): `count` pixels from `start` lie in the patch of the position at `step`, -1 or 1.
    """
    before = rate - rate // 2
    return [phase for phase in ((-1, 0, before), (1, before, rate - before)) if phase[2]]


def _pixels(background, rate):
    """For each phase of rows a list, for each of columns, of the pixels that weights are multiplied with.

    From float [kh * rate, kw * rate, C] matrices [kh * kw, rows * columns * C].
    """
    kh, kw, c = tf.shape(background)[0] // rate, tf.shape(background)[1] // rate, background.shape[-1]
    pixels = tf.reshape(background, [kh, rate, kw, rate, c])
    pixels = tf.transpose(pixels, [0, 2, 1, 3, 4])  # [kh, kw, rate, rate, C]
    return [
        [
            tf.reshape(pixels[:, :, top : top + rows, left : left + columns], [kh * kw, rows * columns * c])
            for _, left, columns in _phases(rate)
        ]
        for _, top, rows in _phases(rate)
    ]
