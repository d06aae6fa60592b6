"""Spectral normalisation: a convolution that stretches no image by more than its kernel's largest singular value."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.convolution import MirrorConv2D

_FLOOR = 1e-12


class SpectralConv2D(MirrorConv2D):
    """A `MirrorConv2D` with its kernel divided by the estimate sigma of that kernel's largest singular value.

    One power iteration gives sigma from the vector `u`, a weight that is not trained. A forward pass does not overwrite
    the kernel, and gradients flow through sigma; Keras' and Addons' wrappers differ in both. With `training=True` the
    pass also keeps the iterated `u` for the next one. Who computes a batch in parts, or on several devices, calls the
    layer with `training=False` and then `advance()` once, before the kernel changes: one pass, whatever the parts.

    Args:
        As `MirrorConv2D`.
    Call:
        inputs: float [B, H, W, C].
        returns: float [B, ceil(H / strides), ceil(W / strides), filters].
    Reference: Miyato et al. 2018, algorithm 1, in the form of DeepFill release 2: u starts as a truncated normal, and
        the norms have 1e-12 added.
    Deviations: the release overwrites u in place before the backward pass reads it, which makes its gradient other than
        the mathematical one; this is the mathematical one.
    """

    def build(self, input_shape):
        super().build(input_shape)
        initializer = tf.keras.initializers.TruncatedNormal(stddev=1.0)
        self.u = self.add_weight(name="u", shape=(1, self.filters), initializer=initializer, trainable=False)

    def call(self, inputs, training=False):
        outputs = super().call(inputs)
        if training:
            self.advance()
        return outputs

    def advance(self):
        """Replace `u` by its next power iteration under the present kernel."""
        _, u = spectral_norm(tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.u))
        self.u.assign(u)

    def effective_kernel(self):
        """The kernel divided by sigma."""
        sigma, _ = spectral_norm(tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.u))
        return self.kernel / sigma


class StoredSpectralConv2D(MirrorConv2D):
    """A `MirrorConv2D` with its kernel divided by sigma = u W v, in PyTorch's form.

    Here both vectors are weights (not trained), iterated before they are used, and constants to the gradient; outside
    of training they are used as they are. A pass changes them with `training=True` alone. Who makes several passes in
    one update says which pass it is by `iterations`, and calls `advance(passes)` once.

    Args:
        As `MirrorConv2D`.
    Call:
        inputs: float [B, H, W, C].
        training: iterate once and keep the result.
        iterations: how often to iterate for this pass alone; None is 1 in training and 0 otherwise.
        returns: as `MirrorConv2D`.
    Reference: Miyato et al. 2018, algorithm 1, in the form of PyTorch's `spectral_norm`.
    Deviations: v is flattened as [height, width, in], not [in, height, width].
    """

    _iterations = 0  # of the pass that is computed

    def build(self, input_shape):
        super().build(input_shape)
        rows = self.kernel_size * self.kernel_size * input_shape[-1]
        self.u = self.add_weight(name="u", shape=(1, self.filters), initializer=_unit_normal, trainable=False)
        self.v = self.add_weight(name="v", shape=(1, rows), initializer=_unit_normal, trainable=False)

    def call(self, inputs, training=False, iterations=None):
        self._iterations = int(bool(training)) if iterations is None else iterations
        outputs = super().call(inputs)
        if training:
            self.advance()
        return outputs

    def advance(self, passes=1):
        """Replace u and v by what `passes` passes in training leave behind under the present kernel."""
        u, v = self._iterated(passes)
        self.u.assign(u)
        self.v.assign(v)

    def effective_kernel(self):
        """The kernel divided by sigma."""
        u, v = self._iterated(self._iterations)
        kernel = tf.convert_to_tensor(self.kernel)
        sigma = tf.matmul(tf.matmul(v, tf.reshape(kernel, [-1, self.filters])), u, transpose_b=True)
        return kernel / tf.reshape(sigma, [])

    def _iterated(self, iterations):
        matrix = tf.stop_gradient(tf.reshape(tf.convert_to_tensor(self.kernel), [-1, self.filters]))
        u, v = tf.convert_to_tensor(self.u), tf.convert_to_tensor(self.v)
        for _ in range(iterations):
            v = _unit(tf.matmul(u, matrix, transpose_b=True))
            u = _unit(tf.matmul(v, matrix))
        return u, v


def _unit_normal(shape, dtype=None, **_):
    return _unit(tf.random.normal(shape, dtype=dtype or tf.float32))


def spectral_norm(kernel, u):
    """The largest singular value of a kernel as a matrix [everything else, out], by one power iteration.

    Args:
        kernel: float [..., out].
        u: float [1, out], the last iteration's vector.
    Returns:
        (sigma, u): a scalar, differentiable through the whole iteration, and float [1, out], the next vector.
    Reference: Miyato et al. 2018, algorithm 1.
    """
    matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
    v = _unit(tf.matmul(u, matrix, transpose_b=True))  # [1, everything else]
    u = _unit(tf.matmul(v, matrix))  # [1, out]
    sigma = tf.reshape(tf.matmul(tf.matmul(v, matrix), u, transpose_b=True), [])
    return sigma, u


def _unit(vector):
    return vector / (tf.norm(vector) + _FLOOR)
