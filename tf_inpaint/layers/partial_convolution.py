"""Partial convolution: only known pixels count, and what a window knows decides how much of the result is known."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.convolution import MirrorConv2D
from tf_inpaint.ops.images import enlarge_twice

_FLOOR = 1e-8


class PartialConv2D(MirrorConv2D):
    """A convolution of the known pixels, made up for the unknown ones by its window's share of known pixels.

    Where a window sees none, the output is 0, bias or not, and stays a hole in the mask handed on. What lies beyond the
    border counts as hole, or as known as what it mirrors. Without holes, this is `MirrorConv2D`, but for borders that
    are not mirrored. No gradient flows through masks.

    Args:
        multi_channel: the mask has a channel for each of the input's, and so has the new one for the output's.
        Others as `MirrorConv2D`; zeros on every side and linear by default.
    Call:
        inputs: (features, mask): float [B, H, W, C]; float [B or 1, H, W, 1 or C], 1 = hole, also between 0 and 1.
        returns: (outputs, new mask): float [B, h, w, filters]; float [B or 1, h, w, 1 or filters], 1 = hole.
    Raises:
        ValueError: if the mask's channels do not fit `multi_channel`.
    Reference: Liu et al. 2018, section 3.1, in the form of the published layer.
    Deviations: 1 = hole, where the published layer has 1 = known; it always takes a mask. The published layer does not
        mirror.
    """

    def __init__(self, filters, *args, activation=None, padding="CONSTANT", multi_channel=False, **kwargs):
        super().__init__(filters, *args, activation=activation, padding=padding, **kwargs)
        self.multi_channel = multi_channel

    def build(self, input_shape):
        super().build(input_shape[0])

    def call(self, inputs):
        features, mask = inputs
        channels = features.shape[-1] if self.multi_channel else 1
        if mask.shape[-1] != channels:
            raise ValueError(f"`mask` must have {channels} channels. Received: {mask.shape[-1]}")
        known = 1.0 - mask
        ones = tf.ones([self.kernel_size, self.kernel_size, channels, 1], known.dtype)
        seen = tf.stop_gradient(self.correlate(known, ones))  # [B or 1, h, w, 1]
        known_after = tf.clip_by_value(seen, 0.0, 1.0)
        window = float(self.kernel_size * self.kernel_size * channels)
        features = tf.cast(features, self.precision) * tf.cast(known, self.precision)
        outputs = self.correlate(features, self.effective_kernel())
        outputs = tf.cast(outputs, self.handed_on) * tf.cast(window / (seen + _FLOOR) * known_after, self.handed_on)
        if self.use_bias:
            outputs = self._finished(outputs) * tf.cast(known_after, self.handed_on)
        new_mask = 1.0 - known_after
        if self.multi_channel:
            new_mask = tf.repeat(new_mask, self.filters, axis=-1)
        return self.activation(outputs), new_mask

    def compute_output_shape(self, input_shape):
        features, mask = input_shape
        shape = super().compute_output_shape(features)
        return shape, (mask[0], *shape[1:3], self.filters if self.multi_channel else 1)

    def get_config(self):
        return {**super().get_config(), "multi_channel": self.multi_channel}


class PartialUpsampleConv2D(PartialConv2D):
    """Every pixel doubled in both directions, hole or not, then a 3 x 3 `PartialConv2D`.

    Call:
        inputs: (features, mask), as `PartialConv2D`.
        returns: (outputs, new mask): float [B, 2H, 2W, filters]; float [B or 1, 2H, 2W, 1 or filters].
    Reference: Liu et al. 2018, section 3.2 (nearest-neighbour upsampling).
    """

    def call(self, inputs):
        return super().call(tuple(enlarge_twice(plane) for plane in inputs))

    def reads(self, box):
        """As `MirrorConv2D`."""
        return super().reads(box).shrunk(2)

    def compute_output_shape(self, input_shape):
        doubled = [(b, *(None if side is None else 2 * side for side in sides), c) for b, *sides, c in input_shape]
        return super().compute_output_shape(doubled)
