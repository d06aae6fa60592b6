"""Losses on what a VGG network trained on ImageNet sees: features (perceptual loss) and their correlations (style).

The network is part of the loss: it is never trained, and no checkpoint holds it.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from tf_inpaint.errors import InputError, first_line
from tf_inpaint.ops.levels import to_levels

NETWORKS = {"vgg16": tf.keras.applications.VGG16, "vgg19": tf.keras.applications.VGG19}
PERCEPTUAL_LAYERS = ("block2_conv2",)  # relu2_2 in the paper's words
STYLE_LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3")
_MEAN_BGR = (103.939, 116.779, 123.68)


class VGGFeatures:
    """Features of images in a fixed VGG network.

    Args:
        network: "vgg16" or "vgg19".
        weights: "imagenet" for Keras' own, downloaded once, or the path of an .h5 file of them ("notop").
        layers: names of Keras' layers, after whose ReLU features are taken.
        key: of the config that says where the weights are, for messages.
    Call:
        image: float32 [B, H, W, 3] in [-1, 1], RGB; H and W at least 16.
        returns: dict of a float32 [B, h, w, C] for each layer.
    Raises:
        InputError: if the weights cannot be had; the sentence names the config's key.
    Reference: Simonyan and Zisserman 2015; the input as these weights were trained: BGR, 0 .. 255, less the mean.
    """

    def __init__(self, network="vgg16", weights="imagenet", layers=STYLE_LAYERS, key="options.vgg_weights"):
        self.layers = tuple(layers)
        network = _load(network, weights, key)
        self._network = tf.keras.Model(network.input, [network.get_layer(name).output for name in self.layers])
        self._network.trainable = False

    def __call__(self, image):
        features = self._network(preprocess(image), training=False)
        return dict(zip(self.layers, features if isinstance(features, (list, tuple)) else [features]))


def preprocess(image):
    """Images as the released VGG weights expect them: BGR, 0 .. 255, less ImageNet's mean colour.

    Args:
        image: float32 [B, H, W, 3] in [-1, 1], RGB.
    Returns:
        float32 [B, H, W, 3].
    """
    return to_levels(image)[..., ::-1] - tf.constant(_MEAN_BGR)


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


def _load(network, weights, key):
    """The whole network, up to its last pooling."""
    download = weights == "imagenet"
    if not download and not Path(weights).is_file():
        raise InputError(f"{key}: there is no file {weights}")
    try:
        return NETWORKS[network](include_top=False, weights="imagenet" if download else str(weights))
    except Exception as error:  # of many kinds, also a bare Exception for a download
        reason = first_line(error)
        if download:
            raise InputError(
                f"the weights of {network} cannot be downloaded, set {key} to a file of them ({reason})"
            ) from error
        raise InputError(f"{key}: {weights} does not hold the weights of {network} without top ({reason})") from error
