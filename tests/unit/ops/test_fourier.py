"""Fourier transforms by matrices and by the fast transform against NumPy's, for odd and even sizes."""

from contextlib import nullcontext

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops import fourier

SIZES = [(8, 8), (9, 7), (7, 12), (1, 8), (6, 1), (64, 64)]


@pytest.fixture(params=["product", "fft", "product of unknown sizes", "fft of unknown sizes"])
def form(request, monkeypatch):
    """Both forms, of sizes that are known while tracing and that are not."""
    if "unknown" not in request.param:
        monkeypatch.setattr(fourier, "LARGEST_PRODUCT", 1000 if request.param == "product" else 0)
    return request.param


def _traced(function, form, *arrays):
    if "unknown" not in form:
        return function(*map(tf.constant, arrays))
    specs = [tf.TensorSpec([None] * np.ndim(array), np.asarray(array).dtype) for array in arrays]
    with fourier.products_alone() if "product" in form else nullcontext():
        graph = tf.function(function, input_signature=specs, autograph=False).get_concrete_function()
    assert ("FFT" in str(graph.graph.as_graph_def())) == ("fft" in form)
    return graph(*map(tf.constant, arrays))


def _spectrum(x):
    return fourier.RealFourier(x).spectrum(x)


def _map(spectrum, like):
    return fourier.RealFourier(like).map(spectrum)


@pytest.mark.parametrize("size", SIZES)
def test_forward_and_back(size, form):
    x = np.random.default_rng(0).normal(size=(2, *size, 3)).astype(np.float32)
    expected = np.fft.rfft2(x, axes=(1, 2), norm="ortho")
    spectrum = _traced(_spectrum, form, x)
    np.testing.assert_allclose(spectrum, np.concatenate([expected.real, expected.imag], axis=-1), atol=1e-5)
    np.testing.assert_allclose(_traced(_map, form, spectrum, np.zeros_like(x)), x, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_inverse_of_what_is_no_spectrum(size, form):
    half = size[1] // 2 + 1
    real, imaginary = np.random.default_rng(1).normal(size=(2, 2, size[0], half, 3)).astype(np.float32)
    expected = np.fft.irfft2(real + 1j * imaginary, s=size, axes=(1, 2), norm="ortho")
    spectrum = np.concatenate([real, imaginary], axis=-1)
    found = _traced(_map, form, spectrum, np.zeros((2, *size, 3), np.float32))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_matrices_are_made_once_in_a_graph():
    def both(x):
        return _spectrum(x) + _spectrum(2.0 * x)

    graph = tf.function(both, autograph=False).get_concrete_function(tf.TensorSpec([1, 8, 8, 2])).graph
    assert [operation.type for operation in graph.get_operations()].count("Cos") == 2  # of columns, of rows
