"""DeepFill v2: DeepFill v1's generator with gated convolutions, optionally guided by a sketch, and SN-PatchGAN.

"Free-Form Image Inpainting with Gated Convolution", Yu et al., ICCV 2019 (arXiv 1806.03589), in the form of its
release. The layers and their names are v1's.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers import SpectralConv2D, convolution_kind
from tf_inpaint.models.deepfill_v1 import (
    ATTENTION_STRIDE,
    SIZE_MULTIPLE,
    CoarseNetwork,
    RefinementNetwork,
    leaky_relu,
    minimum_size,
)
from tf_inpaint.models.generator import Attention, Generator
from tf_inpaint.ops.boxes import bounding_box
from tf_inpaint.ops.images import composite


class DeepFillV2Generator(Generator):
    """Completes pictures with holes of any shape in two stages of gated convolutions, following a sketch if guided.

    Args:
        width: filters of the first layer, half of them gates (48 in the release); without gates all are handed on.
        padding: "SYMMETRIC" or "REFLECT" (mirror padding) or "SAME" (what the release's test program uses).
        guided: whether the network reads a sketch.
        convolution: "gated", or for comparison "plain" or "partial" (see `DeepFillV1Generator`), which does not read
            what a sketch says about the hole.
    Call:
        inputs: (masked_image, mask) or, if guided, (masked_image, mask, edges): float32 [B, H, W, 3] in [-1, 1], RGB, 0
            in the holes; float32 [B, H, W, 1] in {0, 1}, 1 = hole; float32 [B, H, W, 1] in {0, 1}, 1 = line, of which
            only what lies in the hole is read. H and W: multiples of `size_multiple`, at least `minimum_size`.
        returns: dict of
            "coarse", "refined": float32 [B, H, W, 3] in [-1, 1], the two stages' outputs;
            "predicted": the same tensor as "refined";
            "offsets": int32 [B, H / 8, W / 8, 2], what each patch attended to (see `ContextualAttention`).
    Raises:
        ValueError: if `convolution` is none of those listed.
    Reference: Yu et al. 2019, figure 3, in the form of the release: tanh, and a second stage that sees colours only.
    Deviations: a mask for every picture, where the release uses the first one for all.
    """

    size_multiple = SIZE_MULTIPLE
    returned = ("coarse", "refined", "predicted", "offsets")

    def __init__(
        self,
        width=48,
        padding="SYMMETRIC",
        guided=False,
        convolution="gated",
        name="deepfill_v2_generator",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.width = width
        self.padding = padding
        self.guided = guided
        self.convolution = convolution
        kind = convolution_kind(convolution)
        self.coarse = CoarseNetwork(width, kind, padding, tf.tanh, name="coarse")
        self.refinement = RefinementNetwork(width, kind, padding, tf.tanh, name="refinement")

    @property
    def minimum_size(self):
        return minimum_size(self.padding)

    @property
    def attention(self):
        return Attention(ATTENTION_STRIDE, [self.refinement.attention])

    @property
    def bytes_per_pixel(self):
        return 100 + 14 * self.width

    @property
    def bytes_per_known_pixel(self):
        return 20 + 12 * self.width

    def call(self, inputs, training=False):
        masked_image, mask = inputs[:2]
        coarse, unknown = self.coarse((self._planes(inputs), mask))
        refined, offsets = self.refinement((composite(coarse, masked_image, mask), unknown, mask))
        return {"coarse": coarse, "refined": refined, "predicted": refined, "offsets": offsets}

    def fill(self, inputs):
        """`predicted` and `offsets` of `call`, in the rectangle around all holes alone; anything beyond, for speed."""
        masked_image, mask = inputs[:2]
        wanted = bounding_box(mask)
        coarse, unknown = self.coarse.fill((self._planes(inputs), mask), wanted)
        refined, offsets = self.refinement.fill((composite(coarse, masked_image, mask), unknown, mask), wanted)
        return {"predicted": refined, "offsets": offsets}

    def _planes(self, inputs):
        """What the first layer takes: float32 [B, H, W, 5], or 6 with a sketch."""
        masked_image, mask = inputs[:2]
        sketch = [edges * mask for edges in inputs[2:]]
        if len(sketch) != self.guided:
            wanted = "(masked_image, mask, edges)" if self.guided else "(masked_image, mask)"
            raise ValueError(f"`inputs` must be {wanted}. Received: {len(inputs)} tensors")
        return tf.concat([masked_image, *sketch, tf.ones_like(mask), mask], axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "padding": self.padding,
            "guided": self.guided,
            "convolution": self.convolution,
        }


class DeepFillV2Discriminator(tf.keras.Model):
    """SN-PatchGAN: one score for every place and channel of a spectrally normalised stack of convolutions.

    Args:
        width: channels of the first layer (64 in the release).
    Call:
        inputs: float32 [B, H, W, 4]: picture in [-1, 1] and mask; or [B, H, W, 5] with the sketch inside the hole.
        training: True also advances the power iteration of every layer (see `SpectralConv2D`), as `advance` does.
        returns: float32 [B, ceil(H / 64) * ceil(W / 64) * 4 width], unbounded scores.
    Reference: Yu et al. 2019, section 3.3, in the form of the release: leaky ReLU after the last layer too.
    Deviations: none.
    """

    def __init__(self, width=64, name="deepfill_v2_discriminator", **kwargs):
        super().__init__(name=name, **kwargs)
        self.width = width
        self.conv1 = _critic_convolution(width, "conv1")
        self.conv2 = _critic_convolution(2 * width, "conv2")
        self.conv3 = _critic_convolution(4 * width, "conv3")
        self.conv4 = _critic_convolution(4 * width, "conv4")
        self.conv5 = _critic_convolution(4 * width, "conv5")
        self.conv6 = _critic_convolution(4 * width, "conv6")

    def call(self, inputs, training=False):
        x = self.conv1(inputs, training=training)
        x = self.conv2(x, training=training)
        x = self.conv3(x, training=training)
        x = self.conv4(x, training=training)
        x = self.conv5(x, training=training)
        x = self.conv6(x, training=training)
        return tf.cast(tf.reshape(x, [tf.shape(x)[0], -1]), tf.float32)

    def advance(self):
        """One step of every layer's power iteration: what a forward pass in training leaves behind."""
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5, self.conv6):
            layer.advance()

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def _critic_convolution(filters, name):
    return SpectralConv2D(filters, 5, strides=2, activation=leaky_relu, padding="SAME", name=name)
