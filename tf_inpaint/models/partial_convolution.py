"""The U-Net of partial convolutions: it knows no hole's content at any depth, and closes holes from their rims.

"Image Inpainting for Irregular Holes Using Partial Convolutions", Liu et al., ECCV 2018 (arXiv 1804.07723), whose
authors published the layer alone: the network is that of the paper's table, with what the table leaves open as in the
program by which most compare (naoto0804's).
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.activations import leaky_relu
from tf_inpaint.layers.batch_norm import BatchNorm
from tf_inpaint.layers.composite import Composite
from tf_inpaint.layers.partial_convolution import PartialConv2D
from tf_inpaint.models.generator import Generator
from tf_inpaint.ops.images import enlarge_twice

_KERNELS = (7, 5, 5)  # of the first layers; 3 from then on
_WIDEST = 8  # times the first layer's channels
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of colours in [0, 1]


class PartialConvolutionGenerator(Composite, Generator):
    """Halves an image `depth` times and doubles it back; every layer sees the known positions of its input alone.

    Args:
        width: channels of the first layer (64 in the paper).
        depth: how many times sides are halved (8 in the paper, for 512 x 512; 7 for 256 x 256).
        window_factor: as `PartialConv2D`; False is for comparison.
    Call:
        inputs: (masked_image, mask): float32 [B, H, W, 3] in [-1, 1], RGB; float32 [B, H, W, 1] in {0, 1}, 1 = hole.
            What stands in the holes has no influence.
        training: normalise by the batch's statistics, and leave colours unclipped.
        frozen: normalise by the running statistics in the encoder, as in fine-tuning.
        returns: dict of
            "predicted": float32 [B, H, W, 3] in [-1, 1], in training beyond;
            "statistics": in training only, what `advance` wants.
    Raises:
        ValueError: if `depth` is below 2.
    Reference: Liu et al. 2018, appendix.
    Deviations: no bias but the last layer's; images are normalised by ImageNet's mean and deviation.
    """

    @property
    def bytes_per_pixel(self):
        """Memory that completing takes for each pixel."""
        return 250 + 38 * self.width

    def __init__(self, width=64, depth=8, window_factor=True, name="partial_convolution_generator", **kwargs):
        super().__init__(name=name, **kwargs)
        if depth < 2:
            raise ValueError(f"`depth` must be at least 2. Received: {depth}")
        self.width, self.depth = width, depth
        self.size_multiple = self.minimum_size = 2**depth
        channels = [3, *(width * min(2**level, _WIDEST) for level in range(depth))]  # of the input, of each halving
        for level in range(1, depth + 1):
            kernel = _KERNELS[level - 1] if level <= len(_KERNELS) else 3
            counts = (channels[level - 1],)
            settings = {"strides": 2, "window_factor": window_factor, "name": f"enc{level}"}
            layer = PartialNormConv2D(channels[level], kernel, counts, tf.nn.relu, level > 1, **settings)
            setattr(self, layer.name, layer)
        for level in range(depth, 0, -1):
            counts, activation = (channels[level], channels[level - 1]), leaky_relu if level > 1 else None
            settings = {"use_bias": level == 1, "window_factor": window_factor, "name": f"dec{level}"}
            layer = PartialNormConv2D(channels[level - 1], 3, counts, activation, level > 1, **settings)
            setattr(self, layer.name, layer)

    def call(self, inputs, training=False, frozen=False):
        masked_image, mask, _ = self.split(inputs)
        colours, statistics = self.draw(standardised(masked_image), mask, training, frozen)
        predicted = from_standardised(colours)
        if training:
            return {"predicted": predicted, "statistics": statistics}
        return {"predicted": tf.clip_by_value(predicted, -1.0, 1.0)}

    def draw(self, x, mask, training=False, frozen=False):
        """(standardised colours [B, H, W, 3], statistics) of standardised colours [B, H, W, 3] and their hole."""
        flow, skips, statistics = (x, mask), [], {}
        for level in range(1, self.depth + 1):
            skips.append(flow)
            name = f"enc{level}"
            flow, statistics[name] = getattr(self, name)(flow, training=training and not frozen)
        for level in range(self.depth, 0, -1):
            (x, hole), (skip, skip_hole) = map(enlarge_twice, flow), skips.pop()
            joined = tf.concat([x, skip], axis=-1), tf.concat([hole, skip_hole], axis=-1)
            name = f"dec{level}"
            flow, statistics[name] = getattr(self, name)(joined, training=training)
        return flow[0], {name: seen for name, seen in statistics.items() if seen}

    def of_encoder(self, weight_name):
        """Whether a weight, by its name, belongs to a normalisation of the encoder, which fine-tuning freezes."""
        return weight_name.startswith("enc") and ".norm." in weight_name


class PartialNormConv2D(Composite):
    """A partial convolution, batch normalisation or none, an activation or none.

    Args:
        filters, kernel_size, mask_channels: as `PartialConv2D`; others too.
        activation: a function; None is linear.
        normalised: whether there is a normalisation, over all positions, holes included.
    Call:
        inputs: (features, mask) as `PartialConv2D`.
        training: as in `BatchNorm`.
        returns: ((features, new mask), statistics by attribute).
    """

    def __init__(
        self, filters, kernel_size, mask_channels, activation, normalised, use_bias=False, name=None, **settings
    ):
        super().__init__(name=name)
        self.activation = activation
        kernel = tf.keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")  # He's, whole
        settings.update(mask_channels=mask_channels, use_bias=use_bias, kernel_initializer=kernel)
        self.conv = PartialConv2D(filters, kernel_size, **settings, name="conv")
        self.norm = BatchNorm(gamma_initializer="ones", axis_by_axis=True, name="norm") if normalised else None

    def call(self, inputs, training=False):
        (x, mask), seen = self.conv(inputs), {}
        x = tf.cast(x, self.compute_dtype)
        if self.norm:
            x, statistics = self.norm(x, training=training)
            seen = {"norm": statistics} if training else {}
        return (self.activation(x) if self.activation else x, mask), seen


def standardised(image):
    """Colours less ImageNet's mean, over its deviation: float [B, H, W, 3] of float [B, H, W, 3] in [-1, 1]."""
    return ((image + 1.0) * 0.5 - tf.constant(_MEAN, image.dtype)) / tf.constant(_DEVIATION, image.dtype)


def from_standardised(colours):
    """The image of `standardised` colours."""
    return 2.0 * (colours * tf.constant(_DEVIATION, colours.dtype) + tf.constant(_MEAN, colours.dtype)) - 1.0
