"""PEN-Net: a pyramid of features, each hole filled as the next deeper level says, and a decoder that shows every level.

"Learning Pyramid-Context Encoder Network for High-Quality Image Inpainting", Zeng et al., CVPR 2019 (arXiv 1904.07475),
in the form of its PyTorch release. Attributes carry the release's layer names.
"""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from tf_inpaint.layers import AttentionTransfer, MirrorConv2D, StoredSpectralConv2D
from tf_inpaint.layers.activations import leaky_relu
from tf_inpaint.layers.chain import Chain, run_within
from tf_inpaint.models.generator import Attention, Generator
from tf_inpaint.models.network import Network
from tf_inpaint.ops.boxes import Box, bounding_box
from tf_inpaint.ops.images import resize_bilinear

ATTENTIONS = ("transfer", "none")


class PENNetGenerator(Generator):
    """Completes images with a pyramid-context encoder, attention transfer and a multi-scale decoder.

    Args:
        width: channels of the first layer (32 in the release).
        attention: "transfer", or for the paper's comparison "none": the decoder sees the encoder's levels as they are.
    Call:
        inputs: (masked_image, mask): float32 [B, H, W, 3] in [-1, 1], RGB, 0 in the holes; float32 [B, H, W, 1] in
            {0, 1}, 1 = hole, one for each image. H and W: multiples of `size_multiple`.
        returns: dict of
            "predicted": float32 [B, H, W, 3] in [-1, 1];
            "pyramid": list of five float32 [B, H / 2^k, W / 2^k, 3] in [-1, 1], k = 1 .. 5;
            "offsets": not in training, nor without attention, int32 [B, H / 4, W / 4, 2], where the finest attention
                looked, (row, column).
    Raises:
        ValueError: if `attention` is none of those listed.
    Reference: Zeng et al. 2019, figure 2, in the form of the release. Kernels start as N(0, 0.02).
    Deviations: none. (The release sets holes to +1 before the network; this is done here.)
    """

    size_multiple = 64
    minimum_size = 64

    def __init__(self, width=32, attention="transfer", name="pen_net_generator", **kwargs):
        super().__init__(name=name, **kwargs)
        if attention not in ATTENTIONS:
            raise ValueError(f"`attention` must be one of {', '.join(ATTENTIONS)}. Received: {attention!r}")
        self.width = n = width
        convolution = partial(partial, _convolution)
        self._encoder = Chain(
            self,
            dw_conv01=convolution(n, activation=leaky_relu, strides=2),
            dw_conv02=convolution(2 * n, activation=leaky_relu, strides=2),
            dw_conv03=convolution(4 * n, activation=leaky_relu, strides=2),
            dw_conv04=convolution(8 * n, activation=leaky_relu, strides=2),
            dw_conv05=convolution(16 * n, activation=leaky_relu, strides=2),
            dw_conv06=convolution(16 * n, strides=2),
        )
        transfer = {"at_conv05": partial(AttentionTransfer, ksize=1, fuse=False)}
        transfer |= {f"at_conv0{level}": AttentionTransfer for level in (4, 3, 2, 1)}
        self._attentions = Chain(self, **transfer) if attention == "transfer" else None
        self._decoder = Chain(
            self,
            up_conv05=convolution(16 * n),
            up_conv04=convolution(8 * n),
            up_conv03=convolution(4 * n),
            up_conv02=convolution(2 * n),
            up_conv01=convolution(n),
        )
        self._to_rgb = Chain(
            self,
            torgb5=convolution(3, activation="tanh", kernel_size=1),
            torgb4=convolution(3, activation="tanh", kernel_size=1),
            torgb3=convolution(3, activation="tanh", kernel_size=1),
            torgb2=convolution(3, activation="tanh", kernel_size=1),
            torgb1=convolution(3, activation="tanh", kernel_size=1),
        )
        self._to_image = Chain(self, decoder0=convolution(n), decoder2=convolution(3, activation="tanh"))

    @property
    def attention(self):
        return self._attentions and Attention(4, list(self._attentions))  # 4 at the finest level

    @property
    def returned(self):
        return ("predicted", "pyramid", *(("offsets",) if self._attentions else ()))

    @property
    def bytes_per_pixel(self):
        return 100 + 22 * self.width

    def call(self, inputs, training=False):
        decoded, predicted, offsets = self._walk(inputs, with_offsets=not training)
        pyramid = [tf.cast(layer(level), tf.float32) for layer, level in zip(self._to_rgb, decoded)]
        outputs = {"predicted": predicted, "pyramid": pyramid[::-1]}
        return outputs if offsets is None else {**outputs, "offsets": offsets}

    def fill(self, inputs, wanted=None):
        """`predicted` as `call` makes it, in the rectangle around all wanted holes alone; anything beyond, for speed.

        Every level is matched as the deeper one fills it, known places too. So only the last attention, which is most
        of the work, and what follows it can be left out beyond the rectangle.
        """
        return {"predicted": self._walk(inputs, bounding_box(inputs[1] if wanted is None else wanted))[1]}

    def _walk(self, inputs, *wanted, with_offsets=False):
        """(levels of the decoder, the deepest first; predicted; offsets or None), right in a `Box` alone if one is
        wanted.
        """
        masked_image, mask = inputs
        size = tf.shape(mask)[1:3]
        half = [self._half_read(box, size) for box in wanted]

        x, levels = tf.concat([masked_image + mask, mask], axis=-1), []
        for layer in self._encoder:
            x = layer(x)
            levels.append(x)  # [B, H / 2, W / 2, n] to [B, H / 64, W / 64, 16 n]

        filled, offsets = self._filled(levels, mask, *half, with_offsets=with_offsets)
        *decoders, finest_decoder = self._decoder
        x, decoded = filled[0], []
        for layer, level in zip(decoders, filled[1:]):
            x = _beside(layer(_double(x)), level)
            decoded.append(x)
        x = _beside(run_within(finest_decoder, _double(x), size // 2, *half), filled[-1])
        predicted = run_within(self._to_image, _double(x), size, *wanted)
        return [*decoded, x], tf.cast(predicted, tf.float32), offsets

    def _filled(self, levels, mask, *half, with_offsets):
        """(levels, the deepest first, each with its holes filled as the deeper one says; offsets or None)."""
        deepest, *middle, finest = reversed(levels)
        if self._attentions is None:
            return [deepest, *middle, finest], None
        *attentions, finest_attention = self._attentions
        filled = [deepest]
        for layer, level in zip(attentions, middle):
            filled.append(layer((level, filled[-1], mask)))
        finest = (finest, filled[-1], mask, *half)
        if not with_offsets:
            return [*filled, finest_attention(finest)], None
        finest, offsets = finest_attention(finest, with_offsets=True)
        return [*filled, finest], offsets

    def _half_read(self, wanted, size):
        """The `Box` of the finest level that a box of the prediction is made of."""
        read = self._to_image.reads(wanted).within(size)
        # A row of the doubled image lies between two of which the upper is half of it, or half of the one above it.
        return Box(read.first - 1, read.end + 2).shrunk(2).within(size // 2)


class PENNetDiscriminator(Network):
    """A patch discriminator with spectral normalisation in PyTorch's form.

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
        spectral = partial(partial, _convolution, of=StoredSpectralConv2D, kernel_size=5, border=1, use_bias=False)
        self._encoder = Chain(
            self,
            encoder0=spectral(width, activation=leaky_relu, strides=2),
            encoder2=spectral(2 * width, activation=leaky_relu, strides=2),
            encoder4=spectral(4 * width, activation=leaky_relu, strides=2),
            encoder6=spectral(8 * width, activation=leaky_relu),
        )
        self.classifier = _convolution(1, activation=None, kernel_size=5, border=1, name="classifier")

    def call(self, inputs, training=False, iterations=None):
        x = self._encoder(inputs, training=training, iterations=iterations)
        return tf.cast(self.classifier(x), tf.float32)

    def advance(self, passes=1):
        """What `passes` passes in training leave behind."""
        for layer in self._encoder:
            layer.advance(passes)


def _convolution(filters, of=MirrorConv2D, activation="relu", **settings):
    normal = tf.keras.initializers.RandomNormal(stddev=0.02)  # one each: called again, it draws the same numbers
    return of(filters, activation=activation, padding="CONSTANT", kernel_initializer=normal, **settings)


def _beside(features, others):
    """Channels of both, in the precision of the first."""
    return tf.concat([features, tf.cast(others, features.dtype)], axis=-1)


def _double(x):
    size = tf.shape(x)[1:3] * 2
    doubled = resize_bilinear(x, size)
    sides = [None if side is None else 2 * side for side in x.shape[1:3]]
    return tf.ensure_shape(doubled, [x.shape[0], *sides, x.shape[3]])
