"""How far a completed picture is from the truth. Every metric returns one number for each picture.

Pictures are float32 [B, H, W, 3] in [-1, 1]; errors are stated on the range [0, 1], that is, halved.
"""

from __future__ import annotations

import tensorflow as tf

_LARGEST_PSNR = 100.0


def hole_l1(completed, image, mask):
    """Mean absolute error inside the hole, on the range [0, 1].

    sum(mask * |completed - image| / 2) / (channels * sum(mask)): over the pixels of the hole (mask 1) and all channels;
    0 for a picture without a hole. Times 100 it is a percentage of the full range.

    Args:
        completed, image: float32 [B, H, W, C] in [-1, 1].
        mask: float32 [B, H, W, 1] in {0, 1}, 1 = hole.
    Returns:
        float32 [B].
    """
    error = tf.reduce_mean(tf.abs(completed - image) / 2.0, axis=-1, keepdims=True)  # [B, H, W, 1]
    return tf.math.divide_no_nan(tf.reduce_sum(mask * error, axis=[1, 2, 3]), tf.reduce_sum(mask, axis=[1, 2, 3]))


def psnr(completed, image):
    """Peak signal-to-noise ratio in decibels.

    -10 log10(mean(((completed - image) / 2)^2)): over the whole picture, known pixels included, and all channels; at
    most 100, which is also what equal pictures get.

    Args:
        completed, image: float32 [B, H, W, C] in [-1, 1].
    Returns:
        float32 [B].
    """
    error = tf.reduce_mean(tf.square((completed - image) / 2.0), axis=[1, 2, 3])
    return -10.0 * tf.math.log(tf.maximum(error, 10.0 ** (-_LARGEST_PSNR / 10.0))) / tf.math.log(10.0)
