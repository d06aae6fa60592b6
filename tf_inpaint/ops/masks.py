"""Random holes as pure functions of a stateless seed: (seed, height, width, options) -> [H, W, 1], 1 = hole."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class MaskOptions:
    """Which holes are drawn (section `mask` of a config); sizes in pixels.

    Attributes:
        kind: a name in `MASKS`.
        height, width: size of the box before its random inset.
        max_delta_height, max_delta_width: the hole is the box shrunk on each side by a whole number of pixels drawn
            uniformly from 0 .. max_delta / 2, one number per axis.
        vertical_margin, horizontal_margin: the box keeps this far from the picture's edge.
        per_batch: True draws one hole for all pictures of a batch, as the release does.
    """

    kind: str = "box"
    height: int = 128
    width: int = 128
    max_delta_height: int = 32
    max_delta_width: int = 32
    vertical_margin: int = 0
    horizontal_margin: int = 0
    per_batch: bool = False

    @property
    def is_box(self) -> bool:
        """Whether every hole is a box of `height` x `width` (less its inset), as the release's local critic assumes."""
        return self.kind in ("box", "centre")


def _inset_box(seed, height, width, top, left, options):
    """The box at (top, left), shrunk on each side by a random whole number of pixels per axis."""
    seeds = tf.random.experimental.stateless_split(seed, 2)
    inset_h = _uniform_integer(seeds[0], options.max_delta_height // 2 + 1)
    inset_w = _uniform_integer(seeds[1], options.max_delta_width // 2 + 1)
    rows = tf.range(height)[:, tf.newaxis]
    columns = tf.range(width)[tf.newaxis, :]
    inside = (
        (rows >= top + inset_h)
        & (rows < top + options.height - inset_h)
        & (columns >= left + inset_w)
        & (columns < left + options.width - inset_w)
    )
    return tf.cast(inside, tf.float32)[:, :, tf.newaxis]  # [H, W, 1]


def _uniform_integer(seed, count):
    """A whole number in 0 .. count - 1."""
    return tf.random.stateless_uniform([], seed, 0, count, dtype=tf.int32)


def box(seed, height, width, options: MaskOptions):
    """A box drawn uniformly inside the margins, shrunk by a random inset.

    Args:
        seed: int32 [2], stateless.
        height, width: of the picture, at least as large as box and margins.
        options: sizes; the box's last possible row and column are never drawn, as in the release (for 128 of 256
            pixels, top and left are 0 .. 127), except where it is the only one.
    Returns:
        mask: float32 [height, width, 1], 1 = hole.
    Reference: Yu et al. 2018, release 1.0.0 (statistics of the reference masks).
    Deviations: none.
    """
    seeds = tf.random.experimental.stateless_split(seed, 3)
    top_range = max(height - 2 * options.vertical_margin - options.height, 1)
    left_range = max(width - 2 * options.horizontal_margin - options.width, 1)
    top = options.vertical_margin + _uniform_integer(seeds[0], top_range)
    left = options.horizontal_margin + _uniform_integer(seeds[1], left_range)
    return _inset_box(seeds[2], height, width, top, left, options)


def centre(seed, height, width, options: MaskOptions):
    """The box of `box` at the picture's centre; with both `max_delta` 0 it does not depend on the seed."""
    top, left = (height - options.height) // 2, (width - options.width) // 2
    return _inset_box(seed, height, width, top, left, options)


MASKS = {"box": box, "centre": centre}


def hole_position(mask, height, width):
    """Top left corner of the height x width patch around each picture's hole.

    The patch is centred on the hole's bounding box and moved inside the picture. For a hole made by `box`, whose
    insets are symmetric, it is exactly the box the hole was cut from.

    Args:
        mask: float [B, H, W, 1], 1 = hole; an empty mask counts as a hole at the centre.
        height, width: size of the patch, at most H and W.
    Returns:
        position: int32 [B, 2], (top, left).
    """
    size = tf.shape(mask)[1:3]
    corners = []
    for axis, extent in ((2, height), (1, width)):
        hole = tf.reduce_max(mask[..., 0], axis=axis) > 0.5  # [B, H] or [B, W]
        length = size[2 - axis]
        first = tf.argmax(hole, axis=1, output_type=tf.int32)
        last = length - 1 - tf.argmax(tf.reverse(hole, [1]), axis=1, output_type=tf.int32)
        corner = (first + last + 1 - extent) // 2
        corners.append(tf.clip_by_value(corner, 0, length - extent))
    return tf.stack(corners, axis=1)


def crop_patches(images, position, height, width):
    """Cut one height x width patch from each picture.

    Args:
        images: [B, H, W, C].
        position: int32 [B, 2], (top, left), with the patch inside the picture.
    Returns:
        patches: [B, height, width, C].
    """
    rows = position[:, :1] + tf.range(height)  # [B, height]
    columns = position[:, 1:] + tf.range(width)  # [B, width]
    patches = tf.gather(images, rows, axis=1, batch_dims=1)
    patches = tf.gather(patches, columns, axis=2, batch_dims=1)
    return tf.ensure_shape(patches, [None, height, width, images.shape[-1]])
