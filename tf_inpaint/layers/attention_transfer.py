"""Attention transfer: fill a feature map's hole by what a deeper map says belongs together."""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from tf_inpaint.layers.chain import Chain
from tf_inpaint.layers.convolution import MirrorConv2D
from tf_inpaint.ops.attention import attend, offsets_of
from tf_inpaint.ops.boxes import crop, paste
from tf_inpaint.ops.images import resize_bilinear
from tf_inpaint.ops.patches import patch_norms

_NORM_FLOOR = 1e-4
_WEIGHT_FLOOR = 1e-8
_PASTE_OVERLAP = 4.0


class AttentionTransfer(tf.keras.layers.Layer):
    """Match patches within a deep feature map; paste the patches of a map of twice its size accordingly.

    Sources whose patch touches a hole score 0 in the softmax and weigh next to nothing after it. Every position is
    rebuilt, known ones too. Four dilated convolutions then look at what was pasted, unless `fuse` is off.

    Args:
        ksize: side of the matched patches, 1 or 3.
        fuse: whether the convolutions follow.
        softmax_scale: > 0.
        max_memory: bytes the matching may take, see `ContextualAttention`.
    Call, in float32 but for the convolutions:
        inputs: (low, high, mask) or (..., needed): float [B, 2 h, 2 w, C], values, C a multiple of 4 with `fuse`; float
            [B, h, w, D], what is matched; float [B or 1, H, W, 1] with 1 = hole, of any size, whatever is above 0 being
            a hole; a `Box` of `low`, beyond which nobody needs the results, to save time.
        with_offsets: whether to tell where each position looked, of all of `high` alone.
        returns: float [B, 2 h, 2 w, C]; with offsets (that, int32 [B, h, w, 2]), position (row, column) of the heaviest
            source minus the position's own.
    Raises:
        ValueError: if an argument is outside what is listed.
    Reference: Zeng et al. 2019, section 3.2, in the form of the PyTorch release (mask resized bilinearly, weights
        floored at 1e-8, queries not normalised, overlaps divided by 4 also at borders).
    Deviations: none.
    """

    def __init__(self, ksize=3, fuse=True, softmax_scale=10.0, max_memory=None, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        if ksize not in (1, 3):
            raise ValueError(f"`ksize` must be 1 or 3. Received: {ksize}")
        if softmax_scale <= 0:
            raise ValueError(f"`softmax_scale` must be positive. Received: {softmax_scale}")
        self.ksize = ksize
        self.fuse = fuse
        self.softmax_scale = softmax_scale
        self.max_memory = max_memory

    def build(self, input_shape):
        channels = input_shape[0][-1]
        if self.fuse:
            if channels % 4:
                raise ValueError(f"`low` must have a multiple of 4 channels. Received: {channels}")
            branch = partial(partial, _branch, channels // 4)
            self._branches = Chain(
                self,
                conv00=branch(),
                conv01=branch(dilation=2),
                conv02=branch(dilation=4),
                conv03=branch(dilation=8),
            )
            for layer in self._branches:
                layer.build(input_shape[0])
        self.built = True

    def call(self, inputs, with_offsets=False):
        low, high, mask = (tf.cast(tensor, tf.float32) for tensor in inputs[:3])
        if len(inputs) == 3:
            pasted, best = self._match(low, high, mask, wants_best=with_offsets)
            fused = self._fused(pasted)
            return (fused, offsets_of(best, tf.shape(high)[2])) if with_offsets else fused
        needed, size = inputs[3], tf.shape(low)[1:3]
        read = self.conv03.reads(needed).within(size) if self.fuse else needed  # its dilation is the widest
        pasted = crop(self.attend(low, high, mask, read.shrunk(2)), read)
        return paste(crop(self._fused(pasted), needed.seen_from(read)), needed, size)

    def _fused(self, pasted):
        if not self.fuse:
            return pasted
        return tf.concat([branch(pasted) for branch in self._branches], axis=-1)

    def attend(self, low, high, mask, needed=None):
        """What is pasted, before the convolutions: [B, 2 h, 2 w, C]; 0 beyond the `Box` of `high` that is needed."""
        return self._match(low, high, mask, needed)[0]

    def _match(self, low, high, mask, needed=None, wants_best=False):
        valid = self.valid_sources(mask, tf.shape(high)[1:3])  # [B or 1, h, w]
        norms = tf.maximum(patch_norms(high, self.ksize), _NORM_FLOOR)  # [B, h, w]
        pasted, best = attend(
            high,  # queries are the sources themselves
            high,
            norms,
            valid,
            low,
            rate=2,
            ksize=self.ksize,
            scale=self.softmax_scale,
            propagation=False,
            floor=_WEIGHT_FLOOR,
            max_memory=self.max_memory,
            needed=needed,
            wants_best=wants_best,
        )  # [B, 2 h, 2 w, C], sums of the 4 x 4 patches that overlap; [B, h, w]
        return tf.ensure_shape(pasted / _PASTE_OVERLAP, low.shape), best

    def valid_sources(self, mask, size):
        """1 where a source's whole patch is known, outside of the image included: float [B or 1, h, w]."""
        touched = tf.nn.max_pool2d(resize_bilinear(mask, size), self.ksize, 1, "SAME") > 0
        return tf.cast(~touched, tf.float32)[..., 0]


def _branch(filters, **settings):
    normal = tf.keras.initializers.RandomNormal(stddev=0.02)  # one each: called again, it draws the same numbers
    return MirrorConv2D(filters, activation="relu", padding="CONSTANT", kernel_initializer=normal, **settings)
