"""PEN-Net: a pyramid of features, each hole filled as the next deeper level says, and a decoder that shows every level.

"Learning Pyramid-Context Encoder Network for High-Quality Image Inpainting", Zeng et al., CVPR 2019 (arXiv 1904.07475),
in the form of its PyTorch release. Attributes carry the release's layer names.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers import AttentionTransfer, MirrorConv2D, StoredSpectralConv2D
from tf_inpaint.models.deepfill_v1 import leaky_relu
from tf_inpaint.models.generator import Attention, Generator
from tf_inpaint.ops.boxes import Box, bounding_box, crop, paste
from tf_inpaint.ops.images import resize_bilinear


class PENNetGenerator(Generator):
    """Completes pictures with a pyramid-context encoder, attention transfer and a multi-scale decoder.

    Args:
        width: channels of the first layer (32 in the release).
    Call:
        inputs: (masked_image, mask): float32 [B, H, W, 3] in [-1, 1], RGB, 0 in the holes; float32 [B, H, W, 1] in
            {0, 1}, 1 = hole, one for each picture. H and W: multiples of `size_multiple`.
        returns: dict of
            "predicted": float32 [B, H, W, 3] in [-1, 1];
            "pyramid": list of five float32 [B, H / 2^k, W / 2^k, 3] in [-1, 1], k = 1 .. 5.
    Reference: Zeng et al. 2019, figure 2, in the form of the release. Kernels start as N(0, 0.02).
    Deviations: none. (The release sets holes to +1 before the network; this is done here.)
    """

    size_multiple = 64
    minimum_size = 64
    returned = ("predicted", "pyramid")

    def __init__(self, width=32, name="pen_net_generator", **kwargs):
        super().__init__(name=name, **kwargs)
        self.width = n = width
        self.dw_conv01 = _convolution(n, leaky_relu, "dw_conv01", strides=2)
        self.dw_conv02 = _convolution(2 * n, leaky_relu, "dw_conv02", strides=2)
        self.dw_conv03 = _convolution(4 * n, leaky_relu, "dw_conv03", strides=2)
        self.dw_conv04 = _convolution(8 * n, leaky_relu, "dw_conv04", strides=2)
        self.dw_conv05 = _convolution(16 * n, leaky_relu, "dw_conv05", strides=2)
        self.dw_conv06 = _convolution(16 * n, "relu", "dw_conv06", strides=2)

        self.at_conv05 = AttentionTransfer(ksize=1, fuse=False, name="at_conv05")
        self.at_conv04 = AttentionTransfer(name="at_conv04")
        self.at_conv03 = AttentionTransfer(name="at_conv03")
        self.at_conv02 = AttentionTransfer(name="at_conv02")
        self.at_conv01 = AttentionTransfer(name="at_conv01")

        self.up_conv05 = _convolution(16 * n, "relu", "up_conv05")
        self.up_conv04 = _convolution(8 * n, "relu", "up_conv04")
        self.up_conv03 = _convolution(4 * n, "relu", "up_conv03")
        self.up_conv02 = _convolution(2 * n, "relu", "up_conv02")
        self.up_conv01 = _convolution(n, "relu", "up_conv01")

        self.torgb5 = _convolution(3, "tanh", "torgb5", kernel_size=1)
        self.torgb4 = _convolution(3, "tanh", "torgb4", kernel_size=1)
        self.torgb3 = _convolution(3, "tanh", "torgb3", kernel_size=1)
        self.torgb2 = _convolution(3, "tanh", "torgb2", kernel_size=1)
        self.torgb1 = _convolution(3, "tanh", "torgb1", kernel_size=1)
        self.decoder0 = _convolution(n, "relu", "decoder0")
        self.decoder2 = _convolution(3, "tanh", "decoder2")

    @property
    def attention(self):
        layers = [self.at_conv01, self.at_conv02, self.at_conv03, self.at_conv04, self.at_conv05]
        return Attention(4, layers)  # 4 at the finest level

    @property
    def bytes_per_pixel(self):
        return 100 + 22 * self.width

    def call(self, inputs, training=False):
        x1, x2, *deeper = self._levels(inputs)
        x1 = self.at_conv01((x1, x2, inputs[1]))
        up2, up3, up4, up5 = self._decode(x2, *deeper)
        up1 = _beside(self.up_conv01(_double(up2)), x1)
        pyramid = [self.torgb1(up1), self.torgb2(up2), self.torgb3(up3), self.torgb4(up4), self.torgb5(up5)]
        pyramid = [tf.cast(level, tf.float32) for level in pyramid]
        return {"predicted": tf.cast(self.decoder2(self.decoder0(_double(up1))), tf.float32), "pyramid": pyramid}

    def fill(self, inputs):
        """`predicted` as `call` makes it, in the rectangle around all holes alone; anything beyond, for speed.

        Every level is matched as the deeper one fills it, known places too. So only the last attention, which is most
        of the work, and what follows it can be left out beyond the rectangle.
        """
        mask = inputs[1]
        size, wanted = tf.shape(mask)[1:3], bounding_box(mask)
        drawn = self.decoder0.reads(self.decoder2.reads(wanted)).within(size)
        # A row of the doubled picture lies between two of which the upper is half of it, or half of the one above it.
        half = Box(drawn.first - 1, drawn.end + 2).shrunk(2).within(size // 2)
        x1, x2, *deeper = self._levels(inputs)
        x1 = self.at_conv01((x1, x2, mask, half))
        read = self.up_conv01.reads(half).within(size // 2)
        up1 = self.up_conv01(crop(_double(self._decode(x2, *deeper)[0]), read))
        up1 = _beside(crop(up1, half.seen_from(read)), crop(x1, half))
        x = self.decoder2(self.decoder0(crop(_double(paste(up1, half, size // 2)), drawn)))
        return {"predicted": paste(tf.cast(crop(x, wanted.seen_from(drawn)), tf.float32), wanted, size)}

    def _levels(self, inputs):
        """The pyramid's six levels, from the second on with their holes filled."""
        masked_image, mask = inputs
        x1 = self.dw_conv01(tf.concat([masked_image + mask, mask], axis=-1))
        x2 = self.dw_conv02(x1)
        x3 = self.dw_conv03(x2)
        x4 = self.dw_conv04(x3)
        x5 = self.dw_conv05(x4)
        x6 = self.dw_conv06(x5)

        x5 = self.at_conv05((x5, x6, mask))
        x4 = self.at_conv04((x4, x5, mask))
        x3 = self.at_conv03((x3, x4, mask))
        x2 = self.at_conv02((x2, x3, mask))
        return x1, x2, x3, x4, x5, x6

    def _decode(self, x2, x3, x4, x5, x6):
        """The decoder's levels but for the last one, the finest first."""
        up5 = _beside(self.up_conv05(_double(x6)), x5)
        up4 = _beside(self.up_conv04(_double(up5)), x4)
        up3 = _beside(self.up_conv03(_double(up4)), x3)
        up2 = _beside(self.up_conv02(_double(up3)), x2)
        return up2, up3, up4, up5

    def get_config(self):
        return {**super().get_config(), "width": self.width}


class PENNetDiscriminator(tf.keras.Model):
    """A patch critic with spectral normalisation in PyTorch's form.

    Args:
        width: channels of the first layer (64 in the release).
    Call:
        inputs: float32 [B, H, W, 3] in [-1, 1].
        training, iterations: as in `StoredSpectralConv2D`.
        returns: float32 [B, h, w, 1], unbounded scores, 27 x 27 of them for 256 x 256 pixels.
    Reference: Zeng et al. 2019, section 3.4, in the form of the release.
    Deviations: none.
    """

    def __init__(self, width=64, name="pen_net_discriminator", **kwargs):
        super().__init__(name=name, **kwargs)
        self.width = width
        self.encoder0 = _critic_convolution(width, 2, "encoder0")
        self.encoder2 = _critic_convolution(2 * width, 2, "encoder2")
        self.encoder4 = _critic_convolution(4 * width, 2, "encoder4")
        self.encoder6 = _critic_convolution(8 * width, 1, "encoder6")
        self.classifier = _convolution(1, None, "classifier", kernel_size=5, border=1)

    def call(self, inputs, training=False, iterations=None):
        x = inputs
        for layer in (self.encoder0, self.encoder2, self.encoder4, self.encoder6):
            x = layer(x, training=training, iterations=iterations)
        return tf.cast(self.classifier(x), tf.float32)

    def advance(self, passes=1):
        """What `passes` passes in training leave behind."""
        for layer in (self.encoder0, self.encoder2, self.encoder4, self.encoder6):
            layer.advance(passes)

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def _convolution(filters, activation, name, kernel_size=3, strides=1, border=None):
    return MirrorConv2D(
        filters,
        kernel_size,
        strides,
        activation=activation,
        padding="CONSTANT",
        border=border,
        kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.02),
        name=name,
    )


def _critic_convolution(filters, strides, name):
    return StoredSpectralConv2D(
        filters,
        5,
        strides,
        activation=leaky_relu,
        padding="CONSTANT",
        border=1,
        use_bias=False,
        kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.02),
        name=name,
    )


def _beside(features, others):
    """Channels of both, in the precision of the first."""
    return tf.concat([features, tf.cast(others, features.dtype)], axis=-1)


def _double(x):
    size = tf.shape(x)[1:3] * 2
    doubled = resize_bilinear(x, size)
    sides = [None if side is None else 2 * side for side in x.shape[1:3]]
    return tf.ensure_shape(doubled, [x.shape[0], *sides, x.shape[3]])
