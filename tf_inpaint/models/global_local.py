"""Global and Local: a completion network with dilated convolutions, and two discriminators, of the whole image and of
a patch, whose findings are joined in one score.

"Globally and Locally Consistent Image Completion", Iizuka et al., SIGGRAPH 2017. The attributes carry the numbers of
the paper's tables; the order of convolution, normalisation and ReLU is that of the released weights.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.batch_norm import BatchNorm
from tf_inpaint.layers.composite import Composite
from tf_inpaint.layers.convolution import MirrorConv2D
from tf_inpaint.layers.precision import MixedPrecision
from tf_inpaint.models.generator import Generator
from tf_inpaint.models.network import Network
from tf_inpaint.ops.transposed_convolution import doubled

ORDERS = ("conv_bn_relu", "conv_relu_bn")
PLACES2_MEAN = (0.4560, 0.4472, 0.4155)
# Kernel, widths of the first layer, strides (below 1 enlarges), dilation of the layers before the last.
_LAYERS = (
    *((5, 1, 1, 1), (3, 2, 2, 1), (3, 2, 1, 1), (3, 4, 2, 1), (3, 4, 1, 1), (3, 4, 1, 1)),
    *((3, 4, 1, 2), (3, 4, 1, 4), (3, 4, 1, 8), (3, 4, 1, 16), (3, 4, 1, 1), (3, 4, 1, 1)),
    *((4, 2, 0.5, 1), (3, 2, 1, 1), (4, 1, 0.5, 1), (3, 0.5, 1, 1)),
)
_WIDEST, _CODE = 8, 16  # widths of the first layer: of a discriminator's maps at most, of what it hands on


class GlobalLocalGenerator(Composite, Generator):
    """Shrinks an image to a quarter, looks far around by dilation, and enlarges it again.

    Args:
        width: channels of the first layer (64 in the paper).
        order: "conv_bn_relu", that of the released weights, or "conv_relu_bn".
        mean: colour, (red, green, blue) in [0, 1], that holes are filled with and images are seen less of.
    Call:
        inputs: (masked_image, mask): float32 [B, H, W, 3] in [-1, 1], RGB; float32 [B, H, W, 1] in {0, 1}, 1 = hole. H
            and W: multiples of 4.
        training: normalise by the batch's statistics.
        returns: dict of
            "predicted": float32 [B, H, W, 3] in [-1, 1];
            "statistics": in training only, what `advance` wants.
    Raises:
        ValueError: if `order` is none.
    Reference: Iizuka et al. 2017, table 1.
    """

    size_multiple = 4
    minimum_size = 16

    @property
    def bytes_per_pixel(self):
        """Memory that completing takes for each pixel."""
        return 50 + 35 * self.width // 2

    def __init__(self, width=64, order="conv_bn_relu", mean=PLACES2_MEAN, name="global_local_generator", **kwargs):
        super().__init__(name=name, **kwargs)
        if order not in ORDERS:
            raise ValueError(f"`order` must be one of {', '.join(ORDERS)}. Received: {order!r}")
        self.width, self.mean = width, tuple(mean)
        for index, (kernel, widths, strides, dilation) in enumerate(_LAYERS, start=1):
            filters = int(widths * width)
            if strides < 1:
                conv = TransposedConv2D(filters, name="conv")
            else:
                conv = _convolution(filters, kernel, strides, dilation)
            layer = OrderedConv(conv, order, name=f"conv{index}")
            setattr(self, layer.name, layer)
        self.conv17 = MirrorConv2D(3, 3, activation=None, padding="CONSTANT", name="conv17")

    def call(self, inputs, training=False):
        masked_image, mask, _ = self.split(inputs)
        mean = tf.constant(self.mean, masked_image.dtype)
        x, statistics = ((masked_image + 1.0) * 0.5 - mean) * (1.0 - mask), {}
        x = tf.concat([x, mask], axis=-1)  # the mean colour in the holes
        for index in range(1, len(_LAYERS) + 1):
            name = f"conv{index}"
            x, statistics[name] = getattr(self, name)(x, training=training)
        x = tf.sigmoid(tf.cast(self.conv17(x), self.compute_dtype))
        outputs = {"predicted": 2.0 * x - 1.0}
        return {**outputs, "statistics": statistics} if training else outputs


class GlobalLocalDiscriminator(Composite, Network):
    """Scores an image together with a patch of it.

    Args:
        width: channels of the first layer of both (64 in the paper).
        layers: how many convolutions the local and the global one have, each of which halves its image: (5, 6) in the
            paper for patches of 128 and images of 256 pixels, (5, 5) for 96 and 160.
        order: as `GlobalLocalGenerator`.
    Call:
        inputs: (image, patch): float32 [B, H, W, 3] and [B, h, w, 3] in [-1, 1], RGB, each always of one size.
        training: normalise by the batch's statistics.
        returns: (scores, statistics): float32 [B, 1], logits; what `advance` wants, empty outside of training.
    Reference: Iizuka et al. 2017, table 2.
    Deviations: ReLU after the layers of 1024 units, on which the paper is silent.
    """

    def __init__(self, width=64, layers=(5, 6), order="conv_bn_relu", name="global_local_discriminator", **kwargs):
        super().__init__(name=name, **kwargs)
        self.local_critic = _Critic(width, layers[0], order, name="local_critic")
        self.global_critic = _Critic(width, layers[1], order, name="global_critic")
        self.score = tf.keras.layers.Dense(1, name="score")

    def call(self, inputs, training=False):
        image, patch = ((images + 1.0) * 0.5 for images in inputs)
        seen_locally, of_local = self.local_critic(patch, training=training)
        seen_globally, of_global = self.global_critic(image, training=training)
        scores = self.score(tf.concat([seen_locally, seen_globally], axis=-1))
        return scores, {"local_critic": of_local, "global_critic": of_global} if training else {}


class OrderedConv(Composite):
    """A convolution with a bias, batch normalisation and ReLU, in either order of the last two.

    Before a normalisation the bias never learns, as it changes nothing there: its gradient would be rounding, and Adam
    makes steps of that.

    Args:
        conv: the convolution, a layer without a bias.
        order: "conv_bn_relu" or "conv_relu_bn".
    Call:
        inputs: float [B, H, W, C].
        training: as in `BatchNorm`.
        returns: (float32 [B, h, w, filters], the normalisation's statistics by attribute, {} outside of training).
    """

    def __init__(self, conv, order, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.order = order
        self.conv = conv
        self.norm = BatchNorm(gamma_initializer="ones", axis_by_axis=True, name="norm")

    def build(self, input_shape):
        self.bias = self.add_weight(name="bias", shape=(self.conv.filters,), initializer="zeros", trainable=True)
        self.built = True

    def call(self, inputs, training=False):
        bias = tf.convert_to_tensor(self.bias)
        bias = tf.stop_gradient(bias) if self.order == "conv_bn_relu" else bias
        x = tf.nn.bias_add(tf.cast(self.conv(inputs), self.compute_dtype), bias)
        if self.order == "conv_relu_bn":
            x = tf.nn.relu(x)
        x, seen = self.norm(x, training=training)
        if self.order == "conv_bn_relu":
            x = tf.nn.relu(x)
        return x, {"norm": seen} if training else {}


class TransposedConv2D(MixedPrecision):
    """A 4 x 4 transposed convolution: [B, H, W, C] -> [B, 2H, 2W, filters]."""

    def __init__(self, filters, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.filters = filters

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel", shape=(4, 4, self.filters, input_shape[-1]), initializer="glorot_uniform", trainable=True
        )
        self.built = True

    def call(self, inputs):
        return doubled(tf.cast(inputs, self.precision), tf.cast(self.kernel, self.precision))


class _Critic(Composite):
    """Halves an image by each of its layers; what is left becomes a vector: (float32 [B, 16 width], statistics)."""

    def __init__(self, width, layers, order, name=None):
        super().__init__(name=name)
        self.depth = layers
        for index in range(1, layers + 1):
            filters = width * min(2 ** (index - 1), _WIDEST)
            layer = OrderedConv(_convolution(filters, 5, 2), order, name=f"conv{index}")
            setattr(self, layer.name, layer)
        self.fc = tf.keras.layers.Dense(_CODE * width, name="fc")

    def call(self, image, training=False):
        x, statistics = image, {}
        for index in range(1, self.depth + 1):
            name = f"conv{index}"
            x, statistics[name] = getattr(self, name)(x, training=training)
        x = tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]])
        return tf.nn.relu(self.fc(x)), statistics


def _convolution(filters, kernel_size, strides=1, dilation=1):
    """Zeros on every side, at every stride."""
    settings = {"activation": None, "padding": "CONSTANT", "use_bias": False, "name": "conv"}
    return MirrorConv2D(filters, kernel_size, strides, dilation, **settings)
