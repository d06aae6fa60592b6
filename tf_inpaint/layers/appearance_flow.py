"""Appearance flow: fill a hole's features from where a predicted flow field points, position by position."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.convolution import MirrorConv2D
from tf_inpaint.ops.images import resize_nearest
from tf_inpaint.ops.resampling import pixel_grid, resample

_DILATIONS = (1, 2, 4, 8)


class AppearanceFlow(tf.keras.layers.Layer):
    """Sample the background at positions that convolutions predict for every place of the foreground.

    Takes the place of `ContextualAttention`: where to look is learned by gradient descent instead of matched. The flow
    starts at zero: at first the layer hands the background on.

    Args:
        padding: of the convolutions, see `MirrorConv2D`.
    Call:
        inputs: (foreground, background, mask): float [B, H, W, C] twice, with mirror padding of sides of at least 8;
            float [B or 1, h, w, 1] with 1 = hole, of any size.
        returns: (output, offsets): float [B, H, W, C], 0 where the flow points outside; float32 [B, H, W, 2], the
            flow: position (row, column) that each place sampled minus its own.
    Reference: Zhou et al. 2016, section 3; as an ablation Yu et al. 2018, section 5.2.
    Deviations: Yu et al. do not describe the convolutions that predict the flow, so these are ours: four of C / 2
        filters of 3 x 3 and dilations 1, 2, 4 and 8, so that a place sees 30 around it, and a linear one.
    """

    def __init__(self, padding="SYMMETRIC", name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.padding = padding

    def build(self, input_shape):
        channels = input_shape[0][-1]
        filters = max(channels // 2, 1)
        self.conv1, self.conv2, self.conv3, self.conv4 = (
            MirrorConv2D(filters, dilation=dilation, padding=self.padding, name=f"conv{number}")
            for number, dilation in enumerate(_DILATIONS, start=1)
        )
        self.flow = MirrorConv2D(2, activation=None, padding=self.padding, kernel_initializer="zeros", name="flow")
        self.conv1.build((None, None, None, channels + 1))
        for layer in (self.conv2, self.conv3, self.conv4, self.flow):
            layer.build((None, None, None, filters))
        self.built = True

    def call(self, inputs):
        foreground, background, mask = inputs
        batch, height, width = (tf.shape(foreground)[i] for i in range(3))
        hole = resize_nearest(mask, (height, width)) * tf.ones([batch, 1, 1, 1], mask.dtype)
        x = self.conv1(tf.concat([foreground, hole], axis=-1))
        x = self.conv2(x)
        x = self.conv3(x)
        x = self.conv4(x)
        offsets = tf.cast(self.flow(x), tf.float32)
        output = resample(background, pixel_grid(height, width) + offsets)
        return tf.ensure_shape(output, foreground.shape), offsets

    def hole_after(self, hole, mask, offsets):
        """Where the output knows nothing: the hole, sampled alike; see `ContextualAttention.hole_after`."""
        return 1.0 - resample(1.0 - hole, pixel_grid(tf.shape(hole)[1], tf.shape(hole)[2]) + offsets)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}
