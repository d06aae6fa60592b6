"""Image files decoded inside a graph: JPEG and PNG, upright, with the same result as `io.images`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_inpaint.ops.levels import MASK_THRESHOLD

_EXIF_BYTES = 65536  # at both ends of a PNG that are searched for an orientation
_MOST_SEGMENTS = 10_000  # of a JPEG, or bytes between them that are none
_ORIENTATION_TAG, _SHORT, _LONG = 0x0112, 3, 4  # a tag of EXIF, and kinds of numbers


@tf.function(autograph=False, input_signature=[tf.TensorSpec([], tf.string)])
def decode_image(contents):
    """An encoded JPEG or PNG as uint8 [H, W, 3], upright; an error for anything else."""
    return _decode(contents, 3)


@tf.function(autograph=False, input_signature=[tf.TensorSpec([], tf.string)])
def decode_mask(contents):
    """An encoded JPEG or PNG as grey levels uint8 [H, W, 1], as `io.images.read_mask` has them."""
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
    """`io.images.upright` for tensors."""

    def is_one_of(*values):
        return tf.reduce_any(orientation == values)

    image = tf.cond(orientation > 4, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    image = tf.cond(is_one_of(2, 3, 6, 7), lambda: tf.reverse(image, [1]), lambda: image)
    return tf.cond(is_one_of(3, 4, 7, 8), lambda: tf.reverse(image, [0]), lambda: image)


def exif_orientation(contents):
    """The EXIF orientation of an encoded JPEG or PNG.

    Args:
        contents: string scalar. Of a JPEG, its segments up to the image are looked through; of a PNG, the first and the
            last 64 KiB.
    Returns:
        int32 in 1 .. 8; 1 (upright) where the file has none or a damaged one. One that stands in XMP alone is not seen.
    """
    data = tf.cond(
        tf.strings.substr(contents, 0, 4) == b"\x89PNG", lambda: _png_exif(contents), lambda: _jpeg_exif(contents)
    )

    def parse():
        little, tiff = data[0] == ord("I"), tf.pad(data, [[0, 10]])  # no window below leaves it

        def unsigned(data, first, length):
            """The number in bytes first .. first + length - 1 of the last axis."""
            weights = 256 ** tf.range(length, dtype=tf.int64)
            number = tf.cast(data[..., first : first + length], tf.int64)
            return tf.reduce_sum(number * tf.where(little, weights, weights[::-1]), axis=-1)

        directory = tiff[tf.minimum(unsigned(tiff, 4, 4), tf.size(tiff, tf.int64) - 2) :]
        entries = tf.minimum(unsigned(directory, 0, 2), (tf.size(directory, tf.int64) - 2) // 12)
        table = tf.reshape(directory[2 : 2 + 12 * entries], [entries, 12])
        kind = unsigned(table, 2, 2)
        value = tf.where(kind == _LONG, unsigned(table, 8, 4), unsigned(table, 8, 2))
        counts = ((kind == _SHORT) | (kind == _LONG)) & (unsigned(table, 4, 4) == 1)
        values = tf.boolean_mask(value, (unsigned(table, 0, 2) == _ORIENTATION_TAG) & counts)
        value = tf.concat([values[::-1], [1]], axis=0)[0]  # the last of several
        return tf.cast(tf.where((value >= 1) & (value <= 8), value, 1), tf.int32)

    return tf.cond(_begins(data, b"II*\0") | _begins(data, b"MM\0*"), parse, lambda: tf.constant(1))


def _begins(data, text):
    """Whether bytes, uint8 [N], begin with a text."""
    return tf.reduce_all(tf.pad(data[: len(text)], [[0, len(text)]])[: len(text)] == np.frombuffer(text, np.uint8))


def _jpeg_exif(contents):
    """What follows a JPEG's first mark of EXIF in its segment: uint8 [N], empty where there is none."""
    data = tf.io.decode_raw(contents, tf.uint8)
    size = tf.size(data)
    data = tf.pad(data, [[0, 4]])

    def more(place, _, end):
        image = (data[tf.minimum(place, size)] == 0xFF) & (data[tf.minimum(place, size) + 1] == 0xDA)
        return (end == 0) & (place + 4 <= size) & ~image

    def step(place, first, end):
        kind, length = data[place + 1], 256 * tf.cast(data[place + 2], tf.int32) + tf.cast(data[place + 3], tf.int32)
        after = tf.minimum(place + 2 + length, size)
        junk = (data[place] != 0xFF) | (kind == 0xFF)  # as all readers do, they are passed over
        alone = (kind < 0x02) | (kind >= 0xD0) & (kind <= 0xD8)
        found = ~junk & (kind == 0xE1) & _begins(data[place + 4 : after], b"Exif\0\0")
        following = tf.where(junk, place + 1, tf.where(alone, place + 2, tf.maximum(after, place + 2)))
        return following, tf.where(found, place + 10, first), tf.where(found, after, end)

    start = tf.constant(2), tf.constant(0), tf.constant(0)
    _, first, end = tf.while_loop(more, step, start, maximum_iterations=_MOST_SEGMENTS)
    return data[first:end]


def _png_exif(contents):
    """What follows a PNG's mark of EXIF: uint8 [N], empty where there is none."""
    length = tf.strings.length(contents)
    beginning = tf.strings.substr(contents, 0, _EXIF_BYTES)
    end = tf.strings.substr(contents, tf.minimum(length, tf.maximum(_EXIF_BYTES, length - _EXIF_BYTES)), length)
    data = tf.io.decode_raw(tf.strings.join([beginning, end]), tf.uint8)
    padded = tf.pad(data, [[0, 3]])
    marks = [padded[place : tf.size(data) + place] == letter for place, letter in enumerate(b"eXIf")]
    found = tf.where(tf.reduce_all(marks, axis=0))[:, 0]  # int64 [F]
    return data[tf.concat([found, [tf.size(data, tf.int64)]], axis=0)[0] + 4 :]
