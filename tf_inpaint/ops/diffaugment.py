"""Differentiable augmentation of what a discriminator sees, so that few training images do."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.ops.boxes import crop_boxes
from tf_inpaint.ops.random import uniform_per_example

SHIFT = 1 / 8  # most of a side that an image is moved by
CUT = 1 / 2  # of a side that the box is long that is cut out


def diffaugment(images, masks, seed):
    """Images with other colours, moved, and with a box cut out; masks moved and cut alike.

    A function of the seed: real and predicted images with one seed are changed alike, so that their features can be
    compared, and gradients pass.

    Args:
        images: float [B, H, W, 3] in [-1, 1].
        masks: float [B, H, W, C], masks and what else lies over the image, such as edges.
        seed: int32 [B, 2].
    Returns:
        (images, masks): what comes from beyond the border, and the box, is 0.
    Reference: Zhao et al. 2020 (DiffAugment): colour, translation, cutout, with its strengths.
    """
    height, width = images.shape[1:3]
    drawn = [uniform_per_example(seed, stream) for stream in range(100, 107)]  # [B] each, apart from others' streams
    images = _recoloured(images, *(number[:, tf.newaxis, tf.newaxis, tf.newaxis] for number in drawn[:3]))
    both = tf.concat([images, masks], axis=-1)  # [B, H, W, 4]
    rows, columns = int(height * SHIFT + 0.5), int(width * SHIFT + 0.5)
    corners = tf.stack([_whole(drawn[3], 2 * rows + 1), _whole(drawn[4], 2 * columns + 1)], axis=-1)
    both = crop_boxes(tf.pad(both, [[0, 0], [rows, rows], [columns, columns], [0, 0]]), corners, height, width)
    cut_rows = _within(drawn[5], height)[:, :, tf.newaxis]  # [B, H, 1]
    cut_columns = _within(drawn[6], width)[:, tf.newaxis, :]  # [B, 1, W]
    both *= 1.0 - tf.cast(cut_rows & cut_columns, both.dtype)[..., tf.newaxis]
    return tuple(tf.split(both, [3, masks.shape[-1]], axis=-1))  # not by indices, whose gradient takes long


def _recoloured(images, brightness, saturation, contrast):
    images += brightness - 0.5
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    images = (images - grey) * (2.0 * saturation) + grey
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return (images - mean) * (contrast + 0.5) + mean


def _whole(number, count):
    """A number in [0, 1) as one of 0 .. count - 1."""
    return tf.minimum(tf.cast(number * count, tf.int32), count - 1)


def _within(number, side):
    """bool [B, side]: which rows or columns belong to a box whose middle is anywhere on the side."""
    extent = int(side * CUT + 0.5)
    first = _whole(number, side + 1 - extent % 2) - extent // 2  # [B]
    distance = tf.range(side) - first[:, tf.newaxis]
    return (distance >= 0) & (distance < extent)
