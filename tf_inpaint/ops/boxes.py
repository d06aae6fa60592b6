"""Boxes: the bounds of a mask, crops and pastes, and square windows that may reach beyond an image.

Sizes and positions are int32 tensors, (row, column), so that one graph serves every box.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Box(NamedTuple):
    """A rectangle, which may reach beyond the image.

    Attributes:
        first: int32 [2], its first row and column; [B, 2] for one box an example.
        end: the ones after its last.
    """

    first: tf.Tensor
    end: tf.Tensor

    @property
    def size(self):
        """Its height and width."""
        return self.end - self.first

    def within(self, size):
        """What of it lies in an image of int32 [2] (height, width)."""
        return Box(tf.clip_by_value(self.first, 0, size), tf.clip_by_value(self.end, 0, size))

    def grown(self, margin):
        """It and so many positions more on each side."""
        return Box(self.first - margin, self.end + margin)

    def shrunk(self, times):
        """The positions of a map with so many times fewer rows and columns that hold all of it."""
        return Box(self.first // times, (self.end + times - 1) // times)

    def enlarged(self, times):
        """Its positions in a map with so many times as many rows and columns."""
        return Box(self.first * times, self.end * times)

    def seen_from(self, other):
        """Its place in a map that begins where `other` does."""
        return Box(self.first - other.first, self.end - other.first)


def bounds(mask):
    """The box around each hole: [..., H, W, 1], 1 or True = hole; from (H, W) to (0, 0) where there is none."""
    hole = tf.cast(mask[..., 0], tf.bool)  # [..., H, W]
    firsts, ends = [], []
    for axis in (-1, -2):
        marked = tf.reduce_any(hole, axis=axis)  # [..., H], then [..., W]
        length = tf.shape(marked)[-1]
        index = tf.range(length)
        firsts.append(tf.reduce_min(tf.where(marked, index, length), axis=-1))
        ends.append(tf.reduce_max(tf.where(marked, index + 1, 0), axis=-1))
    return Box(tf.stack(firsts, axis=-1), tf.stack(ends, axis=-1))


def bounding_box(mask):
    """One box around all holes of a batch: [B, H, W, 1], 1 or True = hole; a single position if there are none."""
    first, end = bounds(tf.reduce_any(tf.cast(mask, tf.bool), axis=0))
    first = tf.minimum(first, end)
    return Box(first, tf.maximum(end, first + 1))


def crop(maps, box):
    """What lies in a box within their bounds: float [B, H, W, C], or nests of those."""
    (top, left), (bottom, right) = tf.unstack(box.first), tf.unstack(box.end)
    return tf.nest.map_structure(lambda values: values[:, top:bottom, left:right], maps)


def paste(maps, box, size):
    """Maps of int32 [2] (height, width) that hold these in a box, and zeros elsewhere."""
    around = tf.stack([box.first, size - box.end], axis=1)
    paddings = tf.pad(around, [[1, 1], [0, 0]])

    def paste_one(values):
        return tf.ensure_shape(tf.pad(values, paddings), [values.shape[0], None, None, values.shape[3]])

    return tf.nest.map_structure(paste_one, maps)


def corners_around(mask, height, width):
    """Top left corner of the height x width box around each example's hole.

    The box is centred on the hole's bounds and moved inside the image. For a hole made by `masks.box`, whose insets are
    symmetric, it is exactly the box the hole was cut from. Where an example's holes reach farther than the box, it lies
    around one of them: that of the middle pixel of all holes in reading order, as far as the hole goes from there along
    its row and its column. A rectangle apart from the others has exactly these bounds.

    Args:
        mask: [B, H, W, 1], 1 = hole; an empty mask counts as a hole at the centre.
        height, width: size of the box, at most H and W.
    Returns:
        int32 [B, 2], (top, left).
    """
    holes, one, size = bounds(mask), _middle_hole(mask), tf.stack([height, width])
    fits = tf.reduce_all(holes.size <= size, axis=-1, keepdims=True)
    twice = tf.where(fits, holes.first + holes.end, one.first + one.end)
    return tf.clip_by_value((twice - size) // 2, 0, tf.shape(mask)[1:3] - size)


def _middle_hole(mask):
    """`Box` of [B, 2]: how far the hole goes up, down, left and right of the middle one of its pixels."""
    hole = tf.cast(mask[..., 0], tf.bool)  # [B, H, W]
    width = tf.shape(hole)[2]
    counted = tf.cumsum(tf.cast(tf.reshape(hole, [tf.shape(hole)[0], -1]), tf.int32), axis=1)  # [B, H*W]
    middle = tf.argmax(tf.cast(counted * 2 >= counted[:, -1:], tf.int32), axis=1, output_type=tf.int32)
    row, column = middle // width, middle % width
    lines = (row, tf.gather(hole, column, axis=2, batch_dims=1)), (column, tf.gather(hole, row, axis=1, batch_dims=1))
    return Box(*(tf.stack(ends, axis=-1) for ends in zip(*[_run(*line) for line in lines])))


def _run(index, line):
    """First and end of what is True around an index, int32 [B], in lines, bool [B, N]."""
    position, length = tf.range(tf.shape(line)[1]), tf.shape(line)[1]
    before, after = position < index[:, tf.newaxis], position > index[:, tf.newaxis]
    first = tf.reduce_max(tf.where(before & ~line, position + 1, 0), axis=1)
    return first, tf.reduce_min(tf.where(after & ~line, position, length), axis=1)


def crop_boxes(images, corners, height, width):
    """Cut a box from each image, [B, H, W, C], at its corner, int32 [B, 2]: [B, height, width, C].

    The boxes lie inside the images.
    """
    rows = corners[:, :1] + tf.range(height)  # [B, height]
    columns = corners[:, 1:] + tf.range(width)  # [B, width]
    crops = tf.gather(images, rows, axis=1, batch_dims=1)
    crops = tf.gather(crops, columns, axis=2, batch_dims=1)
    return tf.ensure_shape(crops, [None, height, width, images.shape[-1]])


def paste_boxes(crops, corners, height, width):
    """The inverse of `crop_boxes`: crops, [B, h, w, C], at their corners on empty images, [B, height, width, C].

    What lies beyond the images is dropped.
    """
    for axis, length in ((1, height), (2, width)):
        extent = tf.shape(crops)[axis]
        index = tf.range(length) - corners[:, axis - 1 : axis]  # [B, length]
        inside = tf.cast((index >= 0) & (index < extent), crops.dtype)
        crops = tf.gather(crops, tf.clip_by_value(index, 0, extent - 1), axis=axis, batch_dims=1)
        crops *= tf.reshape(inside, [-1, length, 1, 1] if axis == 1 else [-1, 1, length, 1])
    return crops


def window_around(mask, size, ratio, centred=True):
    """The square box in which a network of one image size sees a hole.

    The hole's bounds take at most `ratio` of its side; it is no smaller than the network's images, where the image
    allows, so that nothing is enlarged without need.

    Args:
        mask: [H, W, 1], 1 = hole; an empty one counts as a hole of one pixel at the centre.
        size: side of the network's images.
        ratio: of the window's side that the hole may take, in (0, 1].
        centred: whether the hole has to lie at the window's centre; if not, the window stays inside the image, where
            that is large enough.
    Returns:
        `Box`, which may reach beyond the image.
    """
    hole, image_size = bounds(mask), tf.shape(mask)[:2]
    none, middle = hole.first >= hole.end, image_size // 2
    first, end = tf.where(none, middle, hole.first), tf.where(none, middle + 1, hole.end)
    extent = tf.reduce_max(end - first)
    # In whole numbers, as a window one pixel too wide would be resampled.
    needed = tf.cast(tf.math.ceil(tf.cast(extent, tf.float64) / ratio - 1e-9), tf.int32)
    side = tf.maximum(needed, tf.minimum(size, tf.reduce_min(image_size)))
    corner = (first + end - side) // 2
    if not centred:  # rather see the image than its mirror image
        inside = tf.clip_by_value(corner, 0, tf.maximum(image_size - side, 0))
        corner = tf.where(side <= image_size, inside, corner)
    return Box(corner, corner + side)


def crop_window(image, window, size):
    """What a window shows, at a network's size; beyond the image, its mirror image.

    Args:
        image: float [H, W, C].
        window: square `Box`.
        size: side of the result.
    Returns:
        float32 [size, size, C], resized bilinearly where the window's side is not `size`, averaging where it shrinks.
    """
    rows, columns = (mirrored(tf.range(window.first[axis], window.end[axis]), tf.shape(image)[axis]) for axis in (0, 1))
    return tf.image.resize(tf.gather(tf.gather(image, rows), columns, axis=1), [size, size], antialias=True)


def paste_window(completed, window, image):
    """An image with its window replaced.

    Args:
        completed: float [S, S, C], what the window shall show.
        window: `Box`, as it was cropped.
        image: float [H, W, C].
    Returns:
        float32 [H, W, C]: `image` outside of the window; inside, `completed`, resized bilinearly.
    """
    completed = tf.image.resize(completed, window.size, antialias=True)
    size = tf.unstack(tf.shape(image)[:2])
    pasted, inside = (
        paste_boxes(crop[tf.newaxis], window.first[tf.newaxis], *size)[0]
        for crop in (completed, tf.ones_like(completed[..., :1]))
    )
    return tf.where(inside > 0, pasted, image)


def margins_of(mask, margin):
    """By how much images are continued where a hole reaches their border: `margin` there, 0 elsewhere.

    Args:
        mask: bool [B, H, W], True = hole.
        margin: in pixels.
    Returns:
        ((above, below), (left, right)), int32 scalars, of all images together.
    """
    borders = ((mask[:, 0], mask[:, -1]), (mask[:, :, 0], mask[:, :, -1]))
    return [[margin * tf.cast(tf.reduce_any(border), tf.int32) for border in pair] for pair in borders]


def mirrored(index, length):
    """Any indices brought into 0 .. length - 1 by mirroring at the ends, which are repeated: int32 of any shape."""
    index = tf.where(index < 0, -1 - index, index) % (2 * length)  # ONNX has another remainder of negative numbers
    return tf.minimum(index, 2 * length - 1 - index)
