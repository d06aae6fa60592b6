"""Contextual attention: fill a hole's features with what matches best among the known ones."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.ops.attention import attend, offsets_of
from tf_inpaint.ops.images import resize_nearest
from tf_inpaint.ops.patches import patch_norms

_NORM_FLOOR = 1e-4
_PASTE_OVERLAP = 4.0


class ContextualAttention(tf.keras.layers.Layer):
    """Match foreground patches against background patches and paste what matches.

    Foreground and background are shrunk by `rate` for the matching (3 x 3 patches, cosine-normalised keys), and the
    full-resolution background patches are pasted. Keys whose patch touches a hole score 0 and, after the softmax,
    weigh 0; they do take part in its denominator, so a query's weights need not sum to 1.

    Args:
        ksize: side of the matched patches, 1 or 3.
        rate: the shrinking, and the stride of the pasted 2 rate x 2 rate patches, >= 1.
        softmax_scale: > 0.
        propagation: whether neighbouring matches support each other.
        step: only every `step`-th row and column of queries and keys is matched, and as much larger patches are pasted;
            above 1, an approximation for about 1 / step ** 4 of the scores and 1 / step ** 2 of the pasting.
        max_memory: bytes the matching may take. What does not fit is done image by image in chunks, for the same
            numbers, without gradients; None does it all at once. See `tf_inpaint.ops.attention`.
    Call, in float32 whatever the precision of the inputs:
        inputs: (foreground, background, mask) or (..., needed): float [B, H, W, C]; float [B, K, L, C]; float [B or 1,
            K', L', 1] with 1 = hole, shrunk to the size of the small background; a `Box` of the foreground, beyond
            which nobody needs the results, to save time. All sides of the first two are multiples of `rate`.
        returns: (output, offsets): float [B, H, W, C], and int32 [B, H / rate, W / rate, 2], position (row, column)
            of each query's best key minus its own, of no meaning beyond `needed`.
    Raises:
        ValueError: if an argument is outside what is listed, or a known side is no multiple of `rate`.
    Reference: Yu et al. 2018, sections 3.1 and 3.2, in the form of release 1.0.0 (overlaps divided by 4 for every
        rate; propagation over line ends; queries not normalised).
    Deviations: a mask for every sample, where the release uses the first one for all. With a background of another
        size than the foreground, offsets are counted in the background's own width. `step` is not the release's.
    """

    def __init__(
        self, ksize=3, rate=2, softmax_scale=10.0, propagation=True, step=1, max_memory=None, name=None, **kwargs
    ):
        super().__init__(name=name, **kwargs)
        if ksize not in (1, 3):
            raise ValueError(f"`ksize` must be 1 or 3. Received: {ksize}")
        if rate < 1:
            raise ValueError(f"`rate` must be at least 1. Received: {rate}")
        if step < 1:
            raise ValueError(f"`step` must be at least 1. Received: {step}")
        if softmax_scale <= 0:
            raise ValueError(f"`softmax_scale` must be positive. Received: {softmax_scale}")
        self.ksize = ksize
        self.rate = rate
        self.softmax_scale = softmax_scale
        self.propagation = propagation
        self.step = step
        self.max_memory = max_memory

    def build(self, input_shape=None):
        self.built = True

    def call(self, inputs):
        foreground, background, mask = (tf.cast(tensor, tf.float32) for tensor in inputs[:3])
        rate = self.rate * self.step
        needed = inputs[3].shrunk(rate) if len(inputs) > 3 else None
        for name, features in (("foreground", foreground), ("background", background)):
            if any(side is not None and side % self.rate for side in features.shape[1:3]):
                raise ValueError(
                    f"`{name}` must have sides that are multiples of `rate` {self.rate}. Received: {features.shape}"
                )
        valid = self._valid_keys(mask, tf.shape(background)[1:3] // self.rate)  # [B or 1, kh, kw]
        queries = self._matched(foreground)  # [B, h, w, C]
        keys = self._matched(background)  # [B, kh, kw, C]
        norms = tf.maximum(patch_norms(keys, self.ksize), _NORM_FLOOR)  # [B, kh, kw]
        output, best = attend(
            queries,
            keys,
            norms,
            valid,
            self._whole(background, rate),
            rate=rate,
            ksize=self.ksize,
            scale=self.softmax_scale,
            propagation=self.propagation,
            max_memory=self.max_memory,
            needed=needed,
        )  # [B, H, W, C], sums of the patches that overlap; [B, h, w], indices of keys
        offsets = offsets_of(best, tf.shape(keys)[2])
        if self.step > 1:
            height, width = tf.unstack(tf.shape(foreground)[1:3])
            output = output[:, :height, :width]
            offsets = self._enlarged(offsets)[:, : height // self.rate, : width // self.rate]
        return tf.ensure_shape(output / _PASTE_OVERLAP, foreground.shape), offsets

    def hole_after(self, hole, mask, offsets):
        """Where the output knows nothing, for partial convolutions: everywhere, if no patch is known, else nowhere.

        Args:
            hole: float [B, H, W, 1], 1 = unknown, of the features.
            mask: as in the call.
            offsets: what the call returned.
        Returns:
            float [B, H, W, 1].
        """
        valid = self._valid_keys(mask, tf.shape(hole)[1:3] // self.rate)
        return tf.ones_like(hole) * (1.0 - tf.reduce_max(valid, axis=[1, 2], keepdims=True)[..., tf.newaxis])

    def _matched(self, features):
        if self.rate > 1:
            features = resize_nearest(features, tf.shape(features)[1:3] // self.rate)
        return features[:, :: self.step, :: self.step] if self.step > 1 else features

    def _whole(self, features, multiple):
        """Features whose sides are multiples of `multiple`, with zeros below and to the right where a step needs it."""
        if self.step == 1:
            return features
        missing = -tf.shape(features)[1:3] % multiple
        return tf.pad(features, [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]])

    def _valid_keys(self, mask, size):
        """1 where all is known that a key matches and pastes, of every `step`-th of `size` rows and columns of keys.

        What lies outside the image counts as known.
        """
        mask = resize_nearest(mask, size)
        reach = (self.ksize - 1) // 2 * self.step
        if self.step > 1:  # pasted patches reach a step beyond the key's own positions
            reach = max(reach, 2 * self.step - 1 - self.step // 2)
        touched = tf.nn.max_pool2d(mask, 2 * reach + 1, 1, "SAME") > 0
        known = tf.cast(~touched, mask.dtype)[..., 0]
        return known[:, :: self.step, :: self.step] if self.step > 1 else known

    def _enlarged(self, offsets):
        """Offsets of all queries, in positions, from those of every `step`-th: int32 [B, h * step, w * step, 2]."""
        return tf.repeat(tf.repeat(offsets * self.step, self.step, axis=1), self.step, axis=2)
