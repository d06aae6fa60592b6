"""Spatial transformer: fill a hole's features from where one affine map of the whole picture points."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.convolution import MirrorConv2D
from tf_inpaint.ops.images import resize_nearest
from tf_inpaint.ops.resampling import pixel_grid, resample


class SpatialTransformer(tf.keras.layers.Layer):
    """Sample the background at positions that an affine map, predicted for each picture, makes of the foreground's.

    Takes the place of `ContextualAttention`. Two convolutions, a mean over all positions and a linear layer read
    foreground and mask and predict the map's six numbers, which start as the identity: at first the layer hands the
    background on.

    Args:
        padding: of the convolutions, see `MirrorConv2D`.
    Call:
        inputs: (foreground, background, mask): float [B, H, W, C] twice; float [B or 1, h, w, 1] with 1 = hole, of any
            size.
        returns: (output, offsets): float [B, H, W, C], 0 where the map points outside; float32 [B, H, W, 2], position
            (row, column) that each place sampled minus its own.
    Reference: Jaderberg et al. 2015; as an ablation Yu et al. 2018, section 5.2.
    Deviations: Yu et al. do not describe the network that predicts the map, so this one is ours: C / 2 and C / 2
        filters of 3 x 3, stride 2. It ends in a mean, to take pictures of any size.
    """

    def __init__(self, padding="SYMMETRIC", name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.padding = padding

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

    def call(self, inputs):
        foreground, background, mask = inputs
        batch, height, width = (tf.shape(foreground)[i] for i in range(3))
        hole = resize_nearest(mask, (height, width)) * tf.ones([batch, 1, 1, 1], mask.dtype)
        x = tf.cast(self.conv2(self.conv1(tf.concat([foreground, hole], axis=-1))), tf.float32)
        change = tf.reshape(self.affine(tf.reduce_mean(x, axis=[1, 2])), [batch, 3, 2])  # added to the identity

        grid = pixel_grid(height, width)
        radius = tf.cast(tf.stack([height - 1, width - 1]), tf.float32) / 2.0
        centred = grid / tf.maximum(radius, 0.5) - 1.0  # [-1, 1]
        homogeneous = tf.concat([centred, tf.ones_like(centred[..., :1])], axis=-1)
        # In pixels, and as an offset: the identity samples every pixel exactly.
        offsets = tf.einsum("hwi,bij->bhwj", homogeneous, change) * radius
        return tf.ensure_shape(resample(background, grid + offsets), foreground.shape), offsets

    def hole_after(self, hole, mask, offsets):
        """Where the output knows nothing: the hole, sampled alike; see `ContextualAttention.hole_after`."""
        return 1.0 - resample(1.0 - hole, pixel_grid(tf.shape(hole)[1], tf.shape(hole)[2]) + offsets)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}
