"""What an exported model refuses, inside the graph: each complaint begins with the name of the input, and ends the
request and nothing else.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.inference.large import longest_side


class Checks:
    """Inputs of one request, handed on where they are right.

    Args:
        max_pixels: largest image accepted, height x width.
        size: (height, width) of all images; None is any.
        thin: whether images may be of any shape, and not only of those that a network is shown whole.
    """

    def __init__(self, max_pixels, size=None, thin=False):
        self._max_pixels = max_pixels
        self._size = size
        self._thin = thin

    def array(self, name, value, channels):
        """A uint8 [N, H, W, channels], of an allowed size."""
        value = _of_unknown_shape(value)
        shape = tf.shape(value)
        fits = tf.equal(tf.rank(value), 4) & tf.reduce_all(tf.equal(shape[-1:], channels))
        if self._size is not None:
            fits &= tf.reduce_all(tf.equal(shape[1:3], self._size))
        height, width = self._size or ("H", "W")
        value = require(fits, value, f"`{name}` must be [N, {height}, {width}, {channels}]. Received:", shape)
        value.set_shape([None, *(self._size or (None, None)), channels])
        return self._limited(name, value, tf.shape(value)[1], tf.shape(value)[2])

    def file(self, name, contents, decode):
        """A PNG or JPEG file as uint8 [H, W, C]; too large ones are refused before they are decoded."""
        is_png = tf.strings.substr(contents, 0, 4) == b"\x89PNG"
        is_jpeg = tf.io.is_jpeg(contents)
        message = f"`{name}` must be a PNG or JPEG file. Received bytes:"
        contents = require(is_png | is_jpeg, contents, message, tf.strings.length(contents))
        whole = tf.cond(is_jpeg, lambda: _has_jpeg_end(contents), lambda: _contains(contents, b"IEND"))
        message = f"`{name}` must be a whole file, but its end is missing. Received bytes:"
        contents = require(whole, contents, message, tf.strings.length(contents))

        def sides_of_png():
            head = tf.strings.substr(tf.strings.join([contents, b"\0" * 24]), 16, 8)
            return tf.io.decode_raw(head, tf.int32, little_endian=False)[::-1]

        with tf.name_scope(name):  # of what decoders complain of, only their place can tell
            sides = tf.cond(is_jpeg, lambda: tf.image.extract_jpeg_shape(contents)[:2], sides_of_png)
            contents = self._limited(name, contents, sides[0], sides[1])
            value = decode.python_function(contents)
        if self._size is not None:
            message = f"`{name}` must be {self._size[0]} x {self._size[1]} pixels high and wide. Received:"
            sides = tf.shape(value)[:2]
            value = require(tf.reduce_all(tf.equal(sides, self._size)), value, message, sides)
            value.set_shape([*self._size, None])
        return value

    def _limited(self, name, value, height, width):
        pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
        fits = (height > 0) & (width > 0) & (pixels <= self._max_pixels)
        message = f"`{name}` must have 1 to {self._max_pixels} pixels. Received height and width:"
        value = require(fits, value, message, height, width)
        if self._thin:
            return value
        longest = longest_side(tf.minimum(height, width), tf.maximum)
        message = f"`{name}` must not be so thin. Received height, width and the longest side for it:"
        return require(tf.maximum(height, width) <= longest, value, message, height, width, longest)


def as_large_as(image, name, value):
    """`value` [..., H, W, C], if its shape is that of `image` [..., H, W, 3] but for the channels."""
    here, there = tf.shape(value)[:-1], tf.shape(image)[:-1]
    same = tf.reduce_all(tf.raw_ops.Equal(x=here, y=there, incompatible_shape_error=False))
    value = require(same, value, f"`{name}` must have the size of the image. Received:", here, there)
    value.set_shape([*image.shape[:-1], value.shape[-1]])
    return value


def require(condition, value, message, *received):
    """`value`, computed only where the condition holds."""
    with tf.control_dependencies([tf.debugging.Assert(condition, [message, *received], summarize=8)]):
        return tf.identity(value)


def _has_jpeg_end(contents):
    """Whether the mark of an end stands beyond where a thumbnail of its own has one, in EXIF's 64 KiB."""
    length = tf.strings.length(contents)
    return _contains(tf.strings.substr(contents, tf.minimum(length // 2, 65536), length), b"\xff\xd9")


def _contains(contents, mark):
    return tf.size(tf.strings.split(contents, mark)) > 1


def _of_unknown_shape(value):
    """`value`, of whose shape nothing is known: TensorFlow takes it to be as declared, and servers do not look.

    No level is above 255, but TensorFlow does not know, and so it cannot tell which of two shapes will come.
    """
    never = tf.cast(tf.reduce_max(tf.reshape(value, [-1])), tf.int32) > 255
    return tf.cond(never, lambda: tf.zeros([0], value.dtype), lambda: tf.identity(value))
