"""Boxes anywhere, one or several, and at the centre."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.ops.random import whole_numbers


def box(seed, height, width, options):
    """A box drawn uniformly inside the margins, shrunk by a random inset.

    The box's last possible row and column are never drawn, as in the release (for a box of 128 in an image of 256
    pixels, top and left are below 128), except where it is the only one.

    Reference: Yu et al. 2018, release 1.0.0 (statistics of the reference masks).
    Deviations: none.
    """
    seeds = tf.random.experimental.stateless_split(seed, 3)
    last_top = max(height - 2 * options.vertical_margin - options.height - 1, 0)
    last_left = max(width - 2 * options.horizontal_margin - options.width - 1, 0)
    top = options.vertical_margin + whole_numbers(seeds[0], 0, last_top)
    left = options.horizontal_margin + whole_numbers(seeds[1], 0, last_left)
    return _inset(seeds[2], height, width, top, left, options)


def boxes(seed, height, width, options):
    """Several of `box`, each with a place and an inset of its own; they may overlap.

    Reference: Yu et al. 2018, whose figures show holes of several boxes.
    """
    most = options.boxes[1]
    seeds = tf.random.experimental.stateless_split(seed, most + 1)
    count = whole_numbers(seeds[most], *options.boxes)
    drawn = [tf.where(i < count, box(seeds[i], height, width, options), 0.0) for i in range(most)]
    return tf.reduce_max(tf.stack(drawn), axis=0)


def centre(seed, height, width, options):
    """The box of `box` at the image's centre; with both `max_delta` 0 it does not depend on the seed."""
    top, left = (height - options.height) // 2, (width - options.width) // 2
    return _inset(seed, height, width, top, left, options)


def _inset(seed, height, width, top, left, options):
    """The box at (top, left), shrunk on each side by a random whole number of pixels per axis."""
    seeds = tf.random.experimental.stateless_split(seed, 2)
    rows = whole_numbers(seeds[0], 0, options.max_delta_height // 2)
    columns = whole_numbers(seeds[1], 0, options.max_delta_width // 2)
    bottom, right = top + options.height - rows, left + options.width - columns
    return box_mask(height, width, top + rows, left + columns, bottom, right)


def box_mask(height, width, top, left, bottom, right):
    """1 in rows top .. bottom - 1 and columns left .. right - 1: float32 [height, width, 1]."""
    rows, columns = tf.range(height)[:, tf.newaxis], tf.range(width)
    inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    return tf.cast(inside, tf.float32)[..., tf.newaxis]
