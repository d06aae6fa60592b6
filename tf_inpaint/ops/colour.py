"""Random changes of an image's colours."""

from __future__ import annotations

import tensorflow as tf

_GREY = (0.299, 0.587, 0.114)


def jitter_colours(image, seed, strength):
    """Brightness, contrast, saturation and hue, each changed a little at random.

    Args:
        image: float [H, W, 3] in [0, 1], RGB.
        seed: int32 [2], stateless.
        strength: in [0, 0.5]: the first three are multiplied by a factor in 1 - strength .. 1 + strength, the hue
            turned by at most this fraction of the circle.
    Returns:
        float32 [H, W, 3] in [0, 1].
    Reference: the augmentation of PEN-Net's release (torchvision's ColorJitter).
    Deviations: always in this order, which there is random.
    """
    change = tf.random.stateless_uniform([4], seed, -strength, strength)
    image = tf.clip_by_value(image * (1.0 + change[0]), 0.0, 1.0)
    image = _towards(tf.reduce_mean(_grey(image)), image, 1.0 + change[1])
    image = _towards(_grey(image), image, 1.0 + change[2])
    return tf.clip_by_value(tf.image.adjust_hue(image, change[3]), 0.0, 1.0)


def _grey(image):
    return tf.reduce_sum(image * tf.constant(_GREY), axis=-1, keepdims=True)


def _towards(origin, image, factor):
    return tf.clip_by_value(origin + factor * (image - origin), 0.0, 1.0)
