"""Images as tensors: float32 [B, H, W, C] in [-1, 1], RGB, resized the way the original graphs do."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.ops.levels import from_levels, to_levels


def to_float(image):
    """uint8 0 .. 255 to float32 [-1, 1]."""
    return from_levels(tf.cast(image, tf.float32))


def to_uint8(image):
    """Float [-1, 1] to uint8, rounded to the nearest level and clipped.

    Deviations: the release truncates, so that an unchanged pixel can come back one level lower.
    """
    return tf.cast(tf.round(tf.clip_by_value(to_levels(image), 0.0, 255.0)), tf.uint8)


def composite(predicted, image, mask):
    """`predicted` inside the holes, `image` outside (mask 1 = hole)."""
    return predicted * mask + image * (1.0 - mask)


def resize_nearest(image, size):
    """Nearest-neighbour resizing with aligned corners.

    The source of output i is round_half_up(i * (in - 1) / (out - 1)): duplication for x2, but not `[::2]` for 1/2. Rows
    and columns are gathered, since TensorFlow's own operation has no deterministic gradient on GPUs.

    Args:
        image: [B, H, W, C].
        size: (height, width) of the result, whole numbers or an int32 tensor [2].
    Returns:
        The resized image, same type.
    Reference: the original graphs (TensorFlow 1 `resize_nearest_neighbor(align_corners=True)`).
    """
    rows = _aligned_sources(tf.shape(image)[1], size[0])
    columns = _aligned_sources(tf.shape(image)[2], size[1])
    return tf.gather(tf.gather(image, rows, axis=1), columns, axis=2)


def _aligned_sources(length, target):
    """int32 [target]: the source of each output along one side, in float32 arithmetic like the original operation."""
    steps = tf.cast(tf.maximum(target - 1, 1), tf.float32)
    position = tf.range(target, dtype=tf.float32) * (tf.cast(length - 1, tf.float32) / steps)
    lower = tf.floor(position)
    source = tf.cast(lower, tf.int32) + tf.cast(position - lower >= 0.5, tf.int32)
    return tf.minimum(source, length - 1)


def resize_bilinear(image, size):
    """Bilinear resizing with aligned corners; arguments as `resize_nearest`, the result is float32."""
    return tf.raw_ops.ResizeBilinear(images=image, size=size, align_corners=True)


def enlarge_twice(image):
    """Every pixel as a 2 x 2 block: `resize_nearest` to twice the size, without its gather.

    Args:
        image: [B, H, W, C].
    Returns:
        [B, 2H, 2W, C].
    """
    batch, height, width, channels = (tf.shape(image)[i] for i in range(4))
    # In few dimensions, which TensorFlow Lite has operations for.
    rows = tf.reshape(tf.concat([image, image], axis=-1), [batch, height, 2 * width * channels])
    enlarged = tf.reshape(tf.concat([rows, rows], axis=-1), [batch, 2 * height, 2 * width, channels])
    double = [None if side is None else 2 * side for side in image.shape[1:3]]
    return tf.ensure_shape(enlarged, [image.shape[0], *double, image.shape[3]])
