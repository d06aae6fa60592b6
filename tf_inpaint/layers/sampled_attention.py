"""What takes contextual attention's place by sampling: where to look is learned by gradient descent, not matched."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.ops.images import resize_nearest
from tf_inpaint.ops.resampling import pixel_grid, resample


class SampledAttention(tf.keras.layers.Layer):
    """Sample the background at positions that layers predict from foreground and mask.

    The offsets start at zero: at first the layer hands the background on.

    Args:
        padding: of the convolutions, see `MirrorConv2D`.
    Call:
        inputs: (foreground, background, mask): float [B, H, W, C] twice; float [B or 1, h, w, 1] with 1 = hole, of any
            size.
        returns: (output, offsets): float [B, H, W, C], 0 where an offset points outside; float32 [B, H, W, 2], position
            (row, column) that each place sampled minus its own.
    """

    def __init__(self, padding="SYMMETRIC", name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.padding = padding

    def offsets(self, features):
        """float32 [B, H, W, 2], from foreground and mask side by side: float [B, H, W, C + 1]."""
        raise NotImplementedError

    def call(self, inputs):
        foreground, background, mask = inputs
        batch, height, width = (tf.shape(foreground)[i] for i in range(3))
        mask = resize_nearest(mask, (height, width)) * tf.ones([batch, 1, 1, 1], mask.dtype)  # [B, H, W, 1]
        offsets = self.offsets(tf.concat([foreground, mask], axis=-1))
        output = resample(background, _positions(offsets, background.dtype))
        return tf.ensure_shape(output, foreground.shape), offsets

    def hole_after(self, hole, mask, offsets):
        """Where the output knows nothing: the hole, sampled alike; see `ContextualAttention.hole_after`."""
        return 1.0 - resample(1.0 - hole, _positions(offsets, hole.dtype))


def _positions(offsets, dtype):
    return tf.cast(pixel_grid(tf.shape(offsets)[1], tf.shape(offsets)[2]) + offsets, dtype)
