"""Spatial discounting: reconstruction errors count less the farther a pixel lies from what is known."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def box_discount(height, width, gamma):
    """Weights of a box, as the release computes them.

    Row i, column j weighs max(gamma^min(i, H - i), gamma^min(j, W - j)), i and j from 0. Not symmetric: the top and
    left sides weigh 1, the bottom and right sides gamma.

    Args:
        height, width: of the box, in pixels.
        gamma: discount per pixel, in (0, 1]; 0.9 in the release.
    Returns:
        weights: float32 [1, height, width, 1].
    Reference: Yu et al. 2018, section 4.2, in the form of release 1.0.0.
    """
    rows = np.minimum(np.arange(height), height - np.arange(height))[:, np.newaxis]
    columns = np.minimum(np.arange(width), width - np.arange(width))[np.newaxis, :]
    weights = np.maximum(float(gamma) ** rows, float(gamma) ** columns)
    return tf.constant(weights[np.newaxis, :, :, np.newaxis], tf.float32)


def hole_distance(mask):
    """Euclidean distance of every pixel to the nearest known one, in pixels: float32 of the mask's shape.

    0 on known pixels; H + W throughout where nothing is known.
    """
    # Distance squared is separable: the lowest of parabolas along columns, then along rows.
    far = tf.cast(tf.shape(mask)[1] + tf.shape(mask)[2], tf.float32)

    def lowest_parabola(values):  # [R, N]: min over j' of values[:, j'] + (j - j')^2, for every j
        index = tf.range(tf.shape(values)[1], dtype=tf.float32)
        squares = tf.square(index[:, tf.newaxis] - index[tf.newaxis, :])
        return tf.reduce_min(values[:, tf.newaxis, :] + squares, axis=2)

    def of_one(hole):  # [H, W]
        squared = tf.where(hole > 0.5, tf.square(far), 0.0)
        squared = tf.transpose(lowest_parabola(tf.transpose(squared)))
        return tf.sqrt(lowest_parabola(squared))

    distance = tf.map_fn(of_one, tf.cast(mask[..., 0], tf.float32))
    return tf.minimum(distance, far)[..., tf.newaxis]


def distance_discount(mask, gamma):
    """gamma^l, l the distance to the nearest known pixel: the paper's form, for holes of any shape.

    Args:
        mask: float [B, H, W, 1], 1 = hole.
        gamma: discount per pixel, in (0, 1]; 0.99 in the paper.
    Returns:
        weights: float32 [B, H, W, 1], 1 on known pixels.
    Reference: Yu et al. 2018, section 4.2.
    """
    return tf.pow(tf.cast(gamma, tf.float32), hole_distance(mask))
