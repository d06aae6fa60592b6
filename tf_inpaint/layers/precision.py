"""In how many bits a network convolves: float32, or 16 bits between float32 weights and float32 results.

Convolutions and what flows between them take most of the time and the memory, and stand half as many bits. Everything
else stays float32: weights, spectral norms, batch statistics, attention with its softmax and patch norms, images,
scores and losses. Processors convolve in 16 bits, but compute activations in them four times as slowly as in float32,
so that there what flows between layers is float32 as well.

bfloat16 has float32's range; float16 has more digits, but small gradients vanish in it unless losses are scaled up
before they are differentiated.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.layer import Layer
from tf_inpaint.layers.sublayers import sublayers

PRECISIONS = {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}


class MixedPrecision(Layer):
    """A layer that convolves in a precision: float32, float64 where that is its dtype, or as `set_precision` says.

    Attributes:
        precision: tf.DType to convolve in.
        handed_on: tf.DType of bias, activation and outputs, where they are not always float32.
    """

    precision = handed_on = tf.float32

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.compute_dtype == "float64":
            self.precision = self.handed_on = tf.float64


def set_precision(model, precision):
    """Let every convolution of a built model compute in a precision; what is traced already stays as it is.

    Args:
        model: a built layer or model whose sublayers are public attributes.
        precision: a name in `PRECISIONS`.
    Raises:
        ValueError: if there is none of that name.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"`precision` must be one of {', '.join(PRECISIONS)}. Received: {precision!r}")
    handed_on = PRECISIONS[precision] if tf.config.list_logical_devices("GPU") else tf.float32
    for _, layer in sublayers(model):
        if isinstance(layer, MixedPrecision):
            layer.precision, layer.handed_on = PRECISIONS[precision], handed_on
