"""Spatial transformer: fill a hole's features from where one affine map of the whole image points."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.convolution import MirrorConv2D
from tf_inpaint.layers.sampled_attention import SampledAttention
from tf_inpaint.ops.resampling import pixel_grid


class SpatialTransformer(SampledAttention):
    """`SampledAttention` where an affine map, predicted for each image, takes the foreground's positions.

    Two convolutions, a mean over all positions and a linear layer read foreground and mask and predict what is added to
    the identity map: six numbers, which start at 0.

    Reference: Jaderberg et al. 2015; as an ablation Yu et al. 2018, section 5.2.
    Deviations: Yu et al. do not describe the layers that predict the map, so these are ours: C / 2 and C / 2
        filters of 3 x 3, stride 2. They end in a mean, to take images of any size.
    """

    def build(self, input_shape):
        channels = input_shape[0][-1]
        filters = max(channels // 2, 1)
        self.conv1 = MirrorConv2D(filters, strides=2, padding=self.padding, name="conv1")
        self.conv2 = MirrorConv2D(filters, strides=2, padding=self.padding, name="conv2")
        self.affine = tf.keras.layers.Dense(6, kernel_initializer="zeros", name="affine")
        self.conv1.build((None, None, None, channels + 1))
        self.conv2.build((None, None, None, filters))
        self.affine.build((None, filters))
        self.built = True

    def offsets(self, features):
        batch, height, width = (tf.shape(features)[i] for i in range(3))
        x = tf.cast(self.conv2(self.conv1(features)), tf.float32)
        change = tf.reshape(self.affine(tf.reduce_mean(x, axis=[1, 2])), [batch, 3, 2])  # added to the identity

        radius = tf.cast(tf.stack([height - 1, width - 1]), tf.float32) / 2.0
        centred = pixel_grid(height, width) / tf.maximum(radius, 0.5) - 1.0  # [H, W, 2] in [-1, 1]
        homogeneous = tf.concat([centred, tf.ones_like(centred[..., :1])], axis=-1)  # [H, W, 3]
        # In pixels, and as an offset: the identity samples every pixel exactly.
        return tf.einsum("hwi,bij->bhwj", homogeneous, change) * radius  # [B, H, W, 2]
