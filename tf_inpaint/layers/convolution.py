"""The convolutions of the DeepFill generators: mirror or zero padding, dilation, gates, and x2 upsampling forms."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.precision import MixedPrecision
from tf_inpaint.ops.boxes import Box

PADDINGS = ("SAME", "SYMMETRIC", "REFLECT", "CONSTANT")


class MirrorConv2D(MixedPrecision):
    """A convolution whose border is mirrored, or zero.

    Mirror padding adds `dilation * (kernel_size - 1) / 2` pixels on every side, also with stride 2, where "SAME" pads
    even sizes at the end only: the two sample grids are shifted against each other.

    Args:
        filters: channels of the output.
        kernel_size: odd side of the square kernel.
        strides: 1 or 2.
        dilation: spacing of the kernel's taps; only with stride 1.
        activation: a function or Keras name; None is linear.
        padding: "SYMMETRIC" (border pixel repeated), "REFLECT" (not repeated), "CONSTANT" (zeros on every side, as
            PyTorch does) or "SAME" (zeros, with stride 2 and even sizes at the end only).
        border: pixels added on every side; None keeps the size but for the stride. Not with "SAME".
        use_bias: whether there is a bias.
        kernel_initializer: of the kernel, a Keras initializer or its name.
    Call:
        inputs: float [B, H, W, C]; H and W no smaller than the padding with "SYMMETRIC", larger with "REFLECT".
        returns: float [B, ceil(H / strides), ceil(W / strides), filters], or what another border leaves.
    Raises:
        ValueError: if an argument is outside what is listed.
    Reference: Yu et al. 2018, section 3; kernels start Glorot-uniform and biases at 0, as in release 1.0.0.
    """

    def __init__(
        self,
        filters,
        kernel_size=3,
        strides=1,
        dilation=1,
        activation="elu",
        padding="SYMMETRIC",
        border=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        name=None,
        **kwargs,
    ):
        super().__init__(name=name, autocast=False, **kwargs)  # Keras would bring inputs back to float32
        if padding not in PADDINGS:
            raise ValueError(f"`padding` must be one of {', '.join(PADDINGS)}. Received: {padding!r}")
        if kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd. Received: {kernel_size}")
        if strides not in (1, 2) or dilation < 1:
            raise ValueError(f"`strides` must be 1 or 2, `dilation` 1 or more. Received: {strides} and {dilation}")
        if strides > 1 and dilation > 1:
            raise ValueError(f"`strides` and `dilation` cannot both exceed 1. Received: {strides} and {dilation}")
        if border is not None and padding == "SAME":
            raise ValueError(f"`border` needs a `padding` other than SAME. Received: {border}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.dilation = dilation
        self.activation = tf.keras.activations.get(activation)
        self.padding = padding
        self.border = border
        self.use_bias = use_bias
        self.kernel_initializer = tf.keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self.kernel_initializer, trainable=True)
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros", trainable=True)
        self.built = True

    def call(self, inputs):
        return self.activation(self.convolve(inputs))

    def convolve(self, inputs):
        """The convolution and bias, before the activation."""
        return self._finished(self.correlate(tf.cast(inputs, self.precision), self.effective_kernel()))

    def correlate(self, inputs, kernel):
        """`inputs` with any kernel, by this layer's strides, dilation and padding, in the inputs' precision."""
        padding = self.padding
        if padding != "SAME":
            border = self._border
            inputs = tf.pad(inputs, [[0, 0], [border, border], [border, border], [0, 0]], padding)
            padding = "VALID"
        # tf.nn.convolution and not conv2d, whose dilated form has no gradient on CPUs.
        return tf.nn.convolution(
            inputs,
            tf.cast(kernel, inputs.dtype),
            strides=self.strides,
            padding=padding,
            dilations=self.dilation,
            data_format="NHWC",  # left out, eager second derivatives fail
        )

    def reads(self, box):
        """The `Box` of the input that a box of the output is made of; beyond the input it is mirrored, or zeros."""
        first = box.first * self.strides - self._border
        beyond = self.strides - 1 if self.padding == "SAME" else 0  # even sizes are padded at the end only
        end = (box.end - 1) * self.strides - self._border + self.dilation * (self.kernel_size - 1) + 1 + beyond
        return Box(first, end)

    @property
    def _border(self):
        return self.dilation * (self.kernel_size - 1) // 2 if self.border is None else self.border

    def _finished(self, outputs):
        outputs = tf.cast(outputs, self.handed_on)
        return tf.nn.bias_add(outputs, tf.cast(self.bias, outputs.dtype)) if self.use_bias else outputs

    def effective_kernel(self):
        """What the inputs are convolved with: float [kernel_size, kernel_size, C, filters]."""
        return tf.cast(self.kernel, self.compute_dtype)  # exported models may keep it in half the bytes

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        if self.padding == "SAME" or self.border is None:
            sides = [None if side is None else -(-side // self.strides) for side in (height, width)]
        else:
            lost = self.dilation * (self.kernel_size - 1) - 2 * self.border
            sides = [None if side is None else (side - lost - 1) // self.strides + 1 for side in (height, width)]
        return (batch, *sides, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "dilation": self.dilation,
            "activation": tf.keras.activations.serialize(self.activation),
            "padding": self.padding,
            "border": self.border,
            "use_bias": self.use_bias,
            "kernel_initializer": tf.keras.initializers.serialize(self.kernel_initializer),
        }


class UpsampleConv2D(MirrorConv2D):
    """Every pixel doubled in both directions, then a 3 x 3 `MirrorConv2D`: [B, H, W, C] -> [B, 2H, 2W, filters].

    Of the nine taps of a place several meet the same pixel, which ones depends on whether its row and column are even.
    So each of the four kinds is a 2 x 2 convolution of the small image, whose taps are sums of the kernel's.

    Raises:
        ValueError: if `kernel_size` is not 3, or `strides`, `dilation` or `border` is given.
    Reference: the `_upsample` layers of release 1.0.0.
    Deviations: none, up to rounding.
    """

    def __init__(self, filters, *args, **kwargs):
        super().__init__(filters, *args, **kwargs)
        fixed = (self.kernel_size, self.strides, self.dilation, self.border)
        if fixed != (3, 1, 1, None):
            raise ValueError(
                f"`kernel_size`, `strides`, `dilation`, `border` must be 3, 1, 1, None here. Received: {fixed}"
            )

    def reads(self, box):
        """As `MirrorConv2D`."""
        return super().reads(box).shrunk(2)

    def convolve(self, inputs):
        batch, height, width = (inputs.shape[i] or tf.shape(inputs)[i] for i in range(3))
        # Of a doubled image, both ways of mirroring repeat the pixel at the border.
        mode = "SYMMETRIC" if self.padding in ("SYMMETRIC", "REFLECT") else "CONSTANT"
        padded = tf.pad(tf.cast(inputs, self.precision), [[0, 0], [1, 1], [1, 1], [0, 0]], mode)
        kernel = self.effective_kernel()
        rows = []
        for row, taps in enumerate(_pairs_of_taps(kernel, 0)):
            parts = []
            for column, pixel_kernel in enumerate(_pairs_of_taps(taps, 1)):
                # Not by indices, whose gradient takes many times as long.
                seen = tf.slice(padded, [0, row, column, 0], [-1, height + 1, width + 1, -1])
                pixel_kernel = tf.cast(pixel_kernel, self.precision)
                part = tf.nn.convolution(seen, pixel_kernel, padding="VALID", data_format="NHWC")
                parts.append(self._finished(part))
            rows.append(tf.stack(parts, axis=3))  # [B, H, W, 2, filters]
        outputs = tf.reshape(tf.stack(rows, axis=2), [batch, 2 * height, 2 * width, self.filters])
        double = [None if side is None else 2 * side for side in inputs.shape[1:3]]
        return tf.ensure_shape(outputs, [inputs.shape[0], *double, self.filters])

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (batch, *(None if side is None else 2 * side for side in (height, width)), self.filters)


def _pairs_of_taps(kernel, axis):
    """What three taps along an axis are for even and for odd places of a doubled image: two taps each."""
    first, second, third = tf.unstack(kernel, axis=axis)
    return tf.stack([first, second + third], axis=axis), tf.stack([first + second, third], axis=axis)


class GatedConv2D(MirrorConv2D):
    """A convolution whose second half of channels decides, pixel by pixel, how much of the first half passes.

    activation(feature) * sigmoid(gate): the layer learns where its input is worth anything, holes or edges
    among it, instead of being told by a rule.

    Args:
        filters: channels of the convolution, features and gates together, even; half of them are handed on. This is
            how the release counts.
        Others as `MirrorConv2D`; `activation` is that of the features.
    Call:
        inputs: float [B, H, W, C].
        returns: float [B, ceil(H / strides), ceil(W / strides), filters / 2].
    Raises:
        ValueError: if an argument is outside what is listed.
    Reference: Yu et al. 2019, section 3.1, equation 3.
    Deviations: none.
    """

    def __init__(self, filters, *args, **kwargs):
        super().__init__(filters, *args, **kwargs)
        if filters % 2:
            raise ValueError(f"`filters` must be even: half of them are gates. Received: {filters}")

    def call(self, inputs):
        feature, gate = tf.split(self.convolve(inputs), 2, axis=-1)
        return self.activation(feature) * tf.sigmoid(gate)

    def compute_output_shape(self, input_shape):
        return (*super().compute_output_shape(input_shape)[:-1], self.filters // 2)


class GatedUpsampleConv2D(GatedConv2D, UpsampleConv2D):
    """Every pixel doubled in both directions, then a 3 x 3 `GatedConv2D`: [B, H, W, C] -> [B, 2H, 2W, filters / 2].

    Reference: the `_upsample` layers of release 2.
    """
