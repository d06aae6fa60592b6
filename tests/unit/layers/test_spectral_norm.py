import numpy as np
import tensorflow as tf

from tf_inpaint.layers import MirrorConv2D, SpectralConv2D
from tf_inpaint.layers.spectral_norm import StoredSpectralConv2D, spectral_norm


def _matrix(kernel):
    return np.reshape(kernel, [-1, kernel.shape[-1]])


def test_sigma_grows_to_the_largest_singular_value():
    kernel = tf.random.normal([5, 5, 3, 8])
    u = tf.random.normal([1, 8])
    estimates = []
    for _ in range(60):
        sigma, u = spectral_norm(kernel, u)
        estimates.append(float(sigma))
    largest = np.linalg.svd(_matrix(kernel.numpy()), compute_uv=False)[0]
    assert max(estimates) <= largest * (1 + 1e-5)
    np.testing.assert_allclose(estimates[-1], largest, rtol=1e-3)


def test_one_iteration_by_hand():
    kernel = tf.constant([[3.0, 0.0], [0.0, 4.0]])
    sigma, u = spectral_norm(kernel, tf.constant([[1.0, 0.0]]))
    np.testing.assert_allclose(u, [[1, 0]], atol=1e-6)
    np.testing.assert_allclose(sigma, 3, rtol=1e-6)  # u has no part along the larger direction


def test_the_layer_divides_by_sigma_and_keeps_its_kernel():
    layer, x = SpectralConv2D(4, activation=None), tf.random.normal([1, 8, 8, 3])
    y = layer(x)
    sigma, _ = spectral_norm(layer.kernel, layer.u)
    plain = MirrorConv2D(4, activation=None)
    plain.build(x.shape)
    plain.set_weights([layer.kernel / sigma, layer.bias])
    np.testing.assert_allclose(y, plain(x), atol=1e-5)
    assert [w.shape for w in layer.trainable_weights] == [(3, 3, 3, 4), (4,)]
    assert [w.shape for w in layer.non_trainable_weights] == [(1, 4)]


def test_only_training_moves_u_on():
    layer, x = SpectralConv2D(4), tf.random.normal([1, 8, 8, 3])
    layer(x)
    start, kernel = layer.u.numpy(), layer.kernel.numpy()
    layer(x, training=False)
    np.testing.assert_array_equal(layer.u, start)
    _, expected = spectral_norm(kernel, start)
    layer(x, training=True)
    np.testing.assert_array_equal(layer.u, expected)
    np.testing.assert_array_equal(layer.kernel, kernel)

    layer.u.assign(start)
    layer.advance()  # the same without an image
    np.testing.assert_array_equal(layer.u, expected)


def test_the_gradient_knows_that_sigma_follows_the_kernel():
    """Scaling the kernel changes nothing, so the gradient along the kernel is zero."""
    layer, x = SpectralConv2D(4, activation=None), tf.random.normal([1, 8, 8, 3])
    layer(x)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) ** 2)
    gradient = tape.gradient(loss, layer.trainable_weights)[0]
    along = tf.reduce_sum(gradient * layer.kernel) / tf.norm(gradient) / tf.norm(layer.kernel)
    assert abs(along) < 1e-5


def test_the_kernel_may_be_looked_at_before_the_first_call():
    layer = StoredSpectralConv2D(3)
    layer.build((None, None, None, 2))
    sigma = tf.squeeze(layer.v @ tf.reshape(layer.kernel, [-1, 3]) @ tf.transpose(layer.u))
    np.testing.assert_allclose(layer.effective_kernel() * sigma, layer.kernel, rtol=1e-5)
