"""LaMa's masks: strokes that turn sharply, or boxes; those of training, and its tests' thin, medium and thick ones."""

from __future__ import annotations

import functools

import tensorflow as tf

from tf_inpaint.ops.lama_masks import FIRST_HEADING, FULL_TURN, HEADINGS, LAMA_KINDS, MOST_SEGMENTS, mask_numbers
from tf_inpaint.ops.masks.box import box_mask
from tf_inpaint.ops.masks.strokes import draw_polylines
from tf_inpaint.ops.random import whole_numbers


def _mask(kind, seed, height, width, options):
    """Strokes or boxes, by the kind's weights; `options` has nothing to say here.

    Reference: Suvorov et al. 2022, section 2.4, in the form of the release.
    Deviations: pixels within half the width and half a pixel of a segment are hole, where the release's drawing library
        decides; lengths scale with images of other sides than 256 and 512.
    """
    numbers = mask_numbers(kind, min(height, width))
    seeds = tf.random.experimental.stateless_split(seed, 2)
    if not numbers.box_weight:
        return _strokes(seeds[1], height, width, numbers)
    of_boxes = tf.random.stateless_uniform([], seeds[0]) < numbers.box_fraction
    return tf.cond(
        of_boxes,
        lambda: _boxes(seeds[1], height, width, numbers),
        lambda: _strokes(seeds[1], height, width, numbers),
    )


def _strokes(seed, height, width, numbers):
    most = numbers.strokes[1]
    seeds = tf.random.experimental.stateless_split(seed, 7)
    per_segment = [most, MOST_SEGMENTS]
    count = whole_numbers(seeds[0], *numbers.strokes)
    segments = whole_numbers(seeds[1], 1, MOST_SEGMENTS, shape=[most])
    start_y = tf.cast(whole_numbers(seeds[2], 0, height - 1, shape=[most]), tf.float32)
    start_x = tf.cast(whole_numbers(seeds[3], 0, width - 1, shape=[most]), tf.float32)
    heading = FIRST_HEADING + tf.cast(whole_numbers(seeds[4], 0, HEADINGS - 1, shape=per_segment), tf.float32)
    even = tf.range(most)[:, tf.newaxis] % 2 == 0
    heading = tf.where(even, FULL_TURN - heading, heading)
    length = tf.cast(whole_numbers(seeds[5], *numbers.lengths, shape=per_segment), tf.float32)
    widths = tf.cast(whole_numbers(seeds[6], *numbers.widths, shape=per_segment), tf.float32)
    y = _vertices(start_y, length * tf.cos(heading), height)
    x = _vertices(start_x, length * tf.sin(heading), width)
    return draw_polylines(height, width, y, x, widths / 2.0 + 0.5, count, segments)


def _vertices(start, steps, limit):
    """Whole coordinates [strokes, segments + 1], each step cut off towards 0 and at the edge of 0 .. limit."""
    vertices = [start]
    for step in tf.unstack(steps, axis=1):
        vertices.append(tf.clip_by_value(tf.floor(vertices[-1] + step), 0.0, float(limit)))
    return tf.stack(vertices, axis=1)


def _boxes(seed, height, width, numbers):
    most, margin = numbers.boxes[1], numbers.margin
    least, greatest = numbers.box_sides
    greatest = max(least, min(greatest, min(height, width) - 2 * margin - 1))
    seeds = tf.random.experimental.stateless_split(seed, 4)
    count = whole_numbers(seeds[0], *numbers.boxes)
    sides = whole_numbers(seeds[1], least, greatest, shape=[most, 2])
    mask = tf.zeros([height, width, 1])
    for index in range(most):
        rows, columns = sides[index, 0], sides[index, 1]
        corner = tf.random.stateless_uniform([2], seeds[2] + index)
        top = margin + tf.cast(corner[0] * tf.cast(height - 2 * margin - rows + 1, tf.float32), tf.int32)
        left = margin + tf.cast(corner[1] * tf.cast(width - 2 * margin - columns + 1, tf.float32), tf.int32)
        box = box_mask(height, width, top, left, top + rows, left + columns)
        mask = tf.maximum(mask, tf.where(index < count, box, 0.0))
    return mask


MASKS_OF_LAMA = {kind: functools.partial(_mask, kind) for kind in LAMA_KINDS}
