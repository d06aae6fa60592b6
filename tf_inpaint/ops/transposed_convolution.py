"""Transposed convolutions of stride 2 as four convolutions, a parity of rows and columns each."""

from __future__ import annotations

import tensorflow as tf


def doubled(inputs, kernel):
    """Transposed convolution: output position o takes kernel[k] of input i for o = 2 i + k - 1, in both directions.

    With a kernel of 3 this is PyTorch's of padding 1 and output padding 1, with one of 4 TensorFlow's "SAME".

    Processors compute `tf.nn.conv2d_transpose` a little faster, but TensorFlow then keeps a megabyte or so for each
    size of image that it has seen. Gradients are those of that operation, a half to a third of the time of these four.

    Args:
        inputs: float [B, H, W, C].
        kernel: float [K, K, filters, C], K at least 3.
    Returns:
        float [B, 2H, 2W, filters].
    """
    return _doubled(inputs, tf.convert_to_tensor(kernel))


@tf.custom_gradient
def _doubled(inputs, kernel):
    flipped = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])  # [K, K, C, filters]
    phases = []
    for row in (0, 1):  # of outputs, odd or even
        for column in (0, 1):
            part = flipped[(kernel.shape[0] - row) % 2 :: 2, (kernel.shape[1] - column) % 2 :: 2]
            # An odd position takes one input more behind it, the others of its inputs stand before it.
            padding = [[taps - 1 - after, after] for taps, after in zip(part.shape, (row, column))]
            phases.append(tf.nn.conv2d(inputs, part, 1, [[0, 0], *padding, [0, 0]]))
    return tf.nn.depth_to_space(tf.concat(phases, axis=-1), 2), _gradients(inputs, kernel)


def _gradients(inputs, kernel):
    def gradients(upstream):
        # Not by explicit padding, with which the gradient of a kernel of 16 bits is summed in 16 bits.
        padded = tf.pad(upstream, [[0, 0], *([1, size - 3] for size in kernel.shape[:2]), [0, 0]])
        of_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=padded, filter_sizes=kernel.shape, out_backprop=inputs, strides=[1, 2, 2, 1], padding="VALID"
        )
        return tf.nn.conv2d(padded, kernel, 2, "VALID"), of_kernel

    return gradients
