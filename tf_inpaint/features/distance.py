"""How differently two images look to a network."""

from __future__ import annotations

import tensorflow as tf


def feature_distance(features, targets):
    """How differently two images look to a network: the sum over stages of mean |f/|f| - g/|g||^2.

    Args:
        features, targets: lists of float [B, h, w, C].
    Returns:
        float [B].
    Reference: Zhang et al. 2018 (LPIPS), equation 1.
    Deviations: all weights w are 1.
    """
    return tf.add_n(
        [
            tf.reduce_mean(tf.reduce_sum(tf.math.squared_difference(_unit(f), _unit(g)), axis=-1), axis=[1, 2])
            for f, g in zip(features, targets)
        ]
    )


def _unit(features):
    """Each position's features divided by their length; a gradient that is finite where all are 0."""
    return features * tf.math.rsqrt(tf.reduce_sum(tf.square(features), axis=-1, keepdims=True) + 1e-10)
