"""Parts of maps: rectangles beyond whose bounds nothing is computed, because nobody asks for it.

All sizes are tensors, so that one graph serves every part. Maps are float [B, H, W, C], or nests of those.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Part(NamedTuple):
    """A rectangle of positions, which may reach beyond the map.

    Attributes:
        first: int32 [2], its first row and column.
        end: int32 [2], the ones after its last.
    """

    first: tf.Tensor
    end: tf.Tensor

    def within(self, size):
        """What of it lies in a map of int32 [2] (height, width)."""
        return Part(tf.clip_by_value(self.first, 0, size), tf.clip_by_value(self.end, 0, size))

    def shrunk(self, times):
        """The positions of a map with so many times fewer rows and columns that hold all of it."""
        return Part(self.first // times, -(-self.end // times))

    def enlarged(self, times):
        """Its positions in a map with so many times as many rows and columns."""
        return Part(self.first * times, self.end * times)

    def seen_from(self, other):
        """Its place in a map that begins where `other` does."""
        return Part(self.first - other.first, self.end - other.first)


def bounding_part(mask):
    """The rectangle around all holes of a batch: float [B, H, W, 1], 1 = hole; one position if there are none."""
    hole = tf.reduce_max(mask[..., 0], axis=0) > 0.0
    firsts, ends = [], []
    for axis in (1, 0):
        marked = tf.cast(tf.reduce_any(hole, axis=axis), tf.int32)
        length = tf.shape(marked)[0]
        first = tf.argmax(marked, output_type=tf.int32)  # the first of the largest
        firsts.append(first)
        ends.append(tf.maximum(length - tf.argmax(marked[::-1], output_type=tf.int32), 0) * tf.reduce_max(marked))
    first = tf.stack(firsts)
    return Part(first, tf.maximum(tf.stack(ends), first + 1))


def cut(maps, part):
    """What lies in a part within their bounds."""
    (top, left), (bottom, right) = tf.unstack(part.first), tf.unstack(part.end)
    return tf.nest.map_structure(lambda each: each[:, top:bottom, left:right], maps)


def put(maps, part, size):
    """Maps of int32 [2] (height, width) that hold these in a part, and zeros elsewhere."""
    around = tf.stack([part.first, size - part.end], axis=1)
    paddings = tf.pad(around, [[1, 1], [0, 0]])

    def put_one(each):
        return tf.ensure_shape(tf.pad(each, paddings), [each.shape[0], None, None, each.shape[3]])

    return tf.nest.map_structure(put_one, maps)
