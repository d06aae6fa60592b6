"""Sampling at other positions: features bilinearly, by TensorFlow Addons' kernel or in plain TensorFlow; masks."""

from __future__ import annotations

import functools
import warnings

import tensorflow as tf


def resample(features, positions):
    """Features between pixels: `resample_plainly`, computed by TensorFlow Addons where it is installed.

    Both give the same numbers. Gradients are always those of the plain form, since Addons adds them up in any order on
    GPUs, and runs could not be repeated bit for bit.

    Args, Returns, Reference: see `resample_plainly`.
    """
    kernel = addons_resampler()
    if kernel is None:
        return resample_plainly(features, positions)

    @tf.custom_gradient
    def sample(features, positions):
        def gradient(upstream):
            with tf.GradientTape() as tape:
                tape.watch((features, positions))
                outputs = resample_plainly(features, positions)
            return tape.gradient(outputs, (features, positions), output_gradients=upstream)

        return kernel(features, positions[..., ::-1]), gradient

    return sample(features, positions)


def resample_plainly(features, positions):
    """Features between pixels, interpolated bilinearly; what lies outside is 0.

    Args:
        features: float [B, H, W, C].
        positions: float [B, h, w, 2], (row, column) in pixels; (0, 0) is the centre of the first one.
    Returns:
        float [B, h, w, C]. At a whole position the slope is that towards the next pixel.
    Reference: Jaderberg et al. 2015, equation 5.
    """
    batch, height, width, channels = (tf.shape(features)[i] for i in range(4))
    pixels = tf.reshape(features, [batch, height * width, channels])
    corner = tf.floor(positions)
    fraction = positions - corner  # [B, h, w, 2], in [0, 1)
    # A position far outside must not overflow as a whole number; whatever is further than a pixel outside is 0.
    corner = tf.cast(tf.clip_by_value(corner, -2.0, tf.cast([height, width], corner.dtype)), tf.int32)
    total = 0.0
    for down in (0, 1):
        for right in (0, 1):
            row, column = corner[..., 0] + down, corner[..., 1] + right
            along, across = fraction[..., 0], fraction[..., 1]
            weight = (along if down else 1.0 - along) * (across if right else 1.0 - across)  # [B, h, w]
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            index = tf.where(inside, row * width + column, 0)
            weight = tf.where(inside, weight, 0.0)
            total += weight[..., tf.newaxis] * tf.gather(pixels, index, batch_dims=1)
    return total


def shrink_mask(mask, size):
    """A mask at another size: output i takes input floor(i * in / out).

    Args:
        mask: [B, H, W, 1].
        size: (height, width), whole numbers or an int32 tensor [2].
    Returns:
        [B, height, width, 1], same type.
    Reference: PyTorch's "nearest", which LaMa shrinks masks by.
    """
    for axis, length in ((1, size[0]), (2, size[1])):
        mask = tf.gather(mask, tf.range(length) * tf.shape(mask)[axis] // length, axis=axis)
    return mask


def pixel_grid(height, width):
    """(row, column) of every pixel: float32 [height, width, 2]."""
    rows, columns = tf.meshgrid(tf.range(height), tf.range(width), indexing="ij")
    return tf.cast(tf.stack([rows, columns], axis=-1), tf.float32)


@functools.lru_cache(maxsize=None)
def addons_resampler():
    """`tfa.image.resampler`, or None where Addons is not installed (it has no release for Keras 3)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its end of life is known
            from tensorflow_addons.image import resampler
    except ImportError:
        return None
    return resampler
