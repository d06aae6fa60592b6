"""Appearance flow: fill a hole's features from where a predicted flow field points, position by position."""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from tf_inpaint.layers.chain import Chain
from tf_inpaint.layers.convolution import MirrorConv2D
from tf_inpaint.layers.sampled_attention import SampledAttention


class AppearanceFlow(SampledAttention):
    """`SampledAttention` at offsets that convolutions predict for every place of the foreground.

    H and W must be at least 8 with "SYMMETRIC" padding, 9 with "REFLECT".

    Reference: Zhou et al. 2016, section 3; as an ablation Yu et al. 2018, section 5.2.
    Deviations: Yu et al. do not describe the convolutions that predict the flow, so these are ours: four of C / 2
        filters of 3 x 3 and dilations 1, 2, 4 and 8, so that a place sees 30 around it, and a linear one.
    """

    def build(self, input_shape):
        channels = input_shape[0][-1]
        filters = max(channels // 2, 1)
        convolution = partial(partial, MirrorConv2D, padding=self.padding)
        self._convolutions = Chain(
            self,
            conv1=convolution(filters),
            conv2=convolution(filters, dilation=2),
            conv3=convolution(filters, dilation=4),
            conv4=convolution(filters, dilation=8),
            flow=convolution(2, activation=None, kernel_initializer="zeros"),
        )
        for layer, read in zip(self._convolutions, [channels + 1] + [filters] * 4):
            layer.build((None, None, None, read))
        self.built = True

    def offsets(self, features):
        return tf.cast(self._convolutions(features), tf.float32)
