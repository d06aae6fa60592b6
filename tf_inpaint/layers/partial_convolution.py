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
        mask_channels: of how many of the input's channels each channel of the mask tells, such as (512, 256) where two
            maps were joined; the new mask has one channel. What `multi_channel` computes, with masks of few channels.
        window_factor: whether what is known is made up to the whole window, as the paper has it; False divides by the
            number of known values, which is smaller by the window's size.
        Others as `MirrorConv2D`; zeros on every side and linear by default.
    Call:
        inputs: (features, mask): float [B, H, W, C]; float [B or 1, H, W, 1, C or len(mask_channels)], 1 = hole, also
            between 0 and 1.
        returns: (outputs, new mask): float [B, h, w, filters]; float32, or float64 as the mask, [B or 1, h, w, 1 or
            filters], 1 = hole.
    Raises:
        ValueError: if the mask's channels do not fit `multi_channel` and `mask_channels`.
    Reference: Liu et al. 2018, section 3.1, in the form of the published layer.
    Deviations: 1 = hole, where the published layer has 1 = known; it always takes a mask. The published layer does not
        mirror.
    """

    def __init__(
        self,
        filters,
        *args,
        activation=None,
        padding="CONSTANT",
        multi_channel=False,
        mask_channels=None,
        window_factor=True,
        **kwargs,
    ):
        super().__init__(filters, *args, activation=activation, padding=padding, **kwargs)
        self.multi_channel = multi_channel
        self.mask_channels = mask_channels and tuple(mask_channels)
        self.window_factor = window_factor

    def build(self, input_shape):
        super().build(input_shape[0])

    def call(self, inputs):
        features, mask = inputs
        counts = self._counts(features.shape[-1])
        if mask.shape[-1] != len(counts):
            raise ValueError(f"`mask` must have {len(counts)} channels. Received: {mask.shape[-1]}")
        # 16 bits count to 256, or know no number as small as the floor.
        known = 1.0 - (mask if mask.dtype == tf.float64 else tf.cast(mask, tf.float32))
        weights = tf.reshape(tf.constant(counts, known.dtype), [1, 1, -1, 1])
        ones = tf.tile(weights, [self.kernel_size, self.kernel_size, 1, 1])
        seen = tf.stop_gradient(self.correlate(known, ones))  # [B or 1, h, w, 1], known values in the window
        known_after = tf.clip_by_value(seen, 0.0, 1.0)
        window = float(self.kernel_size * self.kernel_size * sum(counts)) if self.window_factor else 1.0
        if len(counts) not in (1, features.shape[-1]):
            known = tf.repeat(known, counts, axis=-1)
        features = tf.cast(features, self.precision) * tf.cast(known, self.precision)
        outputs = self.correlate(features, self.kernel)
        outputs = tf.cast(outputs, self.handed_on) * tf.cast(window / (seen + _FLOOR) * known_after, self.handed_on)
        if self.use_bias:
            outputs = self._finished(outputs) * tf.cast(known_after, self.handed_on)
        new_mask = 1.0 - known_after
        if self.multi_channel:
            new_mask = tf.repeat(new_mask, self.filters, axis=-1)
        return self.activation(outputs), new_mask

    def _counts(self, channels):
        """Of how many of the input's channels each channel of the mask tells."""
        counts = self.mask_channels or ((1,) * channels if self.multi_channel else (1,))
        if self.mask_channels and (self.multi_channel or sum(counts) != channels):
            raise ValueError(
                f"`mask_channels` must add up to the input's {channels}, without `multi_channel`. Received: {counts}"
            )
        return counts

    def compute_output_shape(self, input_shape):
        features, mask = input_shape
        shape = super().compute_output_shape(features)
        return shape, (mask[0], *shape[1:3], self.filters if self.multi_channel else 1)

    def get_config(self):
        return {
            **super().get_config(),
            "multi_channel": self.multi_channel,
            "mask_channels": self.mask_channels,
            "window_factor": self.window_factor,
        }


class PartialUpsampleConv2D(PartialConv2D):
    """Every pixel doubled in both directions, hole or not, then a 3 x 3 `PartialConv2D`.

    Call:
        inputs: (features, mask), as `PartialConv2D`.
        returns: (outputs, new mask): float [B, 2H, 2W, filters]; as there [B or 1, 2H, 2W, 1 or filters].
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
