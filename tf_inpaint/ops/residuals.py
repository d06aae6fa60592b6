"""Contextual residual aggregation: a hole's fine detail, taken from where attention found what belongs there.

What a network predicts is too smooth, of a small one or one trained on small images above all. An image's residual is
what is left of it when its low frequencies are taken away. Where attention says that a position looks like another one,
known, that one's residual is a detail that fits. A position stands for `stride` x `stride` pixels.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_inpaint.ops.boxes import Box, bounding_box, crop, paste
from tf_inpaint.ops.patches import from_blocks, to_blocks

_MARGIN = 2  # positions around the hole: one whose patches reach into it, one that smoothing looks at
_LEAST_ENERGY = 1e-8  # of levels in [-1, 1]; below it there is no detail


def add_residuals(images, mask, offsets, stride, strength, wanted=None):
    """Adds to holes the detail that they lack: as much as makes it as strong as where it comes from, and no more.

    Args:
        images: float32 [B, H, W, C], completed, in [-1, 1]; H and W multiples of `stride`.
        mask: float32 [B, H, W, 1], 1 = hole.
        offsets: int32 [B, H / stride, W / stride, 2], see `ContextualAttention`; of those farther than two positions
            from the box around what is wanted nothing is read.
        stride: pixels between positions that attend.
        strength: what the added detail is multiplied by, in [0, 1].
        wanted: float32 like `mask`, the holes that count, around which alone anything is computed; None is all.
    Returns:
        float32 like `images`, the same outside of the holes.
    Reference: Yi et al., "Contextual Residual Aggregation for Ultra High-Resolution Image Inpainting", CVPR 2020.
    Deviations: each position takes the residuals of its best match, not a mean over many, whose details cancel out;
        energy that the image has already is not added again; strength.
    """
    residuals = images - _smooth(images, stride)
    if wanted is None:
        return images + strength * _detail(residuals, paste_residuals(residuals, offsets, stride), mask, stride)
    size = tf.shape(mask)[1:3]
    positions = bounding_box(wanted).shrunk(stride).grown(_MARGIN).within(size // stride)
    pasted = paste_residuals(residuals, offsets, stride, positions)
    pixels = positions.enlarged(stride)
    detail = _detail(crop(residuals, pixels), pasted, crop(mask, pixels), stride)
    return images + paste(strength * detail, pixels, size)


def paste_residuals(residuals, offsets, stride, box=None):
    """The residuals around each position's best match, fading over into those of its neighbours.

    Args:
        residuals: float32 [B, h * stride, w * stride, C].
        offsets: int32 [B, h, w, 2], the (row, column) of each position's best match minus its own.
        stride: pixels between positions.
        box: `Box` of the positions that are wanted; None is all.
    Returns:
        float32 [B, h' * stride, w' * stride, C] of that box, as if no other position pasted anything.
    """
    h, w = tf.shape(offsets)[1], tf.shape(offsets)[2]
    box = Box(tf.zeros([2], tf.int32), tf.stack([h, w])) if box is None else box
    rows, columns = (tf.range(box.first[axis], box.end[axis]) for axis in (0, 1))
    blocks = to_blocks(residuals, stride)  # [B, h + 1, w + 1, stride * stride * C]
    blocks = tf.reshape(blocks, [tf.shape(blocks)[0], (h + 1) * (w + 1), blocks.shape[-1]])
    best = crop(offsets, box) + tf.stack(tf.meshgrid(rows, columns, indexing="ij"), axis=-1)  # [B, h', w', 2]
    total = 0.0
    for down in (0, 1):  # a position pastes four blocks, of which it covers a quarter each
        for right in (0, 1):
            index = (best[..., 0] + down) * (w + 1) + best[..., 1] + right
            block = tf.gather(blocks, index, batch_dims=1)  # [B, h', w', stride * stride * C]
            block *= _fading(stride, down, right, residuals.shape[-1])
            total += tf.pad(block, [[0, 0], [down, 1 - down], [right, 1 - right], [0, 0]])
    return from_blocks(total, stride, tf.size(rows), tf.size(columns))


def _detail(residuals, pasted, mask, stride):
    """Of the pasted residuals in holes, what makes the image's as strong as they are."""
    had, wanted = (_smooth(_energy(values) * mask, stride) for values in (residuals, pasted))
    lacking = tf.sqrt(tf.clip_by_value(1.0 - had / tf.maximum(wanted, _LEAST_ENERGY), 0.0, 1.0))
    return pasted * lacking * mask


def _fading(stride, down, right, channels):
    """Weights of a block's pixels, as depth: those of the four positions that paste there add up to 1."""
    rising = np.sin(np.pi / 2 * (np.arange(stride) + 0.5) / stride) ** 2
    weights = np.outer(*(rising[::-1] if far else rising for far in (down, right)))
    return np.repeat(weights.astype(np.float32).ravel(), channels)


def _smooth(images, stride):
    """Low frequencies: means of `stride` x `stride` pixels, joined linearly."""
    return tf.image.resize(tf.nn.avg_pool2d(images, stride, stride, "VALID"), tf.shape(images)[1:3])


def _energy(residuals):
    return tf.reduce_sum(tf.square(residuals), axis=-1, keepdims=True)
