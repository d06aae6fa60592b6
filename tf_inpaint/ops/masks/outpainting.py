"""Masks that reach the image's sides, which has to be continued: half of it, and all but its middle."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.ops.masks.box import box_mask
from tf_inpaint.ops.random import whole_numbers


def half(seed, height, width, options):
    """The half of the image that `options.side` names."""
    left = box_mask(height, width, 0, 0, height, width // 2)
    top = box_mask(height, width, 0, 0, height // 2, width)
    halves = {"left": left, "right": 1.0 - left, "top": top, "bottom": 1.0 - top}
    if options.side == "random":
        return tf.stack(list(halves.values()))[whole_numbers(seed, 0, len(halves) - 1)]
    return halves[options.side]


def outpainting(seed, height, width, options):
    """All but the middle: `options.border` of each side is hole at either end, and at least a pixel known.

    The seed is not used.
    """
    rows, columns = (min(round(options.border * length), (length - 1) // 2) for length in (height, width))
    return 1.0 - box_mask(height, width, rows, columns, height - rows, width - columns)
