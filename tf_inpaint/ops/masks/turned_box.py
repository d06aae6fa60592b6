"""A box turned about the image's centre, on a canvas grown to hold the turned image and shrunk back."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_inpaint.ops.random import whole_numbers


def turned_box(seed, height, width, options):
    """A box anywhere, turned by a whole number of degrees."""
    seeds = tf.random.experimental.stateless_split(seed, 3)
    top = whole_numbers(seeds[0], 0, height - options.height)
    left = whole_numbers(seeds[1], 0, width - options.width)
    angle = whole_numbers(seeds[2], 0, options.turn)
    return turn_box(height, width, options.height, options.width, top, left, angle)


def turn_box(height, width, box_height, box_width, top, left, angle):
    """A box in an image that is turned, its canvas growing with it, made one pixel wider all around, and shrunk back.

    The more it is turned, the more the canvas grows and the smaller the box comes out.

    Args:
        height, width: of the image.
        box_height, box_width, top, left: of the box, before turning; the first two numbers, the others int32 scalars.
        angle: degrees against the clock, a scalar in [0, 90].
    Returns:
        mask: float32 [height, width, 1], 1 = in the box.
    Reference: Zeng et al. 2019, training holes in the form of the release.
    Deviations: pixels whose source lies on the edge of two by rounding (under 0.2 % of the image).
    """
    angle = tf.cast(angle, tf.float64) * (math.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    # Small slack: a image that is not turned must not grow.
    grown_height = tf.math.ceil((cos * height + sin * width) / 2 - 1e-9) * 2
    grown_width = tf.math.ceil((cos * width + sin * height) / 2 - 1e-9) * 2
    rows = tf.floor((tf.range(height, dtype=tf.float64) + 0.5) * (grown_height / height))
    columns = tf.floor((tf.range(width, dtype=tf.float64) + 0.5) * (grown_width / width))

    mask = tf.zeros([height, width], tf.bool)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            # From the centre of the grown canvas, the centre of the pixel.
            y = (rows + (down + 0.5) - grown_height / 2)[:, tf.newaxis]
            x = (columns + (right + 0.5) - grown_width / 2)[tf.newaxis, :]
            source_row = tf.cast(tf.floor(sin * x + cos * y + height / 2), tf.int32)
            source_column = tf.cast(tf.floor(cos * x - sin * y + width / 2), tf.int32)
            mask |= _within(source_row - top, box_height) & _within(source_column - left, box_width)
    return tf.cast(mask, tf.float32)[..., tf.newaxis]


def _within(index, length):
    return (index >= 0) & (index < length)
