"""Fast Fourier convolutions: a local path of plain kernels, a global one that sees the map through its spectrum."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.batch_norm import BatchNorm
from tf_inpaint.layers.composite import Composite
from tf_inpaint.layers.convolution import MirrorConv2D
from tf_inpaint.ops.fourier import RealFourier

# PyTorch's default: uniform within 1 / sqrt(fan_in).
UNIFORM = {"class_name": "VarianceScaling", "config": {"scale": 1 / 3, "mode": "fan_in", "distribution": "uniform"}}


def convolution(filters, kernel_size, name, strides=1, padding="REFLECT", use_bias=False, **settings):
    """A linear `MirrorConv2D` with PyTorch's initial values."""
    initializer = tf.keras.initializers.deserialize(UNIFORM)
    settings = {"activation": None, "kernel_initializer": initializer, **settings}
    return MirrorConv2D(filters, kernel_size, strides, padding=padding, use_bias=use_bias, name=name, **settings)


def norm(name):
    """Batch normalisation with PyTorch's initial values."""
    return BatchNorm(gamma_initializer="ones", axis_by_axis=True, name=name)


class FourierUnit(Composite):
    """A 1 x 1 convolution of a map's spectrum: every position of the output sees every position of the input.

    Args:
        filters: channels of the output.
    Call:
        inputs: float [B, H, W, C] of any size.
        training: as in `BatchNorm`.
        returns: (float32 [B, H, W, filters], the normalisation's statistics by attribute).
    Reference: Suvorov et al. 2022, section 2.1; Chi et al. 2020.
    Deviations: none. Transforms are float32 in every precision: 16-bit ones overflow.
    """

    def __init__(self, filters, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.filters = filters
        initializer = tf.keras.initializers.deserialize(UNIFORM)
        settings = {"activation": None, "use_bias": False, "kernel_initializer": initializer}
        self.conv = _SpectrumConv(2 * filters, 1, padding="SAME", name="conv", **settings)
        self.norm = _SpectrumNorm(gamma_initializer="ones", axis_by_axis=True, name="norm")

    def make(self, channels):
        self.conv.make(2 * channels)
        self.norm.make(2 * self.filters)

    def call(self, inputs, training=False):
        x = tf.cast(inputs, tf.float32)
        fourier = RealFourier(x)
        x = self.conv(fourier.spectrum(x))  # [B, H, W // 2 + 1, 2 filters]
        x, seen = self.norm(tf.cast(x, tf.float32), training=training)
        x = fourier.map(tf.nn.relu(x))
        return tf.ensure_shape(x, [*inputs.shape[:3], self.filters]), {"norm": seen}


class _SpectrumConv(MirrorConv2D):
    """Weights have the real part of c at channel 2 c, the imaginary at 2 c + 1; spectra have real parts first."""

    def effective_kernel(self):
        inputs = self.kernel.shape[2]
        kernel = tf.reshape(super().effective_kernel(), [inputs // 2, 2, self.filters // 2, 2])
        return tf.reshape(tf.transpose(kernel, [1, 0, 3, 2]), [1, 1, inputs, self.filters])


class _SpectrumNorm(BatchNorm):
    """As `_SpectrumConv`."""

    def in_order(self, *vectors, back=False):
        together = tf.stack(super().in_order(*vectors))  # few operations: there are many of these layers
        pairs = tf.reshape(together, [len(vectors), *([2, -1] if back else [-1, 2])])
        return tf.unstack(tf.reshape(tf.transpose(pairs, [0, 2, 1]), together.shape))


class SpectralTransform(Composite):
    """The global path of a Fourier convolution: narrow, transform beside a skip, widen.

    Args:
        filters: channels of the output, even.
        strides: 2 averages pairs of rows and columns first.
        local: whether there is a local Fourier unit, which no published network switches on: of a quarter of the
            narrowed channels the spectrum of the map's four quarters, and its result repeated for each of them.
    Call:
        inputs: float [B, H, W, C]; with `local` H / strides and W / strides are even.
        training: as in `BatchNorm`.
        returns: (float [B, H / strides, W / strides, filters], statistics by attribute).
    Raises:
        ValueError: if `local` has no multiple of 8 `filters`.
    Reference: Suvorov et al. 2022, figure 2; Chi et al. 2020, section 3.3.
    """

    def __init__(self, filters, strides=1, local=False, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        if local and filters % 8:
            raise ValueError(f"`filters` must be a multiple of 8 with `local`. Received: {filters}")
        self.strides = strides
        self.conv1 = convolution(filters // 2, 1, "conv1", padding="SAME")
        self.norm1 = norm("norm1")
        self.unit = FourierUnit(filters // 2, name="unit")
        self.local_unit = FourierUnit(filters // 2, name="local_unit") if local else None
        self.conv2 = convolution(filters, 1, "conv2", padding="SAME")

    def make(self, channels):
        self.conv1.make(channels)
        for layer in (self.norm1, self.unit, self.local_unit, self.conv2):
            if layer:
                layer.make(self.conv1.filters)

    def call(self, inputs, training=False):
        if self.strides > 1:
            inputs = tf.nn.avg_pool2d(inputs, self.strides, self.strides, "VALID")
        x, seen = self.norm1(tf.cast(self.conv1(inputs), tf.float32), training=training)
        x, seen = tf.nn.relu(x), {"norm1": seen}
        transformed, seen["unit"] = self.unit(x, training=training)
        if self.local_unit:
            repeated, seen["local_unit"] = self.local_unit(_quarters(x), training=training)
            transformed += tf.tile(repeated, [1, 2, 2, 1])
        return self.conv2(x + transformed), seen


def _quarters(x):
    """[B, H, W, C] -> [B, H / 2, W / 2, C]: the first quarter of the channels, in each quarter of the map."""
    x = tf.split(x, 4, axis=-1)[0]
    for axis in (1, 2):
        x = tf.concat(tf.split(x, 2, axis=axis), axis=-1)
    return x


class FourierConv2D(Composite):
    """A convolution of two maps, local and global, in four paths: three of plain kernels, global to global by spectrum.

    A path exists where both of its ends have channels; of c channels int(c * ratio) are global.

    Args:
        filters: channels of both outputs together.
        kernel_size: odd side of the plain kernels.
        strides: 1 or 2.
        ratio_in, ratio_out: of the channels that are global, in [0, 1].
        border: pixels added on every side; None keeps the size but for the stride.
    Call:
        inputs: (local, global): float [B, H, W, C] each, None where there are no channels.
        training: as in `BatchNorm`.
        returns: ((local, global), statistics by attribute).
    Reference: Suvorov et al. 2022, section 2.1; Chi et al. 2020.
    """

    def __init__(self, filters, kernel_size, strides=1, ratio_in=0.0, ratio_out=0.0, border=None, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.ratio_in = ratio_in
        to_global = int(filters * ratio_out)
        to_local = filters - to_global

        def plain(channels, name):
            return convolution(channels, kernel_size, name, strides, border=border) if channels else None

        self.local_to_local = plain(to_local, "local_to_local") if ratio_in < 1 else None
        self.local_to_global = plain(to_global, "local_to_global") if ratio_in < 1 else None
        self.global_to_local = plain(to_local, "global_to_local") if ratio_in > 0 else None
        spectral = ratio_in > 0 and to_global
        self.global_to_global = SpectralTransform(to_global, strides, name="global_to_global") if spectral else None

    def make(self, channels):
        others = int(channels * self.ratio_in)
        for layer in (self.local_to_local, self.local_to_global):
            if layer:
                layer.make(channels - others)
        for layer in (self.global_to_local, self.global_to_global):
            if layer:
                layer.make(others)

    def call(self, inputs, training=False):
        local, others = inputs
        to_local = [self.local_to_local(local)] if self.local_to_local else []
        to_global = [self.local_to_global(local)] if self.local_to_global else []
        if self.global_to_local:
            to_local.append(self.global_to_local(others))
        seen = {}
        if self.global_to_global:
            transformed, seen["global_to_global"] = self.global_to_global(others, training=training)
            to_global.append(transformed)
        return tuple(tf.add_n(paths) if paths else None for paths in (to_local, to_global)), seen


class NormFourierConv2D(Composite):
    """A `FourierConv2D`, then batch normalisation and ReLU of each part that has channels; arguments as there."""

    def __init__(self, filters, kernel_size, strides=1, ratio_in=0.0, ratio_out=0.0, border=None, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.conv = FourierConv2D(filters, kernel_size, strides, ratio_in, ratio_out, border, name="conv")
        self.norm_local = norm("norm_local") if ratio_out < 1 else None
        self.norm_global = norm("norm_global") if ratio_out > 0 else None
        self.filters, self.ratio_out = filters, ratio_out

    def make(self, channels):
        self.conv.make(channels)
        others = int(self.filters * self.ratio_out)
        for layer, count in ((self.norm_local, self.filters - others), (self.norm_global, others)):
            if layer:
                layer.make(count)

    def call(self, inputs, training=False):
        (local, others), seen_by_conv = self.conv(inputs, training=training)
        seen = {"conv": seen_by_conv}
        if self.norm_local:
            local, seen["norm_local"] = self.norm_local(tf.cast(local, tf.float32), training=training)
            local = tf.nn.relu(local)
        if self.norm_global:
            others, seen["norm_global"] = self.norm_global(tf.cast(others, tf.float32), training=training)
            others = tf.nn.relu(others)
        return (local, others), seen


class FourierResidualBlock(Composite):
    """Two 3 x 3 `NormFourierConv2D`, both with ReLU, beside a skip.

    Args:
        filters: channels of both parts together, of input and output.
        ratio: of the channels that are global.
        kernel_size: of the plain kernels.
    Call:
        inputs: (local, global).
        training: as in `BatchNorm`.
        returns: ((local, global), statistics by attribute).
    Reference: Suvorov et al. 2022, figure 2.
    """

    def __init__(self, filters, ratio=0.75, kernel_size=3, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.conv1 = NormFourierConv2D(filters, kernel_size, 1, ratio, ratio, name="conv1")
        self.conv2 = NormFourierConv2D(filters, kernel_size, 1, ratio, ratio, name="conv2")

    def make(self, channels):
        self.conv1.make(channels)
        self.conv2.make(channels)

    def call(self, inputs, training=False):
        outputs, seen1 = self.conv1(inputs, training=training)
        outputs, seen2 = self.conv2(outputs, training=training)
        return tuple(x + y for x, y in zip(inputs, outputs)), {"conv1": seen1, "conv2": seen2}
