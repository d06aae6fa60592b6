"""Free-form holes: strokes of a broad brush, alone or together with a box."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_inpaint.ops.masks.box import box
from tf_inpaint.ops.random import whole_numbers


def union(seed, height, width, options):
    """What `box` or `brush_stroke` or both cover.

    Reference: Yu et al. 2019, in the form of release 2.
    """
    seeds = tf.random.experimental.stateless_split(seed, 2)
    return tf.maximum(box(seeds[0], height, width, options), brush_stroke(seeds[1], height, width, options))


def brush_stroke(seed, height, width, options):
    """Some strokes of a round brush, each a zigzag of straight segments; a hole of any shape, never empty.

    A stroke starts anywhere. Its segments head up and down by turns, at angles to the horizontal drawn around
    `stroke_angle` within limits that every stroke draws for itself. Lengths are normal around
    a = sqrt(height^2 + width^2) / 8 with deviation a // 2, within 0 .. 2 a. Vertices stay inside the image. Everything
    is mirrored left to right and upside down, each with probability one half.

    With `release_strokes`, nothing is mirrored, so that strokes drift to the right, and height and width are exchanged
    in the limits of starts and vertices, so that in images that are not square strokes can lie outside and leave no
    hole.

    Reference: Yu et al. 2019, section 3.5, algorithm 1, with the parameters of the release.
    Deviations: mirrored as in the paper, where the release draws the mirrorings but does not apply them. Pixels within
        half the width of a segment are hole, where the release's drawing library decides.
    """
    most_strokes, most_segments = options.strokes[1], options.segments[1]
    seeds = tf.random.experimental.stateless_split(seed, 9)
    per_stroke, per_segment = [most_strokes, 1], [most_strokes, most_segments]

    strokes_drawn = whole_numbers(seeds[0], *options.strokes)
    segments_drawn = whole_numbers(seeds[1], *options.segments, shape=per_stroke)
    low = options.stroke_angle - _uniform(seeds[2], per_stroke, 0.0, options.stroke_angle_spread)
    high = options.stroke_angle + _uniform(seeds[3], per_stroke, 0.0, options.stroke_angle_spread)
    heading = (low + (high - low) * _uniform(seeds[4], per_segment, 0.0, 1.0)) * (math.pi / 180.0)
    up = tf.where(tf.range(most_segments) % 2 == 0, -1.0, 1.0)

    mean = math.sqrt(height**2 + width**2) / 8.0
    length = mean + (mean // 2) * tf.random.stateless_normal(per_segment, seeds[5])
    length = tf.clip_by_value(length, 0.0, 2.0 * mean)

    rows, columns = (width, height) if options.release_strokes else (height, width)
    start = tf.random.stateless_uniform([2, *per_stroke], seeds[6])
    y = _polyline(tf.floor(start[0] * rows), length * tf.sin(heading) * up, rows)
    x = _polyline(tf.floor(start[1] * columns), length * tf.cos(heading), columns)
    radius = tf.floor(_uniform(seeds[7], per_stroke, *options.brush_width)) / 2.0
    if not options.release_strokes:
        mirrored = tf.random.stateless_uniform([2], seeds[8]) < 0.5
        y = tf.where(mirrored[0], height - 1.0 - y, y)
        x = tf.where(mirrored[1], width - 1.0 - x, x)

    radius = tf.tile(radius, [1, most_segments])
    return draw_polylines(height, width, y, x, radius, strokes_drawn, segments_drawn[:, 0])


def draw_polylines(height, width, y, x, radius, count, segments):
    """A mask of all pixels near strokes of straight segments.

    Args:
        y, x: float [strokes, segments + 1], whole numbers: where segments begin and end.
        radius: float [strokes, segments], how far a segment reaches.
        count: how many strokes are drawn.
        segments: int32 [strokes], how many segments of each.
    Returns:
        float32 [height, width, 1].
    """

    # One segment after the other, and only those drawn: a mask stays in the processor's cache.
    def next_stroke(stroke, mask):
        def next_segment(i, mask):
            ends = (y[stroke, i], x[stroke, i]), (y[stroke, i + 1], x[stroke, i + 1])
            return i + 1, mask | _segment(height, width, *ends, radius[stroke, i])

        drawn = segments[stroke]
        return stroke + 1, tf.while_loop(lambda i, _: i < drawn, next_segment, (0, mask))[1]

    empty = tf.zeros([height, width], tf.bool)
    mask = tf.while_loop(lambda stroke, _: stroke < count, next_stroke, (0, empty))[1]
    return tf.cast(mask, tf.float32)[:, :, tf.newaxis]


def _polyline(start, steps, limit):
    """Whole coordinates [strokes, segments + 1] of vertices, each step cut off at the edge of 0 .. limit."""
    vertices = [start[:, 0]]
    for step in tf.unstack(steps, axis=1):
        vertices.append(tf.floor(tf.clip_by_value(vertices[-1] + step, 0.0, float(limit))))
    return tf.stack(vertices, axis=1)


def _segment(height, width, start, end, radius):
    """All pixels within a radius of the segment between two points (y, x) of whole numbers; bool [height, width]."""
    y = tf.range(height, dtype=tf.float32)[:, tf.newaxis] - start[0]
    x = tf.range(width, dtype=tf.float32) - start[1]
    dy, dx = end[0] - start[0], end[1] - start[1]
    squared = tf.maximum(dy * dy + dx * dx, 1.0)  # below 1 it is a point
    along = tf.clip_by_value(y * (dy / squared) + x * (dx / squared), 0.0, 1.0)  # [height, width]
    return tf.square(y - along * dy) + tf.square(x - along * dx) <= radius * radius


def _uniform(seed, shape, low, high):
    return low + (high - low) * tf.random.stateless_uniform(shape, seed)
