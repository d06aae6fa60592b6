"""A square window around a hole: cut out of a picture at a network's size, and its completion put back.

Windows may reach beyond the picture, which is then continued as its mirror image.
"""

from __future__ import annotations

import tensorflow as tf


def window_around(mask, size, share, centred=True):
    """The square in which a network of one picture size sees a hole.

    The hole's bounding box takes at most `share` of its side; it is no smaller than the network's pictures, where the
    picture allows, so that nothing is enlarged without need.

    Args:
        mask: float [H, W, 1], 1 = hole; an empty one counts as a hole of one pixel at the centre.
        size: side of the network's pictures.
        share: of the window's side that the hole may take, in (0, 1].
        centred: whether the hole has to lie at the window's centre; if not, the window stays inside the picture, where
            that is large enough.
    Returns:
        int32 scalars (top, left, side), in pixels; top and left may be negative.
    """
    first, last = zip(*(_ends(tf.reduce_max(mask[..., 0], axis=axis) > 0.5) for axis in (1, 0)))
    extent = tf.maximum(last[0] - first[0], last[1] - first[1])
    # In whole numbers, as a window one pixel too wide would be resampled.
    needed = tf.cast(tf.math.ceil(tf.cast(extent, tf.float64) / share - 1e-9), tf.int32)
    side = tf.maximum(needed, tf.minimum(size, tf.reduce_min(tf.shape(mask)[:2])))
    corners = []
    for begin, end, length in zip(first, last, tf.unstack(tf.shape(mask)[:2])):
        corner = (begin + end - side) // 2
        if not centred:  # rather see the picture than its mirror image
            corner = tf.where(side <= length, tf.clip_by_value(corner, 0, tf.maximum(length - side, 0)), corner)
        corners.append(corner)
    return *corners, side


def _ends(hole):
    """First and one past the last True of a bool [N]; the middle if there is none."""
    length = tf.shape(hole)[0]
    places = tf.where(hole)[:, 0]
    none = tf.equal(tf.shape(places)[0], 0)
    middle = length // 2
    first = tf.cond(none, lambda: middle, lambda: tf.cast(places[0], tf.int32))
    last = tf.cond(none, lambda: middle + 1, lambda: tf.cast(places[-1], tf.int32) + 1)
    return first, last


def cut_window(image, window, size):
    """What a window shows, at a network's size.

    Args:
        image: float [H, W, C].
        window: (top, left, side), see `window_around`.
        size: side of the result.
    Returns:
        float32 [size, size, C], resized bilinearly where `side` is not `size`, averaging where it shrinks.
    """
    top, left, side = window
    rows = mirrored(top + tf.range(side), tf.shape(image)[0])
    columns = mirrored(left + tf.range(side), tf.shape(image)[1])
    return tf.image.resize(tf.gather(tf.gather(image, rows), columns, axis=1), [size, size], antialias=True)


def put_back(completed, window, image):
    """A picture with its window replaced.

    Args:
        completed: float [S, S, C], what the window shall show.
        window: (top, left, side), as it was cut.
        image: float [H, W, C].
    Returns:
        float32 [H, W, C]: `image` outside of the window; inside, `completed`, resized bilinearly.
    """
    top, left, side = window
    completed = tf.image.resize(completed, [side, side], antialias=True)
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    rows, columns = tf.range(height) - top, tf.range(width) - left
    inside = _within(rows, side)[:, tf.newaxis] & _within(columns, side)[tf.newaxis, :]
    seen = tf.gather(
        tf.gather(completed, tf.clip_by_value(rows, 0, side - 1)), tf.clip_by_value(columns, 0, side - 1), axis=1
    )
    return tf.where(inside[..., tf.newaxis], seen, image)


def _within(places, length):
    return (places >= 0) & (places < length)


def mirrored(places, length):
    """Places brought into a side by mirroring at its edges, whose pixels are repeated.

    Args:
        places: int32 tensor of any shape and values.
        length: of the side, at least 1.
    Returns:
        int32 of the shape of `places`, in 0 .. length - 1.
    """
    places = places % (2 * length)
    return tf.minimum(places, 2 * length - 1 - places)
