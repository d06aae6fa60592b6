"""A fully connected layer inside each channel: information crosses the whole map, but not from channel to channel."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.layer import Layer


class ChannelwiseDense(Layer):
    """y[b, i, c] = sum over positions j of kernel[c, i, j] * x[b, j, c] + bias[c, i].

    For m maps of n x n positions it has m * n^4 weights, where a dense layer has m^2 * n^4.

    Args:
        use_bias: whether there is a bias, one for each position and channel.
    Call:
        inputs: float [B, H, W, C]; H and W are fixed when the layer is built.
        returns: float [B, H, W, C].
    Reference: Pathak et al. 2016, section 3.1.
    """

    def __init__(self, use_bias=True, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.use_bias = use_bias

    def build(self, input_shape):
        _, height, width, channels = input_shape
        cells = height * width
        # Each output sums over `cells` inputs.
        normal = tf.keras.initializers.RandomNormal(stddev=cells**-0.5)
        self.kernel = self.add_weight(name="kernel", shape=(channels, cells, cells), initializer=normal, trainable=True)
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(channels, cells), initializer="zeros", trainable=True)
        self.built = True

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        flat = tf.reshape(inputs, [-1, height * width, channels])  # [B, h*w, C]
        outputs = tf.einsum("cij,bjc->bic", tf.convert_to_tensor(self.kernel), flat)
        if self.use_bias:
            outputs += tf.transpose(tf.convert_to_tensor(self.bias))
        return tf.reshape(outputs, [-1, height, width, channels])
