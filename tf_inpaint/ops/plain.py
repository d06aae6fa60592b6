"""Plain grounds stay plain: what is predicted of a hole keeps to the levels that occur beside it.

A network reproduces levels it has hardly seen, white paper, black, saturated colours, by some levels off, beside a hole
as in it. Where everything beside a hole is of one colour, so is the hole; the more levels occur there, the farther
beyond them it may go, and where that is no plain ground, as far as it likes.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.ops.boxes import bounding_box, crop, paste

_BLOCK = 4  # pixels a side, of which levels are gathered
_BEYOND = 1.0  # times the range of the levels beside it, by which they may be exceeded where that is small
_TEXTURED = 2 * 16 / 255  # range of levels, in any channel, that is no plain ground
_FAR = 8.0  # beyond all levels


def keep_to_levels_beside(predicted, image, mask, wanted=None):
    """Limits what is predicted in holes to the levels beside them, channel by channel.

    A place in a hole goes by the rim that is nearest, and by as much of the rim to both sides as it is away from it.

    Args:
        predicted: float32 [B, H, W, C] in [-1, 1].
        image: float32 like `predicted`, of which what is known counts.
        mask: float32 [B, H, W, 1], 1 = hole.
        wanted: float32 like `mask`, the holes that count, for speed; None is all, and what is beside them.
    Returns:
        float32 like `predicted`; what is predicted beside holes keeps to the levels there, too.
    """
    if wanted is None:
        return _limited(predicted, image, mask)
    size = tf.shape(mask)[1:3]
    box = bounding_box(wanted).shrunk(_BLOCK).grown(2).enlarged(_BLOCK).within(size)  # the same blocks as of the whole
    seen = crop(predicted, box)
    return predicted + paste(_limited(seen, crop(image, box), crop(mask, box)) - seen, box, size)


def _limited(predicted, image, mask):
    height, width = (mask.shape[axis] or tf.shape(mask)[axis] for axis in (1, 2))
    wide = [(side + _BLOCK - 1) // _BLOCK * _BLOCK for side in (height, width)]
    beyond = [[0, 0], [0, wide[0] - height], [0, wide[1] - width], [0, 0]]
    # The highest levels, and the lowest ones with their sign turned.
    extremes = tf.where(mask > 0.5, -_FAR, tf.concat([image, -image], axis=-1))  # [B, H, W, 2 C]
    extremes = tf.nn.max_pool2d(tf.pad(extremes, beyond, constant_values=-_FAR), _BLOCK, _BLOCK, "VALID")
    touched = tf.nn.max_pool2d(tf.pad(mask, beyond), _BLOCK, _BLOCK, "VALID") > 0.5  # of few known pixels, maybe
    extremes = tf.where(touched, tf.nn.max_pool2d(extremes, 3, 1, "SAME"), extremes)
    extremes = _inward(extremes)  # [B, h, w, 2 C]
    high, low = tf.split(extremes, 2, axis=-1)
    widest = tf.reduce_max(high + low, axis=-1, keepdims=True)
    beyond = tf.where(widest < _TEXTURED, _BEYOND * (high + low) / (1.0 - widest / _TEXTURED), _FAR)
    limits = tf.concat([high + beyond, low + beyond], axis=-1)
    high, low = tf.split(tf.image.resize(limits, wide)[:, :height, :width], 2, axis=-1)
    return tf.clip_by_value(predicted, -low, high)


def _inward(extremes):
    """Extremes of blocks handed on into the holes: float32 [B, h, w, C], -_FAR where nothing is known before."""
    known = tf.reduce_max(extremes, axis=-1, keepdims=True)

    def more(known, _):
        some = tf.reduce_any(known != -_FAR, axis=[1, 2, 3], keepdims=True)  # nothing reaches an image without any
        return tf.reduce_any((known == -_FAR) & some)

    def step(known, extremes):
        around = tf.nn.max_pool2d(extremes, 3, 1, "SAME")
        extremes = tf.where(known > -_FAR, extremes, around)
        return tf.reduce_max(extremes, axis=-1, keepdims=True), extremes

    _, extremes = tf.while_loop(more, step, (known, extremes))
    return tf.where(extremes > -_FAR, extremes, _FAR)
