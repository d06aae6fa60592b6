"""DeepFill v1: coarse-to-fine generator with contextual attention, and its two discriminators.

"Generative Image Inpainting with Contextual Attention", Yu et al., CVPR 2018 (arXiv 1801.07892), in the form of release
1.0.0. The layers of both stages stand in `models/two_stages.py`.
"""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from tf_inpaint.layers import MirrorConv2D
from tf_inpaint.layers.activations import leaky_relu
from tf_inpaint.layers.chain import Chain
from tf_inpaint.models.network import Network
from tf_inpaint.models.two_stages import TwoStageGenerator


class DeepFillV1Generator(TwoStageGenerator):
    """Completes images in two stages: a dilated coarse network, then refinement with contextual attention.

    Args:
        width: channels of the first layer (32 in the paper).
        padding: "SYMMETRIC" or "REFLECT" (the paper's mirror padding) or "SAME" (what the release's test program uses).
        attention: "contextual", or for comparison "spatial_transformer", "appearance_flow" or "none", which leaves the
            layer out; there are no "offsets" then.
        convolution: "plain", or for comparison "partial", of as many weights: all layers but the last of each stage
            read known pixels only, and hand on where nothing is known yet (see `PartialConv2D`).
    Call:
        inputs: (masked_image, mask): float32 [B, H, W, 3] in [-1, 1], RGB, 0 in the holes; float32 [B, H, W, 1] in
            {0, 1}, 1 = hole, one for each image. H and W: multiples of `size_multiple`, at least `minimum_size`.
        returns: dict of
            "coarse", "refined": float32 [B, H, W, 3] in [-1, 1], the two stages' outputs;
            "predicted": the same tensor as "refined";
            "offsets": int32 [B, H / 8, W / 8, 2], what each patch attended to (see `ContextualAttention`); or float32
                [B, H / 4, W / 4, 2], what the layer in its place sampled.
    Raises:
        ValueError: if `attention` or `convolution` is none of those listed.
    Reference: Yu et al. 2018, figures 2 and 4, in the form of release 1.0.0.
    Deviations: a mask for every image, where the release uses the first one for all. How Yu et al. 2019 built
        partial convolutions into this network they do not say: here the planes of ones and mask stay in the input, the
        second stage knows what the first one could fill, and the last layer of each is plain.
    """

    def __init__(
        self,
        width=32,
        padding="SYMMETRIC",
        attention="contextual",
        convolution="plain",
        name="deepfill_v1_generator",
        **kwargs,
    ):
        super().__init__(width, padding, convolution, attention, _clip, name, **kwargs)

    @property
    def bytes_per_pixel(self):
        return 100 + 18 * self.width

    @property
    def bytes_per_known_pixel(self):
        return 130 + 9 * self.width


class DeepFillV1Discriminator(Network):
    """Two discriminators: one sees the whole image, one the patch around the hole.

    Args:
        width: channels of the first layers (64 in the paper).
    Call:
        inputs: (image, local_patch): float32 [B, H, W, 3] and [B, h, w, 3] in [-1, 1], of fixed sizes, since each
            discriminator ends in a linear unit over all its features.
        returns: dict of "global" and "local": float32 [B, 1], unbounded scores.
    Reference: Yu et al. 2018, section 3.2 and release 1.0.0.
    """

    def __init__(self, width=64, name="deepfill_v1_discriminator", **kwargs):
        super().__init__(name=name, **kwargs)
        self.global_critic = Critic((width, 2 * width, 4 * width, 4 * width), name="global_critic")
        self.local_critic = Critic((width, 2 * width, 4 * width, 8 * width), name="local_critic")

    def call(self, inputs, training=False):
        image, local_patch = inputs
        return {"global": self.global_critic(image), "local": self.local_critic(local_patch)}


class Critic(tf.keras.layers.Layer):
    """Four 5 x 5 convolutions of stride 2 with leaky ReLU, and one linear unit: [B, H, W, C] -> [B, 1]."""

    def __init__(self, filters, name=None):
        super().__init__(name=name)
        first, second, third, fourth = filters
        convolution = partial(partial, MirrorConv2D, kernel_size=5, strides=2, activation=leaky_relu, padding="SAME")
        self._convolutions = Chain(
            self,
            conv1=convolution(first),
            conv2=convolution(second),
            conv3=convolution(third),
            conv4=convolution(fourth),
        )
        self.head = tf.keras.layers.Dense(1, name="head")

    def call(self, inputs):
        x = tf.cast(self._convolutions(inputs), tf.float32)
        return self.head(tf.reshape(x, [tf.shape(x)[0], x.shape[1] * x.shape[2] * x.shape[3]]))


def _clip(x):
    """x brought into [-1, 1], with no gradient outside."""
    return tf.clip_by_value(x, -1.0, 1.0)
