"""VGG, frozen, as trained on ImageNet: what the perceptual and the style loss and a distance look through."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.features.applications import DOWNLOAD, load_application
from tf_inpaint.ops.levels import to_levels

PERCEPTUAL_LAYERS = ("block2_conv2",)  # relu2_2 in the paper's words
STYLE_LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3")
DISTANCE_LAYERS = (*STYLE_LAYERS, "block5_conv3")  # LPIPS'
_MEAN_BGR = (103.939, 116.779, 123.68)


class VGGFeatures:
    """Features of images in a fixed VGG network.

    Args:
        network: "vgg16" or "vgg19".
        weights, key: as `load_application` takes them; "" is "imagenet", too.
        layers: names of Keras' layers, after whose ReLU features are taken.
    Call:
        image: float32 [B, H, W, 3] in [-1, 1], RGB; H and W at least 16.
        returns: dict of a float32 [B, h, w, C] for each layer.
    Raises:
        InputError: if the weights cannot be had; the sentence names the key.
    Reference: Simonyan and Zisserman 2015; the input as these weights were trained: BGR, 0 .. 255, less the mean.
    """

    def __init__(self, network="vgg16", weights=DOWNLOAD, layers=STYLE_LAYERS, key="options.perceptual_file"):
        self.layers = tuple(layers)
        network = load_application(network, DOWNLOAD if weights == "" else weights, key)
        self._network = tf.keras.Model(network.input, [network.get_layer(name).output for name in self.layers])

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
