"""Contextual residual aggregation: a hole's fine detail, taken from where attention found what belongs there.

What a network draws is too smooth, of a small one or one trained on small pictures above all. A picture's residual is
what is left of it when its low frequencies are taken away. Where attention says that a place looks like another one,
known, that one's residual is a detail that fits.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_inpaint.ops.boxes import Box, bounding_box, crop, paste
from tf_inpaint.ops.patches import from_blocks, to_blocks

_MARGIN = 2  # cells around the hole: one whose patches reach into it, one that smoothing looks at
_LEAST_ENERGY = 1e-8  # of levels in [-1, 1]; below it there is no detail


def add_residuals(pictures, mask, offsets, cell, strength, in_part=False):
    """Adds to holes the detail that they lack: as much as makes it as strong as where it comes from, and no more.

    Args:
        pictures: float32 [B, H, W, C], completed, in [-1, 1]; H and W multiples of `cell`.
        mask: float32 [B, H, W, 1], 1 = hole.
        offsets: int32 [B, H / cell, W / cell, 2], see `ContextualAttention`; of those farther than a cell from the
            rectangle around all holes nothing is read.
        cell: pixels between positions that attend.
        strength: what the added detail is multiplied by, in [0, 1].
        in_part: whether to compute the rectangle around all holes alone, for speed.
    Returns:
        float32 like `pictures`, the same outside of the holes.
    Reference: Yi et al., "Contextual Residual Aggregation for Ultra High-Resolution Image Inpainting", CVPR 2020.
    Deviations: each place takes the residuals of its best match, not a mean over many, whose details cancel out; energy
        that the picture has already is not added again; strength.
    """
    residuals = pictures - _smooth(pictures, cell)
    if not in_part:
        return pictures + strength * _detail(residuals, paste_residuals(residuals, offsets, cell), mask, cell)
    size = tf.shape(mask)[1:3]
    around = bounding_box(mask).shrunk(cell)
    around = around.grown(_MARGIN).within(size // cell)
    there = around.enlarged(cell)
    pasted = paste_residuals(residuals, offsets, cell, around)
    return pictures + paste(strength * _detail(crop(residuals, there), pasted, crop(mask, there), cell), there, size)


def paste_residuals(residuals, offsets, cell, part=None):
    """The residuals around each cell's best match, fading over into those of its neighbours.

    Args:
        residuals: float32 [B, h * cell, w * cell, C].
        offsets: int32 [B, h, w, 2], the (row, column) of each cell's best match minus its own.
        cell: in pixels.
        part: `Box` of the cells that is wanted; None is all.
    Returns:
        float32 [B, h' * cell, w' * cell, C] of that part, as if no other cell pasted anything.
    """
    h, w = tf.shape(offsets)[1], tf.shape(offsets)[2]
    part = Box(tf.zeros([2], tf.int32), tf.stack([h, w])) if part is None else part
    rows, columns = (tf.range(part.first[axis], part.end[axis]) for axis in (0, 1))
    blocks = to_blocks(residuals, cell)
    blocks = tf.reshape(blocks, [tf.shape(blocks)[0], (h + 1) * (w + 1), blocks.shape[-1]])
    best = crop(offsets, part) + tf.stack(tf.meshgrid(rows, columns, indexing="ij"), axis=-1)
    total = 0.0
    for down in (0, 1):  # a cell pastes four blocks, of which it covers a quarter each
        for right in (0, 1):
            number = (best[..., 0] + down) * (w + 1) + best[..., 1] + right
            block = tf.gather(blocks, number, batch_dims=1)
            block *= _fading(cell, down, right, residuals.shape[-1])
            total += tf.pad(block, [[0, 0], [down, 1 - down], [right, 1 - right], [0, 0]])
    return from_blocks(total, cell, tf.size(rows), tf.size(columns))


def _detail(own, pasted, mask, cell):
    """Of the pasted residuals in holes, what makes the picture's own as strong as they are."""
    had, wanted = (_smooth(_energy(each) * mask, cell) for each in (own, pasted))
    lacking = tf.sqrt(tf.clip_by_value(1.0 - had / tf.maximum(wanted, _LEAST_ENERGY), 0.0, 1.0))
    return pasted * lacking * mask


def _fading(cell, down, right, channels):
    """Weights of a block's pixels, as depth: those of the four cells that paste there add up to 1."""
    rising = np.sin(np.pi / 2 * (np.arange(cell) + 0.5) / cell) ** 2
    weights = np.outer(*(rising[::-1] if far else rising for far in (down, right)))
    return np.repeat(weights.astype(np.float32).ravel(), channels)


def _smooth(pictures, cell):
    """Low frequencies: means of cells, joined linearly."""
    return tf.image.resize(tf.nn.avg_pool2d(pictures, cell, cell, "VALID"), tf.shape(pictures)[1:3])


def _energy(residuals):
    return tf.reduce_sum(tf.square(residuals), axis=-1, keepdims=True)
