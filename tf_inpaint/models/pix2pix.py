"""pix2pix: a U-Net that translates an image with a painted hole into the whole one, and a discriminator of patches that
sees both.

"Image-to-Image Translation with Conditional Adversarial Networks", Isola et al., CVPR 2017 (arXiv 1611.07004), in the
form of the repository affinelayer/pix2pix-tensorflow, whose names of layers the attributes carry.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_inpaint.layers.activations import leaky_relu
from tf_inpaint.layers.batch_norm import PassNorm
from tf_inpaint.layers.composite import Composite
from tf_inpaint.layers.norm_convolution import NormConv2D
from tf_inpaint.models.generator import Generator
from tf_inpaint.models.network import Network
from tf_inpaint.ops.levels import from_levels
from tf_inpaint.ops.random import uniform_per_example

_DROPPED = 3  # innermost layers of the decoder that have dropout


class Pix2PixGenerator(Composite, Generator):
    """Halves an image down to one position and doubles it again, past what each halving saw.

    Dropout is the noise of the method and acts always. In training it is drawn for each example; otherwise it is one
    that never changes, so that a completion depends on its image alone.

    Args:
        image_size: height and width of the images, a power of 2 >= 32.
        width: channels of the first layer.
        hole_fill: colour of the hole, (red, green, blue) of 0 .. 255.
        bottleneck_norm: whether the innermost layer is normalised. One image alone is a single position there, of
            which normalisation leaves `beta`, whatever the image.
    Call:
        inputs: (masked_image, mask): float32 [B, S, S, 3] in [-1, 1], RGB; float32 [B, S, S, 1] in {0, 1}, 1 = hole.
        training: normalise by the batch's statistics, not by each example's own.
        seeds: int32 [B, 2], of each example's dropout; None is the one that never changes.
        returns: dict of "predicted": float32 [B, S, S, 3] in [-1, 1].
    Reference: Isola et al. 2017, section 6.1.1.
    Deviations: below 256 pixels there are as many halvings as fit; statistics outside of training are each example's
        own, as those of the repository's test program, which takes one image at a time.
    """

    bytes_per_pixel = 4000

    def __init__(
        self,
        image_size=256,
        width=64,
        hole_fill=(255, 255, 255),
        bottleneck_norm=True,
        name="pix2pix_generator",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        if image_size < 32 or image_size & (image_size - 1):
            raise ValueError(f"`image_size` must be a power of 2, at least 32. Received: {image_size}")
        self.fixed_size = self.size_multiple = self.minimum_size = self.hole_size = image_size
        self.hole_fill = tuple(hole_fill)
        self.levels = image_size.bit_length() - 1
        widths = [3] + [width * min(8, 2**level) for level in range(self.levels)]
        for level in range(1, self.levels + 1):
            norm = 1 < level and (level < self.levels or bottleneck_norm)
            encoder = _Conv2D(widths[level], norm=norm, activation=None, name=f"encoder_{level}")
            decoder = _Conv2D(
                widths[level - 1],
                transposed=True,
                norm=1 < level,
                activation=None if 1 < level else "tanh",
                name=f"decoder_{level}",
            )
            setattr(self, encoder.name, encoder)
            setattr(self, decoder.name, decoder)

    def call(self, inputs, training=False, seeds=None):
        x, encoded = self.context(*inputs), []
        for level in range(1, self.levels + 1):
            x, _ = getattr(self, f"encoder_{level}")(x if level == 1 else leaky_relu(x), training=training)
            encoded.append(x)
        for level in range(self.levels, 0, -1):
            if level < self.levels:
                x = tf.concat([x, encoded[level - 1]], axis=-1)
            x, _ = getattr(self, f"decoder_{level}")(tf.nn.relu(x), training=training)
            if level > self.levels - _DROPPED:
                x = x * (2.0 * tf.cast(self.kept(level, x.shape[1:], seeds), x.dtype))
        return {"predicted": x}

    def context(self, masked_image, mask):
        """What the network sees of an image: float32 [B, S, S, 3]."""
        fill = from_levels(tf.constant(self.hole_fill, masked_image.dtype))
        return masked_image * (1.0 - mask) + fill * mask

    def kept(self, level, shape, seeds):
        """What dropout leaves of a layer's outputs, one in two: [B or 1, *shape] in {0, 1}, or bool."""
        if seeds is None:
            return np.random.RandomState(level).random_sample([1, *shape]) >= 0.5
        return uniform_per_example(seeds, level, shape) >= 0.5


class Pix2PixDiscriminator(Composite, Network):
    """Scores each patch of 70 x 70 pixels of an image, beside what it was made of.

    Args:
        width: channels of the first layer.
    Call:
        inputs: (context, image): float32 [B, H, W, 3] in [-1, 1], RGB, what the generator saw, and what it made or
            should make of that.
        training: normalise by the batch's statistics, not by each example's own.
        returns: float32 [B, H / 8 - 2, W / 8 - 2, 1], logits.
    Reference: Isola et al. 2017, section 6.1.2.
    Deviations: logits, where the repository has their sigmoid.
    """

    def __init__(self, width=64, name="pix2pix_discriminator", **kwargs):
        super().__init__(name=name, **kwargs)
        self.layer_1 = _critic(width, norm=False, name="layer_1")
        self.layer_2 = _critic(2 * width, name="layer_2")
        self.layer_3 = _critic(4 * width, name="layer_3")
        self.layer_4 = _critic(8 * width, strides=1, name="layer_4")
        self.layer_5 = _critic(1, strides=1, norm=False, activation=None, name="layer_5")

    def call(self, inputs, training=False):
        x = tf.concat(inputs, axis=-1)
        for layer in (self.layer_1, self.layer_2, self.layer_3, self.layer_4, self.layer_5):
            x, _ = layer(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), training=training)
        return x


class _Conv2D(NormConv2D):
    normalisation = PassNorm


def _critic(filters, strides=2, norm=True, activation=leaky_relu, name=None):
    return _Conv2D(filters, strides=strides, padding="VALID", norm=norm, activation=activation, name=name)
