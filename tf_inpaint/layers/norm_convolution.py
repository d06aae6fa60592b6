"""The building block of DCGAN and Context Encoders: a convolution up or down, batch normalisation, an activation."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.batch_norm import BatchNorm
from tf_inpaint.layers.chain import Chain
from tf_inpaint.layers.precision import MixedPrecision


class NormConv2D(MixedPrecision):
    """A strided or transposed convolution, batch-normalised or not.

    Args:
        filters: channels of the output.
        kernel_size: side of the square kernel.
        strides: whole number >= 1.
        padding: "SAME" or "VALID".
        transposed: enlarge by `strides` instead of shrinking.
        norm: whether there is batch normalisation.
        activation: a function or Keras name; None is linear.
        train_bias: whether the convolution's bias acts in training too. (In the release of Context Encoders it does
            not: it is set to zero before every evaluation.) Before a normalisation it never learns, as it changes
            nothing there.
    Call:
        inputs: float [B, H, W, C].
        training: as in `BatchNorm`.
        returns: (float32 [B, h, w, filters], the normalisation's statistics, () without).
    Reference: Radford et al. 2016; kernels start as N(0, 0.02), biases at 0.
    """

    normalisation = BatchNorm  # the class of `norm`

    def __init__(
        self,
        filters,
        kernel_size=4,
        strides=2,
        padding="SAME",
        transposed=False,
        norm=True,
        activation="relu",
        train_bias=True,
        name=None,
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.transposed = transposed
        self.activation = tf.keras.activations.get(activation)
        self.train_bias = train_bias
        self.norm = self.normalisation(name="norm", dtype=kwargs.get("dtype")) if norm else None

    def build(self, input_shape):
        channels = (self.filters, input_shape[-1]) if self.transposed else (input_shape[-1], self.filters)
        shape = (self.kernel_size, self.kernel_size, *channels)
        normal = tf.keras.initializers.RandomNormal(stddev=0.02)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=normal, trainable=True)
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros", trainable=True)
        if self.norm is not None:
            self.norm.build((None, None, None, self.filters))
        self.built = True

    def call(self, inputs, training=False):
        # A pass moves no running statistics: it hands on those of the batch, and whoever updates moves them.
        inputs, kernel = tf.cast(inputs, self.precision), tf.cast(self.kernel, self.precision)
        outputs = self._enlarge(inputs, kernel) if self.transposed else self._shrink(inputs, kernel)
        outputs = tf.cast(outputs, self.compute_dtype)
        if self.train_bias or not training:
            bias = tf.convert_to_tensor(self.bias)
            # Normalisation takes it out again: its gradient would be rounding, and Adam makes steps of that.
            outputs = tf.nn.bias_add(outputs, bias if self.norm is None else tf.stop_gradient(bias))
        statistics = ()
        if self.norm is not None:
            outputs, statistics = self.norm(outputs, training=training)
        return self.activation(outputs), statistics

    def advance(self, statistics):
        """As `BatchNorm`."""
        self.norm.advance(statistics)

    def _shrink(self, inputs, kernel):
        return tf.nn.conv2d(inputs, kernel, self.strides, self.padding)

    def _enlarge(self, inputs, kernel):
        grown = 0 if self.padding == "SAME" else self.kernel_size - self.strides
        batch, height, width = (tf.shape(inputs)[i] for i in range(3))
        # Of a size that "VALID" leaves open, all that the kernel reaches.
        size = [batch, height * self.strides + grown, width * self.strides + grown, self.filters]
        outputs = tf.nn.conv2d_transpose(inputs, kernel, size, self.strides, self.padding)
        sides = [None if side is None else side * self.strides + grown for side in inputs.shape[1:3]]
        return tf.ensure_shape(outputs, [inputs.shape[0], *sides, self.filters])

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "transposed": self.transposed,
            "norm": self.norm is not None,
            "activation": tf.keras.activations.serialize(self.activation),
            "train_bias": self.train_bias,
        }


class NormChain(Chain):
    """A `Chain` of `NormConv2D`.

    Call:
        inputs: float [B, H, W, C].
        training: as in `BatchNorm`.
        returns: (outputs, statistics): of the last layer, and by name of each layer that has some.
    """

    def __call__(self, inputs, training):
        statistics = {}
        for name, layer in self.layers.items():
            inputs, seen = layer(inputs, training=training)
            if seen:
                statistics[name] = seen
        return inputs, statistics
