"""Image files decoded inside a graph: JPEG and PNG, upright, with the same result as `io.images`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_inpaint.ops.levels import MASK_THRESHOLD

_EXIF_BYTES = 65536  # searched for an orientation; JPEG keeps it in its first segment, of at most this length


@tf.function(autograph=False, input_signature=[tf.TensorSpec([], tf.string)])
def decode_image(contents):
    """An encoded JPEG or PNG as uint8 [H, W, 3], upright; an error for anything else."""
    return _decode(contents, 3)


@tf.function(autograph=False, input_signature=[tf.TensorSpec([], tf.string)])
def decode_mask(contents):
    """An encoded JPEG or PNG as grey levels uint8 [H, W, 1], as `pictures.read_mask` has them."""
    red, green, blue, alpha = tf.split(_decode(contents, 4), 4, axis=2)
    brightest = tf.maximum(tf.maximum(red, green), blue)

    def layered():
        painted = alpha > MASK_THRESHOLD
        shades = [(tf.where(painted, shade, 0), tf.where(painted, shade, 255)) for shade in (red, green, blue)]
        # 0 and 255 where nothing is painted.
        one_colour = tf.reduce_all([tf.reduce_max(high) <= tf.reduce_min(low) for high, low in shades])
        product = tf.cast(brightest, tf.int32) * tf.cast(alpha, tf.int32) // 255
        return tf.where(one_colour, alpha, tf.cast(product, tf.uint8))

    even = tf.reduce_min(alpha) == tf.reduce_max(alpha)
    return tf.cond(even, lambda: brightest, layered)


def _decode(contents, channels):
    # The decoders take more kinds than their names say, differently in each TensorFlow, and some of them wrongly
    # (BMP with a palette, WebP with an orientation): those are left to Python.
    is_png = tf.strings.substr(contents, 0, 4) == b"\x89PNG"

    def jpeg():
        image = tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")
        return image if channels == 3 else tf.pad(image, [[0, 0], [0, 0], [0, 1]], constant_values=255)

    def png():
        return tf.io.decode_png(tf.where(is_png, contents, b""), channels=channels)

    image = tf.ensure_shape(tf.cond(tf.io.is_jpeg(contents), jpeg, png), [None, None, channels])
    orientation = exif_orientation(contents)
    return tf.cond(orientation > 1, lambda: _upright(image, orientation), lambda: image)


def _upright(image, orientation):
    """`pictures.upright` for tensors."""

    def is_one_of(*values):
        return tf.reduce_any(orientation == values)

    image = tf.cond(orientation > 4, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    image = tf.cond(is_one_of(2, 3, 6, 7), lambda: tf.reverse(image, [1]), lambda: image)
    return tf.cond(is_one_of(3, 4, 7, 8), lambda: tf.reverse(image, [0]), lambda: image)


def exif_orientation(contents):
    """The EXIF orientation of an encoded JPEG or PNG.

    Args:
        contents: string scalar; its first 64 KiB are searched.
    Returns:
        int32 in 1 .. 8; 1 (upright) where the file has none or a damaged one. One that stands in XMP alone is not seen.
    """
    # Ten bytes of zeros around, so that no window below leaves the data.
    window = tf.io.decode_raw(tf.strings.substr(contents, 0, _EXIF_BYTES), tf.uint8)
    window = tf.pad(window, [[10, 10]])  # [N + 20]
    # A TIFF header, "II*\0" or "MM\0*", right after JPEG's or PNG's name of the block. Few bytes are a star.
    stars = tf.where(window[10:-10] == ord("*"))[:, 0] + 10  # [S]
    around = tf.gather(window, stars[:, tf.newaxis] + tf.range(-9, 2, dtype=tf.int64))  # [S, 11]
    headers = [b"?Exif\0\0II*\0", b"???eXIfII*\0", b"Exif\0\0MM\0*?", b"??eXIfMM\0*?"]
    patterns = np.array([list(header) for header in headers], np.uint8)  # [4, 11]
    matches = tf.reduce_all((around[:, tf.newaxis] == patterns) | (patterns == ord("?")), axis=2)  # [S, 4]
    found = tf.where(matches)  # [F, 2], in the order of the file

    def parse():
        little = found[0, 1] < 2
        tiff = window[stars[found[0, 0]] - tf.where(little, tf.constant(2, tf.int64), 3) :]

        def unsigned(data, first, length):
            """The number in bytes first .. first + length - 1 of the last axis."""
            weights = 256 ** tf.range(length, dtype=tf.int64)
            number = tf.cast(data[..., first : first + length], tf.int64)
            return tf.reduce_sum(number * tf.where(little, weights, weights[::-1]), axis=-1)

        directory = tiff[tf.minimum(unsigned(tiff, 4, 4), tf.size(tiff, tf.int64) - 2) :]
        entries = tf.minimum(unsigned(directory, 0, 2), (tf.size(directory, tf.int64) - 2) // 12)
        table = tf.reshape(directory[2 : 2 + 12 * entries], [entries, 12])
        is_orientation = (unsigned(table, 0, 2) == 0x0112) & (unsigned(table, 2, 2) == 3)  # tag, type SHORT
        values = tf.boolean_mask(unsigned(table, 8, 2), is_orientation)
        value = tf.concat([values, [1]], axis=0)[0]
        return tf.cast(tf.where(value <= 8, tf.maximum(value, 1), 1), tf.int32)

    return tf.cond(tf.shape(found)[0] > 0, parse, lambda: tf.constant(1))
