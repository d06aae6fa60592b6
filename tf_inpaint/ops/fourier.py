"""The real Fourier transform of maps, and back, orthonormal over height and width.

A map of few pixels is transformed by two products with matrices of sines and cosines, which exports without Fourier
operations share; a large one by the fast transform. Both are float32 and equal up to rounding.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from contextvars import ContextVar

import tensorflow as tf

LARGEST_PRODUCT = 128  # longest side of a map that is transformed by matrices
_PRODUCTS_ALONE = ContextVar("whether what is being traced has no Fourier operations", default=False)


@contextmanager
def products_alone():
    """Maps of known sizes are transformed by matrices, however large, in what is traced meanwhile."""
    usual = _PRODUCTS_ALONE.set(True)
    try:
        yield
    finally:
        _PRODUCTS_ALONE.reset(usual)


def real_fourier(x):
    """The spectrum of a real map.

    Args:
        x: float32 [B, H, W, C].
    Returns:
        (real, imaginary): float32 [B, H, W // 2 + 1, C] each, divided by sqrt(H W), frequencies unshifted.
    """
    return _by_size(x, _forward_product, _forward_fft)


def inverse_real_fourier(real, imaginary, width):
    """The real map of a spectrum, which need not be that of one.

    The inverse over the height is complex; that over the width takes column 0 and, if width is even, the last as real.

    Args:
        real, imaginary: float32 [B, H, width // 2 + 1, C].
        width: of the map.
    Returns:
        float32 [B, H, width, C].
    """
    return _by_size((real, imaginary, width), _inverse_product, _inverse_fft)


def _by_size(inputs, product, fft):
    """One of two forms, chosen while tracing where sizes are known."""
    x = inputs[0] if isinstance(inputs, tuple) else inputs
    width = inputs[2] if isinstance(inputs, tuple) else _side(x, 2)
    height = _side(x, 1)
    if isinstance(height, int) and isinstance(width, int):
        small = _PRODUCTS_ALONE.get() or max(height, width) <= LARGEST_PRODUCT
        return product(inputs) if small else fft(inputs)
    small = tf.maximum(height, width) <= LARGEST_PRODUCT
    return tf.cond(small, lambda: product(inputs), lambda: fft(inputs))


def _forward_product(x):
    height, width = _side(x, 1), _side(x, 2)
    cosines, sines = _waves(_half(width), width)
    real, imaginary = _over_width(cosines, x), -_over_width(sines, x)  # [B, H, W // 2 + 1, C]
    cosines, sines = _waves(height, height)
    return (
        _over_height(cosines, real) + _over_height(sines, imaginary),
        _over_height(cosines, imaginary) - _over_height(sines, real),
    )


def _inverse_product(inputs):
    real, imaginary, width = inputs
    cosines, sines = _waves(_side(real, 1), _side(real, 1))
    real, imaginary = (
        _over_height(cosines, real) - _over_height(sines, imaginary),
        _over_height(cosines, imaginary) + _over_height(sines, real),
    )
    cosines, sines = _waves(width, _half(width))
    # Every column stands for its mirror image too, but for the first and, of an even width, the last.
    column = tf.range(_half(width))
    alone = (column == 0) | (2 * column == width)
    twice = tf.where(alone, 1.0, 2.0)
    return _over_width(cosines * twice, real) - _over_width(sines * twice, imaginary)


def _forward_fft(x):
    height, width = _side(x, 1), _side(x, 2)
    spectrum = tf.signal.rfft2d(tf.transpose(x, [0, 3, 1, 2])) / tf.cast(_root(height, width), tf.complex64)
    spectrum = tf.transpose(spectrum, [0, 2, 3, 1])  # [B, H, W // 2 + 1, C]
    return tf.math.real(spectrum), tf.math.imag(spectrum)


def _inverse_fft(inputs):
    real, imaginary, width = inputs
    height = _side(real, 1)
    spectrum = tf.transpose(tf.complex(real, imaginary), [0, 3, 1, 2])
    x = tf.signal.irfft2d(spectrum, fft_length=[height, width]) * _root(height, width)
    return tf.transpose(x, [0, 2, 3, 1])


def _waves(rows, columns):
    """cos and sin of 2 pi r c / n over sqrt(n) for each row r and column c, float32; n is the longer of the two."""
    longer = max(rows, columns) if isinstance(rows, int) and isinstance(columns, int) else tf.maximum(rows, columns)
    turns = tf.range(rows)[:, tf.newaxis] * tf.range(columns)[tf.newaxis] % longer  # exact: large angles lose digits
    angle = (2.0 * math.pi) * tf.cast(turns, tf.float32) / tf.cast(longer, tf.float32)
    scale = tf.math.rsqrt(tf.cast(longer, tf.float32))
    return tf.cos(angle) * scale, tf.sin(angle) * scale


def _over_width(matrix, x):
    """matrix [W', W] times each row of x [B, H, W, C]: [B, H, W', C]."""
    return tf.linalg.matmul(matrix, x)


def _over_height(matrix, x):
    """matrix [H', H] times each column of x [B, H, W, C]: [B, H', W, C]."""
    batch, width, channels = (_side(x, axis) for axis in (0, 2, 3))
    x = tf.reshape(x, [batch, _side(x, 1), width * channels])
    return tf.reshape(tf.linalg.matmul(matrix, x), [batch, matrix.shape[0] or tf.shape(matrix)[0], width, channels])


def _half(width):
    return width // 2 + 1


def _root(height, width):
    return tf.sqrt(tf.cast(height * width, tf.float32))


def _side(x, axis):
    return x.shape[axis] if x.shape[axis] is not None else tf.shape(x)[axis]
