"""InceptionV3, frozen, as Keras has trained it on ImageNet: what FID looks through."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.features.applications import load_application

CHANNELS = 2048
_SIDE = 299


class InceptionFeatures:
    """The averaged features of InceptionV3, of images stretched to 299 x 299 (bilinear, antialiased).

    Args:
        weights, key: as `load_application` takes them.
    Call:
        image: float32 [B, H, W, 3] in [-1, 1], RGB.
        returns: float32 [B, 2048].
    Raises:
        InputError: if the weights cannot be had.
    Reference: Szegedy et al. 2016.
    """

    def __init__(self, weights, key: str):
        shape = (_SIDE, _SIDE, 3)
        self._network = load_application("inception_v3", weights, key, pooling="avg", input_shape=shape)

    def __call__(self, image):
        return self._network(tf.image.resize(image, [_SIDE] * 2, "bilinear", antialias=True), training=False)
