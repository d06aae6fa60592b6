"""LaMa: a generator whose blocks see the whole image through its spectrum, and the discriminator it is trained by.

"Resolution-robust Large Mask Inpainting with Fourier Convolutions", Suvorov et al., WACV 2022 (arXiv 2109.07161), in
the form of its PyTorch release, which keeps images in [0, 1]; here they are in [-1, 1] outside of the networks.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.activations import leaky_relu
from tf_inpaint.layers.composite import Composite
from tf_inpaint.layers.convolution import MirrorConv2D
from tf_inpaint.layers.fourier_convolution import UNIFORM, FourierResidualBlock, NormFourierConv2D, convolution, norm
from tf_inpaint.layers.precision import MixedPrecision
from tf_inpaint.models.generator import Generator
from tf_inpaint.models.network import Network
from tf_inpaint.ops.transposed_convolution import doubled

KINDS = ("fourier", "regular", "dilated")
_WIDEST, _WIDEST_SEEN = 1024, 512  # most channels of generator and discriminator


class LaMaGenerator(Composite, Generator):
    """Shrinks an image threefold by halves, passes it through residual blocks, and doubles it back.

    Args:
        width: channels of the first layer (64 in the release).
        blocks: number of residual blocks (18 in big-lama, 9 in lama-fourier and lama-regular).
        kind: of the blocks: "fourier", fast Fourier convolutions; "regular", plain ones; "dilated", four dilations.
        global_ratio: of the Fourier blocks' channels that see the whole image.
        guided: whether it reads edges, those of the hole, as a fifth channel. The release has no such form.
    Call:
        inputs: (masked_image, mask) or, if guided, (masked_image, mask, edges): float32 [B, H, W, 3] in [-1, 1], RGB, 0
            in the holes; float32 [B, H, W, 1] in {0, 1}, 1 = hole, one for each image; float32 [B, H, W, 1] in {0, 1},
            1 = line. H and W: multiples of `size_multiple`, at least `minimum_size`.
        training: normalise by the batch's statistics.
        returns: dict of
            "predicted": float32 [B, H, W, 3] in [-1, 1];
            "statistics": in training only, what `advance` wants.
    Raises:
        ValueError: if `kind` is none.
    Reference: Suvorov et al. 2022; in the release `ffc_resnet`, `pix2pixhd_global`, `pix2pixhd_multidilated`.
    Deviations: biases of plain convolutions start at 0.
    """

    refinable = True
    whole_pixels = 1 << 21  # 12 megapixels took 25 s and 5 GiB, what is around a hole of 200 pixels 2 s and 1
    size_multiple = 8
    minimum_size = 16  # reflection needs two rows where the blocks are; 72 where they are dilated by 8

    @property
    def bytes_per_pixel(self):
        """Memory that completing takes for each pixel."""
        return 110 + 15 * self.width

    @property
    def bytes_per_refined_pixel(self):
        """Memory that refining takes for each pixel."""
        return 200 + (38 + 6 * len(self._blocks)) * self.width

    def __init__(
        self,
        width=64,
        blocks=18,
        kind="fourier",
        global_ratio=0.75,
        guided=False,
        name="lama_generator",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        if kind not in KINDS:
            raise ValueError(f"`kind` must be one of {', '.join(KINDS)}. Received: {kind!r}")
        self.width, self.kind = width, kind
        self.guided = guided
        self.minimum_size = least_size(kind)
        widths = [min(width * 2**level, _WIDEST) for level in range(4)]
        self._down = ("conv_in", "down1", "down2", "down3")
        self._blocks = tuple(f"block{index}" for index in range(1, blocks + 1))
        self._up = ("up1", "up2", "up3")
        if kind == "fourier":
            self.conv_in = NormFourierConv2D(widths[0], 7, name="conv_in")
            self.down1 = NormFourierConv2D(widths[1], 3, strides=2, name="down1")
            self.down2 = NormFourierConv2D(widths[2], 3, strides=2, name="down2")
            self.down3 = NormFourierConv2D(widths[3], 3, strides=2, ratio_out=global_ratio, name="down3")
            for name in self._blocks:
                setattr(self, name, FourierResidualBlock(widths[3], global_ratio, name=name))
        else:
            self.conv_in = NormConv(widths[0], 7, name="conv_in")
            self.down1 = NormConv(widths[1], 3, strides=2, padding="CONSTANT", name="down1")
            self.down2 = NormConv(widths[2], 3, strides=2, padding="CONSTANT", name="down2")
            self.down3 = NormConv(widths[3], 3, strides=2, padding="CONSTANT", name="down3")
            dilations = (1, 2, 4, 8) if kind == "dilated" else (1,)
            for name in self._blocks:
                setattr(self, name, ResidualBlock(widths[3], dilations, name=name))
        self.up1 = NormTransposedConv(widths[2], name="up1")
        self.up2 = NormTransposedConv(widths[1], name="up2")
        self.up3 = NormTransposedConv(widths[0], name="up3")
        initializer = tf.keras.initializers.deserialize(UNIFORM)
        settings = {"activation": None, "padding": "REFLECT", "kernel_initializer": initializer}
        self.conv_out = FewFiltersConv(3, 7, name="conv_out", **settings)
        self._widths = widths

    def build(self, input_shape):
        narrow, wide = self._widths[:3], self._widths[3]
        read = [4 + self.guided, *narrow, *[wide] * len(self._blocks), wide, *narrow[::-1]]
        for name, channels in zip((*self._down, *self._blocks, *self._up, "conv_out"), read):
            getattr(self, name).make(channels)
        self.built = True

    def call(self, inputs, training=False):
        masked_image, mask, edges = self.split(inputs)
        image = (masked_image + 1.0) * 0.5 * (1.0 - mask)  # in [0, 1], black in the holes
        features, seen = self.encode(tf.concat([image, mask, *edges], axis=-1), training)
        predicted, seen_by_rest = self.decode(features, training)
        outputs = {"predicted": 2.0 * predicted - 1.0}
        return {**outputs, "statistics": {**seen, **seen_by_rest}} if training else outputs

    def encode(self, x, training=False):
        """What stands before the first block: ((local, global), statistics) of float32 [B, H, W, 4 or 5] in [0, 1]."""
        features = (x, None) if self.kind == "fourier" else x
        return self._through(self._down, features, training)

    def decode(self, features, training=False):
        """(float32 [B, H, W, 3] in [0, 1], statistics) of what `encode` made."""
        features, seen = self._through(self._blocks, features, training)
        x = tf.concat([part for part in features if part is not None], axis=-1) if self.kind == "fourier" else features
        x, seen_by_up = self._through(self._up, x, training)
        return tf.sigmoid(tf.cast(self.conv_out(x), tf.float32)), {**seen, **seen_by_up}

    def _through(self, names, x, training):
        seen = {}
        for name in names:
            x, seen[name] = getattr(self, name)(x, training=training)
        return x, seen


def least_size(kind):
    """The shortest side of an image that blocks of a kind can take."""
    return 72 if kind == "dilated" else 16


class NormConv(Composite):
    """A convolution with a bias, batch normalisation, ReLU or another activation.

    Args:
        filters, kernel_size, strides, padding, border: as `MirrorConv2D`.
        activation: a function; None is linear.
        normalised: whether there is a normalisation.
    Call:
        inputs: float [B, H, W, C].
        training: as in `BatchNorm`.
        returns: (float32 [B, h, w, filters], statistics by attribute).
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="REFLECT",
        activation=tf.nn.relu,
        normalised=True,
        name=None,
        **settings,
    ):
        super().__init__(name=name)
        self.activation = activation
        self.conv = convolution(filters, kernel_size, "conv", strides, padding, use_bias=True, **settings)
        self.norm = norm("norm") if normalised else None

    def make(self, channels):
        self.conv.make(channels)
        if self.norm:
            self.norm.make(self.conv.filters)

    def call(self, inputs, training=False):
        x, seen = tf.cast(self.conv(inputs), tf.float32), {}
        if self.norm:
            x, seen["norm"] = self.norm(x, training=training)
        return self.activation(x) if self.activation else x, seen


class FewFiltersConv(MirrorConv2D):
    """A `MirrorConv2D` of stride 1 and even sides that computes 2 x 2 positions at once.

    Processors convolve 16 filters in the time of 3: with stride 2, four times the filters and a kernel larger by a row
    and a column, the positions of a block are a third of the work.
    """

    def convolve(self, inputs):
        kernel, around = tf.cast(self.effective_kernel(), self.precision), [[self._border] * 2] * 2
        moved = [tf.pad(kernel, [[y, 1 - y], [x, 1 - x], [0, 0], [0, 0]]) for y in (0, 1) for x in (0, 1)]
        padded = tf.pad(tf.cast(inputs, self.precision), [[0, 0], *around, [0, 0]], self.padding)
        blocks = tf.nn.conv2d(padded, tf.concat(moved, axis=-1), 2, "VALID")  # [B, H / 2, W / 2, 4 filters]
        return self._finished(tf.nn.depth_to_space(blocks, 2))


class NormTransposedConv(MixedPrecision):
    """A 3 x 3 transposed convolution with a bias, batch normalisation, ReLU: [B, H, W, C] -> [B, 2H, 2W, filters].

    As PyTorch has it with padding 1 on both sides; "SAME" of TensorFlow is shifted by one.

    Attributes:
        precision: tf.DType to convolve in; weights, normalisation and outputs are float32.
    """

    def __init__(self, filters, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.filters = filters
        self.norm = norm("norm")

    def build(self, input_shape):
        shape = (3, 3, self.filters, input_shape[-1])
        bound = (9 * self.filters) ** -0.5  # PyTorch takes the fan of the other direction
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=_within(bound), trainable=True)
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer=_within(bound), trainable=True)
        self.norm.build((None, None, None, self.filters))
        self.built = True

    def call(self, inputs, training=False):
        x, seen = self.norm(self.convolve(inputs), training=training)
        return tf.nn.relu(x), {"norm": seen}

    def convolve(self, inputs):
        """The convolution and bias, before the normalisation."""
        x = doubled(tf.cast(inputs, self.precision), tf.cast(self.kernel, self.precision))
        return tf.cast(x, tf.float32) + tf.convert_to_tensor(self.bias)  # the gradient of bias_add is slow


class ResidualBlock(Composite):
    """Two 3 x 3 convolutions with batch normalisation beside a skip; ReLU after the first alone.

    Args:
        filters: channels of input and output.
        dilations: (1,) convolves all channels; with more, as many equal parts of the input, each with a dilation of its
            own and all filters, are convolved and summed.
    """

    def __init__(self, filters, dilations=(1,), name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.dilations = dilations
        for index in (1, 2):
            for dilation in dilations:
                conv = convolution(filters, 3, f"conv{index}_{dilation}", dilation=dilation, use_bias=True)
                setattr(self, conv.name, conv)
        self.norm1, self.norm2 = norm("norm1"), norm("norm2")

    def make(self, channels):
        for index, norm_after in ((1, self.norm1), (2, self.norm2)):
            for dilation in self.dilations:
                getattr(self, f"conv{index}_{dilation}").make(channels // len(self.dilations))
            norm_after.make(channels)

    def call(self, inputs, training=False):
        x, seen1 = self.norm1(self._convolve(inputs, "conv1"), training=training)
        x, seen2 = self.norm2(self._convolve(tf.nn.relu(x), "conv2"), training=training)
        return inputs + x, {"norm1": seen1, "norm2": seen2}

    def _convolve(self, x, conv):
        parts = tf.split(x, len(self.dilations), axis=-1)
        convolved = [getattr(self, f"{conv}_{dilation}")(part) for dilation, part in zip(self.dilations, parts)]
        return tf.cast(tf.add_n(convolved), tf.float32)


class LaMaDiscriminator(Network):
    """Scores patches of an image; what it sees on the way is compared too.

    Args:
        width: channels of the first layer (64 in the release).
    Call:
        image: float32 [B, H, W, 3] in [-1, 1], RGB, without the mask; H and W at least 16.
        training: normalise by the batch's statistics.
        returns: (scores, features, statistics): float32 [B, h, w, 1], h = H / 16 + 3 and w likewise, the higher the
            likelier real; the list of the five activated maps; what `advance` wants, empty outside of training.
    Reference: the release's `pix2pixhd_nlayer`; it shows the network images in [0, 1].
    """

    def __init__(self, width=64, name="lama_discriminator", **kwargs):
        super().__init__(name=name, **kwargs)
        widths = [min(width * 2**level, _WIDEST_SEEN) for level in range(5)]
        for index, filters in enumerate(widths):
            layer = PatchConv(filters, 2 if index < 4 else 1, leaky_relu, index > 0, name=f"conv{index}")
            setattr(self, layer.name, layer)
        self.score = PatchConv(1, 1, None, False, name="score")

    def call(self, image, training=False):
        x, features, statistics = (image + 1.0) * 0.5, [], {}
        for name in ("conv0", "conv1", "conv2", "conv3", "conv4"):
            x, seen = getattr(self, name)(x, training=training)
            features.append(x)
            if seen:
                statistics[name] = seen
        scores, _ = self.score(x, training=training)
        return scores, features, statistics if training else {}


class PatchConv(MixedPrecision):
    """A 4 x 4 convolution with two zeros around and a bias, batch normalisation or none, an activation or none."""

    def __init__(self, filters, strides, activation, normalised, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.filters, self.strides, self.activation = filters, strides, activation
        self.norm = norm("norm") if normalised else None

    def build(self, input_shape):
        bound = (16 * input_shape[-1]) ** -0.5
        shape = (4, 4, input_shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=_within(bound), trainable=True)
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer=_within(bound), trainable=True)
        if self.norm:
            self.norm.build((None, None, None, self.filters))
        self.built = True

    def call(self, inputs, training=False):
        padding = [[0, 0], [2, 2], [2, 2], [0, 0]]
        inputs, kernel = tf.cast(inputs, self.precision), tf.cast(self.kernel, self.precision)
        x = tf.cast(tf.nn.conv2d(inputs, kernel, self.strides, padding), tf.float32)
        x, seen = tf.nn.bias_add(x, tf.convert_to_tensor(self.bias)), {}
        if self.norm:
            x, seen["norm"] = self.norm(x, training=training)
        return self.activation(x) if self.activation else x, seen


def _within(bound):
    """An initializer of its own for each weight, as Keras asks for."""
    return tf.keras.initializers.RandomUniform(-bound, bound)
