"""Holes like the outlines of things: smooth random blobs."""

from __future__ import annotations

import math

import tensorflow as tf

from tf_inpaint.ops.random import whole_numbers

_HARMONICS = 5
_ROUGHNESS = 0.35  # how far an outline swells and shrinks, as a fraction of its radius


def shapes(seed, height, width, options):
    """Some blobs with their centres inside the image; never an empty mask.

    A blob is all points nearer to its centre than R * (1 + sum of five waves around it), their amplitudes falling with
    their frequency, stretched along an axis at random. It stands for the masks of segmented things where none are at
    hand, and is an invention of this project, not of a paper.
    """
    most = options.shapes[1]
    seeds = tf.random.experimental.stateless_split(seed, 6)
    count = whole_numbers(seeds[0], *options.shapes)
    size = tf.constant([height, width], tf.float32)
    centre = tf.floor(tf.random.stateless_uniform([most, 2], seeds[1]) * size)
    mean = min(height, width) * tf.random.stateless_uniform([most], seeds[2], *options.shape_radius)
    orders = tf.range(1, _HARMONICS + 1, dtype=tf.float32)
    waves = _ROUGHNESS * tf.random.stateless_uniform([most, _HARMONICS], seeds[3]) / tf.sqrt(orders)
    turns = 2 * math.pi * tf.random.stateless_uniform([most, _HARMONICS], seeds[4])
    stretch = tf.exp(tf.random.stateless_uniform([most], seeds[5], -0.5, 0.5))

    y, x = tf.range(height, dtype=tf.float32)[:, tf.newaxis], tf.range(width, dtype=tf.float32)
    mask = tf.zeros([height, width], tf.bool)
    for i in range(most):
        dy, dx = (y - centre[i, 0]) * stretch[i], (x - centre[i, 1]) / stretch[i]
        around = tf.atan2(dy, dx)
        limit = mean[i] * (1.0 + sum(waves[i, k] * tf.cos((k + 1) * around + turns[i, k]) for k in range(_HARMONICS)))
        inside = tf.sqrt(dy * dy + dx * dx) <= tf.maximum(limit, 1.0)
        mask |= inside & (i < count)
    return tf.cast(mask, tf.float32)[:, :, tf.newaxis]
