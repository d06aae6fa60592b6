"""Context Encoders: an image squeezed into a code, from which the missing part is drawn; and a discriminator that
judges it.

"Context Encoders: Feature Learning by Inpainting", Pathak et al., CVPR 2016 (arXiv 1604.07379), in the form of the
released Torch code; and the paper's own network for learning features, after AlexNet. The attributes carry the
restated names of the release's layers, but for the discriminator's last, `score`. All networks are of one image size.
"""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from tf_inpaint.layers.activations import leaky_relu
from tf_inpaint.layers.chain import Chain
from tf_inpaint.layers.channelwise_dense import ChannelwiseDense
from tf_inpaint.layers.norm_convolution import NormChain, NormConv2D
from tf_inpaint.models.generator import Generator
from tf_inpaint.models.network import Network
from tf_inpaint.ops.boxes import corners_around, crop_boxes, paste_boxes
from tf_inpaint.ops.images import to_float

REGIONS = ("centre", "box", "whole")
CODES = ("dense", "channelwise")
_CELLS = 4  # side of the maps around the code


class ContextEncoderGenerator(Generator):
    """Draws a target region of an image from all that surrounds it.

    The region is the image's central half ("centre"), as large a box around the hole ("box"), or all of it ("whole",
    for holes of any shape). The hole is painted in one colour before the network sees the image; for the first two it
    is the whole region, but for a frame of `overlap` pixels, which the network sees and draws again, or a smaller box
    of the size `hole` around it, whose surroundings in the region are seen and drawn again in the same way.

    Args:
        image_size: height and width of the images, a power of 2 >= 32.
        region: "centre", "box" or "whole".
        width: channels of the first layer.
        bottleneck: length of the code (4000 in the release's published training).
        code: "dense", a code of one cell; or "channelwise", the paper's layer that is fully connected within each
            channel, followed by a 1 x 1 convolution, which has no bottleneck.
        overlap: width of the frame in pixels.
        hole_fill: colour of the hole, (red, green, blue) of 0 .. 255.
        train_bias: whether the biases of convolutions act in training (see `NormConv2D`).
        hole: (height, width) of the hole in the region; (0, 0) is all of it but the frame.
    Call:
        inputs: (masked_image, mask): float32 [B, S, S, 3] in [-1, 1], RGB, 0 in the holes; float32 [B, S, S, 1] in
            {0, 1}, 1 = hole.
        returns: dict of
            "predicted": float32 [B, S, S, 3] in [-1, 1]: the drawn region at its place in the image as the network
                saw it;
            "patch": float32 [B, T, T, 3] in [-1, 1], the region alone: T is S, or S / 2;
            "statistics": in training only, what `advance` wants.
    Raises:
        ValueError: if an argument is outside what is listed.
    Reference: Pathak et al. 2016, in the form of the release, as restated with layer tables.
    Deviations: the release's optional noise in the code is not there; the channel-wise code stands between the
        release's encoder and decoder, not between AlexNet's and the paper's; below 64 pixels the encoder has as many
        halvings as fit.
    """

    bytes_per_pixel = 4000
    returned = ("predicted", "patch")

    def __init__(
        self,
        image_size=128,
        region="centre",
        width=64,
        bottleneck=4000,
        code="dense",
        overlap=4,
        hole_fill=(117, 104, 123),
        train_bias=False,
        hole=(0, 0),
        name="context_encoder_generator",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        _check_size("image_size", image_size, 32)
        if region not in REGIONS:
            raise ValueError(f"`region` must be one of {', '.join(REGIONS)}. Received: {region!r}")
        if code not in CODES:
            raise ValueError(f"`code` must be one of {', '.join(CODES)}. Received: {code!r}")
        self.fixed_size = self.size_multiple = self.minimum_size = image_size
        self.region, self.code = region, code
        self.target_size = image_size if region == "whole" else image_size // 2
        self.overlap = 0 if region == "whole" else overlap
        within = self.target_size - 2 * self.overlap
        if within < 1:
            raise ValueError(f"`overlap` must leave a hole in {self.target_size} pixels. Received: {overlap}")
        self.hole = tuple(side or within for side in hole)
        self.hole_size = min(self.hole)
        if max(self.hole) > within:
            raise ValueError(f"`hole` must be at most {within} pixels high and wide. Received: {hole}")
        self.hole_fill = tuple(hole_fill)

        down = [factor * width for factor in _factors(image_size)]
        up = _decoder_widths(down, self.target_size)
        convolution = partial(partial, NormConv2D, train_bias=train_bias)
        encoder = {
            f"enc{i}": convolution(filters, norm=i > 1, activation=leaky_relu)
            for i, filters in enumerate(down, start=1)
        }
        if code == "dense":
            encoder["bottleneck"] = convolution(bottleneck, strides=1, padding="VALID", activation=leaky_relu)
        self._encoder = NormChain(self, **encoder)
        if code == "dense":
            first = convolution(up[0], strides=1, padding="VALID", transposed=True)
        else:
            self.channelwise = ChannelwiseDense(name="channelwise")
            first = convolution(up[0], kernel_size=1, strides=1)
        self._decoder = NormChain(
            self,
            dec1=first,
            **{f"dec{i}": convolution(filters, transposed=True) for i, filters in enumerate(up[1:], start=2)},
            out=convolution(3, transposed=True, norm=False, activation="tanh"),
        )

    def call(self, inputs, training=False):
        masked_image, mask = inputs
        context, position = self.context(masked_image, mask)
        code, seen = self._encoder(context, training)
        if self.code == "channelwise":
            code = self.channelwise(code)
        patch, drawn = self._decoder(code, training)
        if self.region == "whole":
            predicted = patch
        else:
            region = paste_boxes(tf.ones_like(patch[..., :1]), position, self.fixed_size, self.fixed_size)
            pasted = paste_boxes(patch, position, self.fixed_size, self.fixed_size)
            predicted = context * (1.0 - region) + pasted
        outputs = {"predicted": predicted, "patch": patch}
        return {**outputs, "statistics": {**seen, **drawn}} if training else outputs

    def context(self, masked_image, mask):
        """What the network sees of an image, and where its region lies: (float32 [B, S, S, 3], int32 [B, 2])."""
        if self.region != "whole":
            height, width = self.hole
            hole = tf.ones_like(mask[:, :height, :width])
            seen = paste_boxes(hole, self._corner(mask, height, width), self.fixed_size, self.fixed_size)
        else:
            seen = mask
        return _painted(masked_image, seen, self.hole_fill), self.position(mask)

    def position(self, mask):
        """Top left corner of each image's region: int32 [B, 2]."""
        return self._corner(mask, self.target_size, self.target_size)

    def _corner(self, mask, height, width):
        """Top left corner of a box at the image's centre, or around its hole: int32 [B, 2]."""
        if self.region == "box":
            return corners_around(mask, height, width)
        corner = tf.constant([(self.fixed_size - height) // 2, (self.fixed_size - width) // 2])
        return tf.tile(corner[tf.newaxis], [tf.shape(mask)[0], 1])

    def target(self, image, mask):
        """The region of an image or mask: float32 [B, T, T, C]."""
        return crop_boxes(image, self.position(mask), self.target_size, self.target_size)


class AlexNetContextEncoder(Generator):
    """The paper's network for learning features: AlexNet up to its fifth layer, a layer that is fully connected within
    each channel, and five convolutions upwards. It draws whole images, for holes of any shape.

    Args:
        hole_fill: colour of the hole, (red, green, blue) of 0 .. 255.
    Call:
        inputs: (masked_image, mask): float32 [B, 227, 227, 3] in [-1, 1], RGB, 0 in the holes; float32 [B, 227, 227, 1]
            in {0, 1}, 1 = hole.
        returns: dict of "predicted" and "patch", the same float32 [B, 227, 227, 3] in [-1, 1], and in training only
            "statistics", of which there are none.
    Reference: Pathak et al. 2016, section 3.1; Krizhevsky et al. 2012 for the encoder.
    Deviations: the paper leaves open how the last map of 161 pixels becomes an image of 227, here bilinearly; what its
        range is, here tanh's; and how kernels start, here as the release's.
    """

    bytes_per_pixel = 1200
    returned = ("predicted", "patch")
    fixed_size = size_multiple = minimum_size = hole_size = target_size = 227

    def __init__(self, hole_fill=(117, 104, 123), name="alexnet_context_encoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.hole_fill = tuple(hole_fill)
        same = partial(NormConv2D, norm=False, strides=1)
        self.conv1 = NormConv2D(96, 11, 4, "VALID", norm=False, name="conv1")
        self.conv2a, self.conv2b = same(128, 5, name="conv2a"), same(128, 5, name="conv2b")
        self.conv3 = same(384, 3, name="conv3")
        self.conv4a, self.conv4b = same(192, 3, name="conv4a"), same(192, 3, name="conv4b")
        self.conv5a, self.conv5b = same(128, 3, name="conv5a"), same(128, 3, name="conv5b")
        self.channelwise = ChannelwiseDense(name="channelwise")
        self.across = same(256, 1, name="across")
        up = partial(partial, NormConv2D, kernel_size=5, padding="VALID", transposed=True, norm=False)
        self._decoder = Chain(self, up1=up(128), up2=up(64), up3=up(64), up4=up(32), up5=up(3, activation=None))

    def call(self, inputs, training=False):
        masked_image, mask = inputs
        x = self._encode(_painted(masked_image, mask, self.hole_fill), training)  # [B, 6, 6, 256]
        x, _ = self.across(self.channelwise(x), training=training)
        for layer in self._decoder:  # 11, 21, 41, 81, 161 pixels
            x, _ = layer(x, training=training)
            x = x[:, 2:-2, 2:-2]
        patch = tf.tanh(tf.image.resize(x, [self.fixed_size] * 2))
        outputs = {"predicted": patch, "patch": patch}
        return {**outputs, "statistics": {}} if training else outputs

    def context(self, masked_image, mask):
        """As of `ContextEncoderGenerator`."""
        return _painted(masked_image, mask, self.hole_fill), tf.zeros([tf.shape(mask)[0], 2], tf.int32)

    def target(self, image, mask):
        """As of `ContextEncoderGenerator`: all of the image."""
        return image

    def _encode(self, x, training):
        x = _pooled(_normalised(self.conv1(x, training=training)[0]))  # [B, 27, 27, 96]
        x = _pooled(_normalised(_side_by_side([self.conv2a, self.conv2b], x, training)))  # [B, 13, 13, 256]
        x, _ = self.conv3(x, training=training)  # [B, 13, 13, 384]
        x = _side_by_side([self.conv4a, self.conv4b], x, training)
        return _pooled(_side_by_side([self.conv5a, self.conv5b], x, training))


class ContextEncoderDiscriminator(Network):
    """Tells drawn regions from true ones, with or without what surrounds them.

    Args:
        patch_size: height and width of the regions, a power of 2 >= 16.
        width: channels of the first layer.
        conditional: whether it also sees the image the region was drawn for, twice as high and wide.
        train_bias: whether the biases of convolutions act in training.
    Call:
        inputs: float32 [B, T, T, 3] in [-1, 1]; conditional: (patch, context), the latter float32 [B, 2T, 2T, 3].
        returns: (scores, statistics): float32 [B, 1], logits; what `advance` wants, empty outside of training.
    Reference: Pathak et al. 2016, in the form of the release.
    Deviations: logits, where the release has their sigmoid.
    """

    def __init__(
        self,
        patch_size=64,
        width=64,
        conditional=False,
        train_bias=False,
        name="context_encoder_discriminator",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        _check_size("patch_size", patch_size, 16)
        self.patch_size, self.conditional = patch_size, conditional
        factors = _factors(patch_size)
        convolution = partial(partial, NormConv2D, train_bias=train_bias)
        if conditional:
            side = partial(NormConv2D, width, 5, padding="VALID", norm=False, activation=None, train_bias=train_bias)
            self.ctx, self.pred = side(name="ctx"), side(name="pred")
            names = [f"c{i}" for i in range(2, len(factors) + 2)]
        else:
            names = [f"c{i}" for i in range(1, len(factors) + 1)]
            if factors[:2] == [1, 1]:
                names = ["c1", "c1b", *names[1:-1]]
        halvings = {
            name: convolution(factor * width, norm=conditional or name != "c1", activation=leaky_relu)
            for name, factor in zip(names, factors)
        }
        score = convolution(1, strides=1, padding="VALID", norm=False, activation=None)
        self._convolutions = NormChain(self, **halvings, score=score)

    def call(self, inputs, training=False):
        x = self._join(*inputs, training) if self.conditional else inputs
        scores, statistics = self._convolutions(x, training)
        return tf.reshape(scores, [-1, 1]), statistics

    def _join(self, patch, context, training):
        seen, _ = self.ctx(_with_border(context, 2), training=training)
        drawn, _ = self.pred(_with_border(patch, 2 + self.patch_size // 2), training=training)
        return leaky_relu(tf.concat([seen, drawn], axis=-1))


def _painted(masked_image, mask, colour):
    """An image with its holes in one colour of 0 .. 255."""
    return masked_image * (1.0 - mask) + to_float(tf.constant(colour, tf.float32)) * mask


def _side_by_side(layers, x, training):
    """AlexNet's grouped convolutions: each layer sees its part of the channels."""
    parts = zip(layers, tf.split(x, len(layers), axis=-1))
    return tf.concat([layer(part, training=training)[0] for layer, part in parts], axis=-1)


def _normalised(x):
    return tf.nn.local_response_normalization(x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75)


def _pooled(x):
    return tf.nn.max_pool2d(x, 3, 2, "VALID")


def _check_size(name, size, least):
    if size < least or size & (size - 1):
        raise ValueError(f"`{name}` must be a power of 2, at least {least}. Received: {size}")


def _decoder_widths(encoder_widths, target_size):
    """The encoder's widths backwards, as many as there are doublings."""
    doublings = (target_size // _CELLS).bit_length() - 1
    widths = encoder_widths[::-1]
    return (widths + widths[-1:] * doublings)[:doublings]


def _with_border(image, border):
    return tf.pad(image, [[0, 0], [border, border], [border, border], [0, 0]])


def _factors(size):
    """Channels, in widths of the first layer, of the halvings from `size` to 4 x 4: 1, 1, 2, 4, 8 for 128 pixels."""
    halvings = (size // _CELLS).bit_length() - 1
    deepest = min(8, 2 ** (halvings - 1))
    return [max(1, deepest >> (halvings - 1 - i)) for i in range(halvings)]
