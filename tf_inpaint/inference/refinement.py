"""Feature refinement: what a network predicts of a large image is bent towards what it predicts of a smaller one.

A network trained on small images fills a hole better where an image is shrunk, without its fine detail. From the
smallest scale upwards the features before the blocks are changed by gradient descent, until the image predicted of them
agrees with what is known and, once shrunk, with what the scale below has in the hole.

Reference: Kulshreshtha et al. 2022 (arXiv 2206.13644), in the form of LaMa's release.
Deviations: a hole of which nothing is left to compare has no such term, where the release's shown loss is NaN.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf

from tf_inpaint.inference.memory import memory_of_refining
from tf_inpaint.ops.images import composite

MOST_PIXELS = 1_800_000  # of images that are refined as they are; larger ones are shrunk before
_BLUR = np.exp(-0.5 * np.arange(-2, 3) ** 2)  # 5 taps of a Gaussian of deviation 1
_TINY = 1e-8


class Settings(NamedTuple):
    """Of scales, the shortest side and how many at most; of Adam, passes (one more than updates) and rate."""

    min_side: int = 512
    max_scales: int = 3
    passes: int = 15
    learning_rate: float = 0.002


RELEASE = Settings()


def scales_of(height, width, settings=RELEASE):
    """How many scales an image is refined over; 1 is not refined: a shorter side below 725 pixels."""
    return min(1 + round(max(0.0, math.log2(min(height, width) / settings.min_side))), settings.max_scales)


def refined_memory(generator, height, width):
    """About how many bytes refining an image takes, which is shrunk to `MOST_PIXELS`."""
    ratio = min(1.0, math.sqrt(MOST_PIXELS / (height * width)))
    return memory_of_refining(generator, int(height * ratio), int(width * ratio))


class Refinement:
    """Refines images by a generator.

    Args:
        generator: a built `Generator` that is `refinable`.
        settings: `Settings`.
    Call:
        image: float32 [H, W, 3] in [0, 1].
        mask: float32 [H, W, 1], 1 = hole.
        edges: float32 [H, W, 1], 1 = line, for a guided generator.
        returns: for each scale from the smallest a pair of the completed image, float32 [1, h, w, 3] in [0, 1], of the
            size of `image` at last (shrunk to `MOST_PIXELS`), and its losses, a float for each pass.
    """

    def __init__(self, generator, settings=RELEASE):
        self.settings = settings
        self._generator = generator
        self._loss = tf.function(self._loss_and_gradients, autograph=False, reduce_retracing=True)
        self._encode = tf.function(lambda x: generator.encode(x)[0], autograph=False, reduce_retracing=True)
        self._decode = tf.function(lambda x: generator.decode(x)[0], autograph=False, reduce_retracing=True)

    def __call__(self, image, mask, edges=None):
        results, below = [], None
        edges = [edges[tf.newaxis]] if self._generator.guided else []
        for level, hole in pyramid(image[tf.newaxis], mask[tf.newaxis], self.settings):
            lines = [_binary(tf.image.resize(each, level.shape[1:3], "area") > 0.0) for each in edges]
            below, losses = self._at_one_scale(level, hole, lines, below)
            results.append((below, losses))
        return results

    def _at_one_scale(self, image, mask, edges, below):
        settings = self.settings
        height, width = image.shape[1:3]
        multiple = self._generator.size_multiple
        beyond = [[0, 0], [0, -height % multiple], [0, -width % multiple], [0, 0]]
        padded, hole, *lines = (tf.pad(array, beyond, "REFLECT") for array in (image, mask, *edges))
        features = self._encode(tf.concat([padded * (1.0 - hole), hole, *(each * hole for each in lines)], axis=-1))
        losses = []
        if below is None:
            predicted = self._decode(features)
        else:
            compared, size = comparable(mask), tf.constant([height, width])
            moments = [[tf.zeros_like(part)] * 2 for part in tf.nest.flatten(features)]
            for step in range(1, settings.passes + 1):
                loss, predicted, gradients = self._loss(features, padded, hole, size, below, compared)
                losses.append(float(loss))
                if step < settings.passes:
                    parts = tf.nest.flatten(features)
                    moved = [_adam(*each, step, settings.learning_rate) for each in zip(parts, gradients, moments)]
                    features = tf.nest.pack_sequence_as(features, [part for part, _ in moved])
                    moments = [moment for _, moment in moved]
        return composite(predicted, padded, hole)[:, :height, :width], losses

    def _loss_and_gradients(self, features, image, mask, size, below, compared):
        with tf.GradientTape() as tape:
            tape.watch(features)
            predicted = self._generator.decode(features)[0]
            shrunk = halved(predicted[:, : size[0], : size[1]])
            loss = _mean_where(1.0 - mask, predicted - image) + _mean_where(compared, shrunk - below)
        return loss, predicted, tape.gradient(loss, tf.nest.flatten(features))


def pyramid(image, mask, settings=RELEASE):
    """[(image, mask), ...] from the smallest scale, of float32 [1, H, W, 3] and [1, H, W, 1]."""
    height, width = image.shape[1:3]
    if height * width > MOST_PIXELS:
        ratio = math.sqrt(MOST_PIXELS / (height * width))
        size = int(height * ratio), int(width * ratio)
        image, mask = tf.image.resize(image, size), _binary(tf.image.resize(mask, size) > _TINY)
    levels = [(image, mask)]
    for _ in range(scales_of(*image.shape[1:3], settings) - 1):
        image, mask = halved(image), _binary(halved(mask) >= _TINY)
        levels.insert(0, (image, mask))
    return levels


def halved(image):
    """float [B, H // 2, W // 2, C]: blurred, mirrored at the border, then resized bilinearly."""
    channels = image.shape[3]
    taps = np.outer(_BLUR, _BLUR) / _BLUR.sum() ** 2
    kernel = tf.constant(np.tile(taps[..., None, None], [1, 1, channels, 1]), tf.float32)
    blurred = tf.pad(image, [[0, 0], [2, 2], [2, 2], [0, 0]], "REFLECT")
    blurred = tf.nn.depthwise_conv2d(blurred, kernel, [1, 1, 1, 1], "VALID")
    return tf.image.resize(blurred, tf.shape(image)[1:3] // 2)


def comparable(mask):
    """Where a scale is compared with the one below: its hole, halved and eroded; float32 [1, H // 2, W // 2, 1]."""
    small = tf.image.resize(mask, tf.shape(mask)[1:3] // 2)[0, ..., 0].numpy()
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    eroded = cv2.erode((small >= 1.0 - _TINY).astype(np.uint8), ellipse)  # beyond the border all is hole
    return tf.constant(eroded[np.newaxis, ..., np.newaxis], tf.float32)


def _mean_where(mask, difference):
    """Mean |difference| where the mask is 1; 0, not NaN, where it is so nowhere."""
    count = tf.reduce_sum(mask) * tf.cast(tf.shape(difference)[3], tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(tf.abs(difference) * mask), count)


def _adam(value, gradient, moments, step, learning_rate):
    """(value, moments) after one step in PyTorch's form."""
    first = 0.9 * moments[0] + 0.1 * gradient
    second = 0.999 * moments[1] + 0.001 * tf.square(gradient)
    root = tf.sqrt(second / (1.0 - 0.999**step)) + 1e-8
    return value - learning_rate / (1.0 - 0.9**step) * first / root, [first, second]


def _binary(where):
    return tf.cast(where, tf.float32)
