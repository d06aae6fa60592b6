"""Random regions of any shape: where smooth noise is low."""

from __future__ import annotations

import math

import tensorflow as tf

_GRAIN = 10000 / 600  # pixels between the noise's values
_THRESHOLD = 0.25
_CANDIDATES = 32


def noise(seed, height, width, options):
    """Where white noise, enlarged bicubically, is below a quarter: blotches all over the image.

    Several windows of noise are drawn; the first whose hole is an allowed fraction of the image is taken, or the one
    that comes nearest, if none is.

    Reference: Pathak et al. 2016, section 3.3, random regions, in the form of the release.
    Deviations: the release cuts its windows from one pattern of 10000 x 10000 pixels, here each has noise of its own.
    """
    seeds = tf.random.experimental.stateless_split(seed, 2)
    corners = tf.random.stateless_uniform([_CANDIDATES, 2], seeds[0])
    rows, columns = (_weights(corners[:, axis], length) for axis, length in ((0, height), (1, width)))
    values = tf.random.stateless_uniform([_CANDIDATES, rows.shape[-1], columns.shape[-1]], seeds[1])
    holes = tf.einsum("chr,crs,cws->chw", rows, values, columns) < _THRESHOLD  # [candidates, H, W]

    fractions = tf.reduce_mean(tf.cast(holes, tf.float32), axis=[1, 2])  # [candidates]
    least, greatest = options.noise_fraction
    outside = tf.maximum(least - fractions, fractions - greatest)
    chosen = tf.argmin(tf.maximum(outside, 0.0))  # the first of those inside
    return tf.cast(holes[chosen], tf.float32)[..., tf.newaxis]


def _weights(corner, length):
    """Bicubic weights [candidates, length, cells] of noise cells for pixels, the first pixel within the second cell."""
    cells = math.ceil(length / _GRAIN) + 4
    position = 1.0 + corner[:, tf.newaxis] + (tf.range(length, dtype=tf.float32) + 0.5) / _GRAIN
    distance = tf.abs(position[..., tf.newaxis] - tf.range(cells, dtype=tf.float32))
    near = (1.5 * distance - 2.5) * tf.square(distance) + 1.0
    far = ((2.5 - 0.5 * distance) * distance - 4.0) * distance + 2.0
    return tf.where(distance <= 1.0, near, tf.where(distance < 2.0, far, 0.0))
