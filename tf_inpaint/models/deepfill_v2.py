"""DeepFill v2: DeepFill v1's generator with gated convolutions, optionally guided by edges, and SN-PatchGAN.

"Free-Form Image Inpainting with Gated Convolution", Yu et al., ICCV 2019 (arXiv 1806.03589), in the form of its
release. The layers of both stages stand in `models/two_stages.py`.
"""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from tf_inpaint.layers import SpectralConv2D
from tf_inpaint.layers.activations import leaky_relu
from tf_inpaint.layers.chain import Chain
from tf_inpaint.models.network import Network
from tf_inpaint.models.two_stages import TwoStageGenerator, with_planes


class DeepFillV2Generator(TwoStageGenerator):
    """Completes images with holes of any shape in two stages of gated convolutions, following edges if guided.

    Args:
        width: filters of the first layer, half of them gates (48 in the release); without gates all are handed on.
        padding: "SYMMETRIC" or "REFLECT" (mirror padding) or "SAME" (what the release's test program uses).
        guided: whether the network reads edges.
        convolution: "gated", or for comparison "plain" or "partial" (see `DeepFillV1Generator`), which does not read
            what edges say about the hole.
        skips: as `TwoStageGenerator`; the paper leaves them out.
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
    Deviations: a mask for every image, where the release uses the first one for all.
    """

    def __init__(
        self,
        width=48,
        padding="SYMMETRIC",
        guided=False,
        convolution="gated",
        skips=False,
        name="deepfill_v2_generator",
        **kwargs,
    ):
        super().__init__(width, padding, convolution, "contextual", tf.tanh, name, skips, **kwargs)
        self.guided = guided

    @property
    def bytes_per_pixel(self):
        return 100 + 14 * self.width

    @property
    def bytes_per_known_pixel(self):
        return None if self.skips else 20 + 12 * self.width

    def coarse_planes(self, inputs):
        masked_image, mask, edges = self.split(inputs)
        if not self.guided:
            return with_planes(masked_image, mask)
        return tf.concat([masked_image, *edges, tf.ones_like(mask), mask], axis=-1)

    def refinement_planes(self, composited, mask):
        return composited


class DeepFillV2Discriminator(Network):
    """SN-PatchGAN: one score for every place and channel of a spectrally normalised stack of convolutions.

    Args:
        width: channels of the first layer (64 in the release).
    Call:
        inputs: float32 [B, H, W, 4]: image in [-1, 1] and mask; or [B, H, W, 5] with the edges inside the hole.
        training: True also advances the power iteration of every layer (see `SpectralConv2D`), as `advance` does.
        returns: float32 [B, ceil(H / 64) * ceil(W / 64) * 4 width], unbounded scores.
    Reference: Yu et al. 2019, section 3.3, in the form of the release: leaky ReLU after the last layer too.
    Deviations: none.
    """

    def __init__(self, width=64, name="deepfill_v2_discriminator", **kwargs):
        super().__init__(name=name, **kwargs)
        convolution = partial(partial, SpectralConv2D, kernel_size=5, strides=2, activation=leaky_relu, padding="SAME")
        self._convolutions = Chain(
            self,
            conv1=convolution(width),
            conv2=convolution(2 * width),
            conv3=convolution(4 * width),
            conv4=convolution(4 * width),
            conv5=convolution(4 * width),
            conv6=convolution(4 * width),
        )

    def call(self, inputs, training=False):
        x = self._convolutions(inputs, training=training)
        return tf.cast(tf.reshape(x, [tf.shape(x)[0], -1]), tf.float32)

    def advance(self):
        """One step of every layer's power iteration: what a forward pass in training leaves behind."""
        for layer in self._convolutions:
            layer.advance()
