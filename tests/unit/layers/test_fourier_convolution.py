"""Fourier convolutions in 16 bits."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.layers.fourier_convolution import FourierUnit
from tf_inpaint.layers.precision import set_precision


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_transforms_stay_float32(precision):
    unit, x = FourierUnit(3), tf.random.stateless_uniform([1, 6, 8, 3], [1, 2], -1e4, 1e5)
    unit(x)
    set_precision(unit, precision)
    convolve, seen = unit.conv, []
    unit.conv = lambda spectrum: seen.append(spectrum) or convolve(spectrum * 1e-5)
    outputs, _ = unit(x)
    spectrum = np.fft.rfft2(x.numpy().astype(np.float64), axes=(1, 2), norm="ortho")
    assert seen[0].dtype == outputs.dtype == tf.float32 and np.abs(spectrum).max() > np.finfo(np.float16).max
    values = np.concatenate([spectrum.real, spectrum.imag], axis=-1)
    np.testing.assert_allclose(np.sort(seen[0], axis=None), np.sort(values, axis=None), atol=0.1)
    assert np.isfinite(outputs).all() and np.abs(outputs).max() > 0
