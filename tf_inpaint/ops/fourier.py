"""The real Fourier transform of maps, and back, orthonormal over height and width.

A map of few pixels is transformed by two products with matrices of sines and cosines, which exports without Fourier
operations share; a large one, or one of a size not known while tracing, by the fast transform. Both are float32 and
equal up to rounding.

A spectrum is [B, H, W // 2 + 1, 2 C]: the real parts of all channels, then the imaginary ones; frequencies unshifted.
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
    """Maps are transformed by matrices, however large, in what is traced meanwhile."""
    usual = _PRODUCTS_ALONE.set(True)
    try:
        yield
    finally:
        _PRODUCTS_ALONE.reset(usual)


class RealFourier:
    """The transforms of maps of one size.

    Args:
        x: float32 [B, H, W, C], a map of that size.
    """

    def __init__(self, x):
        self._small = _is_small(*x.shape[1:3])
        self._size = [_side(x, axis) for axis in (1, 2)] if self._small else tf.shape(x)[1:3]
        self._root = None if self._small else tf.sqrt(tf.cast(tf.reduce_prod(self._size), tf.float32))

    def spectrum(self, x):
        """That of a real map: float32 [B, H, W // 2 + 1, 2 C], divided by sqrt(H W), of float32 [B, H, W, C]."""
        return _forward_product(x, *self._size) if self._small else _forward_fft(x, self._size, self._root)

    def map(self, spectrum):
        """The real map of a spectrum, which need not be that of one: float32 [B, H, W, C], times sqrt(H W).

        The inverse over the height is complex; that over the width takes column 0 and, if W is even, the last as real.
        """
        if self._small:
            return _inverse_product(spectrum, *self._size)
        return _inverse_fft(spectrum, self._size, self._root)


def _is_small(height, width):
    """Whether products do it. Where sizes are not known while tracing, both would take seconds more to prepare."""
    known = isinstance(height, int) and isinstance(width, int)
    return _PRODUCTS_ALONE.get() or (known and max(height, width) <= LARGEST_PRODUCT)


def _forward_product(x, height, width):
    """Over the width, then the height: (c - i s)(r + i q) has the parts c r + s q and c q - s r."""
    channels, (columns, rows) = _side(x, 3), _once(_forward_matrices, height, width)
    x = tf.linalg.matmul(columns, x)  # [B, H, 2 * (W // 2 + 1) * 2, C]
    x = tf.linalg.matmul(rows, tf.reshape(x, [-1, 2 * height, _half(width) * 2 * channels]))
    return tf.reshape(x, [-1, height, _half(width), 2 * channels])


def _forward_matrices(height, width):
    c, s = _waves(_half(width), width)
    parts = tf.stack([tf.stack([c, -s], 1), tf.stack([-s, -c], 1)])  # (r, q), then (q, -r), of each column
    columns = tf.reshape(parts, [-1, width])
    c, s = _waves(height, height)
    return columns, tf.reshape(tf.stack([c, s], -1), [height, 2 * height])


def _inverse_product(spectrum, height, width):
    """Over the height, then the width: (c + i s)(r + i q) has the parts c r - s q and c q + s r."""
    channels, (rows, columns) = _side(spectrum, 3) // 2, _once(_inverse_matrices, height, width)
    x = tf.linalg.matmul(rows, tf.reshape(spectrum, [-1, height, _half(width) * 2 * channels]))
    x = tf.reshape(x, [-1, height, 2 * _half(width) * 2, channels])  # c and s, columns, r and q
    return tf.reshape(tf.linalg.matmul(columns, x), [-1, height, width, channels])


def _inverse_matrices(height, width):
    c, s = _waves(height, height)
    rows = tf.reshape(tf.stack([c, s], 1), [2 * height, height])
    # Every column stands for its mirror image too, but for the first and, of an even width, the last.
    column = tf.range(_half(width))
    twice = tf.where((column == 0) | (2 * column == width), 1.0, 2.0)
    c, s = (wave * twice for wave in _waves(width, _half(width)))
    parts = tf.stack([tf.stack([c, -s], -1), tf.stack([-s, -c], -1)], 1)  # [W, 2, W // 2 + 1, 2]
    return rows, tf.reshape(parts, [width, -1])


def _once(matrices, height, width):
    """What a function makes of a height and a width: once in a graph, of sizes known while tracing."""
    if tf.executing_eagerly() or not (isinstance(height, int) and isinstance(width, int)):
        return matrices(height, width)
    graph = tf.compat.v1.get_default_graph()
    made = graph.fourier_matrices = getattr(graph, "fourier_matrices", {})  # which live as long as the graph
    if (matrices, height, width) not in made:
        made[matrices, height, width] = matrices(height, width)
    return made[matrices, height, width]


def _forward_fft(x, size, root):
    # The operation alone: `tf.signal` adds padding to the map's own size, 40 operations where sizes are not known.
    spectrum = tf.raw_ops.RFFT2D(input=tf.transpose(x, [0, 3, 1, 2]), fft_length=size)
    spectrum /= tf.cast(root, tf.complex64)
    spectrum = tf.transpose(spectrum, [0, 2, 3, 1])  # [B, H, W // 2 + 1, C]
    return tf.concat([tf.math.real(spectrum), tf.math.imag(spectrum)], axis=-1)


def _inverse_fft(spectrum, size, root):
    real, imaginary = tf.split(spectrum, 2, axis=-1)
    spectrum = tf.transpose(tf.complex(real, imaginary), [0, 3, 1, 2])
    x = tf.raw_ops.IRFFT2D(input=spectrum, fft_length=size) * root
    return tf.transpose(x, [0, 2, 3, 1])


def _waves(rows, columns):
    """cos and sin of 2 pi r c / n over sqrt(n) for each row r and column c, float32; n is the longer of the two."""
    longer = max(rows, columns) if isinstance(rows, int) and isinstance(columns, int) else tf.maximum(rows, columns)
    turns = tf.range(rows)[:, tf.newaxis] * tf.range(columns)[tf.newaxis] % longer  # exact: large angles lose digits
    angle = (2.0 * math.pi) * tf.cast(turns, tf.float32) / tf.cast(longer, tf.float32)
    scale = tf.math.rsqrt(tf.cast(longer, tf.float32))
    return tf.cos(angle) * scale, tf.sin(angle) * scale


def _half(width):
    return width // 2 + 1


def _side(x, axis):
    return x.shape[axis] if x.shape[axis] is not None else tf.shape(x)[axis]
