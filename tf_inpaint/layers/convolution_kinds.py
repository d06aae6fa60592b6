"""Kinds of convolutions that a generator can be made of, and what flows between them: features, alone or with a hole.

A network is written once. It begins with `start`, chains layers that take what the last one handed on, and asks its
kind where it needs to look inside.
"""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from tf_inpaint.layers.convolution import GatedConv2D, GatedUpsampleConv2D, MirrorConv2D, UpsampleConv2D
from tf_inpaint.layers.partial_convolution import PartialConv2D, PartialUpsampleConv2D
from tf_inpaint.ops.images import resize_nearest


class ConvolutionKind:
    """Layers that take features and hand features on.

    Args:
        convolution, upsample: make layers, with the arguments and defaults of `MirrorConv2D`.
    """

    def __init__(self, convolution, upsample):
        self.convolution = convolution
        self.upsample = upsample

    def start(self, features, mask):
        """What the first layer takes: float [B, H, W, C] and their hole [B, H, W, 1], 1 = unknown."""
        return features

    def features(self, flow):
        """Float [B, H, W, C]."""
        return flow

    def hole(self, flow):
        """Float [B, H, W, 1], 1 where nothing is known yet."""
        return tf.zeros_like(flow[..., :1])

    def attend(self, attention, flow, mask, *needed):
        """What flows on from an attention layer, and its offsets; the mask [B, H, W, 1] may be of any size.

        With contextual attention, a `Box` of the flow may be given, beyond which nothing is needed.
        """
        return attention((flow, flow, resize_nearest(mask, tf.shape(flow)[1:3]), *needed))

    def join(self, *branches):
        """Branches of the same height and width, channels side by side."""
        return tf.concat(branches, axis=-1)


class PartialKind(ConvolutionKind):
    """Layers that take features and the hole in them, and hand on both.

    Attention reads the image's own mask, as it does with other kinds, and tells what it left unknown. Where branches
    join, what one of them knows is known.

    Reference: Liu et al. 2018, section 3.
    Deviations: Liu et al. join by putting masks side by side, one for every channel; here a layer has one mask, and the
        features of a branch that knows nothing are 0.
    """

    def start(self, features, mask):
        return features, mask

    def features(self, flow):
        return flow[0]

    def hole(self, flow):
        return flow[1]

    def attend(self, attention, flow, mask, *needed):
        features, hole = flow
        mask = resize_nearest(mask, tf.shape(features)[1:3])
        output, offsets = attention((features, features, mask, *needed))
        return (output, tf.stop_gradient(attention.hole_after(hole, mask, offsets))), offsets

    def join(self, *branches):
        features, holes = zip(*branches)
        return tf.concat(features, axis=-1), tf.reduce_min(tf.concat(holes, axis=-1), axis=-1, keepdims=True)


CONVOLUTION_KINDS = {
    "plain": ConvolutionKind(MirrorConv2D, UpsampleConv2D),
    "gated": ConvolutionKind(GatedConv2D, GatedUpsampleConv2D),
    "partial": PartialKind(*(partial(layer, activation="elu") for layer in (PartialConv2D, PartialUpsampleConv2D))),
}


def convolution_kind(name):
    """The kind of that name.

    Raises:
        ValueError: if there is none.
    """
    if name not in CONVOLUTION_KINDS:
        raise ValueError(f"`convolution` must be one of {', '.join(CONVOLUTION_KINDS)}. Received: {name!r}")
    return CONVOLUTION_KINDS[name]
