"""Losses on what a frozen network sees: its features (perceptual loss) and their correlations (style)."""

from __future__ import annotations

import tensorflow as tf


def perceptual_loss(features, targets):
    """Sum over layers of mean((features - targets)^2).

    Args:
        features, targets: lists of float [B, h, w, C].
    Returns:
        A scalar.
    Reference: Johnson et al. 2016, equation 2.
    """
    return tf.add_n([tf.reduce_mean(tf.square(ours - theirs)) for ours, theirs in zip(features, targets)])


def style_loss(features, targets):
    """Sum over layers of the squared Frobenius norm of the difference of Gram matrices, averaged over images.

    Arguments and result as `perceptual_loss`.

    Reference: Johnson et al. 2016, equation 4, and Gatys et al. 2016.
    """
    layers = [gram_matrix(ours) - gram_matrix(theirs) for ours, theirs in zip(features, targets)]
    return tf.add_n([tf.reduce_mean(tf.reduce_sum(tf.square(layer), axis=[1, 2])) for layer in layers])


def feature_l1(features, targets):
    """Sum over layers of mean |features - targets|; arguments as `perceptual_loss`.

    Reference: Liu et al. 2018, section 3.3.
    """
    return tf.add_n([tf.reduce_mean(tf.abs(ours - theirs)) for ours, theirs in zip(features, targets)])


def style_l1(features, targets):
    """Sum over layers of the mean absolute difference of Gram matrices; arguments as `perceptual_loss`.

    Reference: Liu et al. 2018, section 3.3, with the matrices divided by h * w * C.
    """
    return feature_l1(map(gram_matrix, features), map(gram_matrix, targets))


def gram_matrix(features):
    """How often channels respond together: sum over positions of feature * feature', divided by h * w * C.

    Args:
        features: float [B, h, w, C].
    Returns:
        float [B, C, C], symmetric.
    Reference: Johnson et al. 2016, equation 3.
    """
    count = tf.cast(tf.reduce_prod(tf.shape(features)[1:]), features.dtype)
    return tf.einsum("bhwc,bhwd->bcd", features, features) / count
