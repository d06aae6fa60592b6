import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops import resampling
from tf_inpaint.ops.resampling import addons_resampler, pixel_grid, resample, resample_plainly

KINDS = [pytest.param(resample, id="as installed"), pytest.param(resample_plainly, id="plain")]


def _inputs():
    """Features, positions inside and far outside, whole ones among them."""
    features = tf.random.stateless_normal([2, 5, 7, 3], [1, 2])
    positions = tf.random.stateless_uniform([2, 6, 8, 2], [3, 4], -3.0, 9.0)
    rounded = tf.random.stateless_uniform([2, 6, 8, 1], [5, 6]) < 0.3
    return features, tf.where(rounded, tf.round(positions), positions)


@pytest.mark.parametrize("sample", KINDS)
def test_by_hand(sample):
    features = tf.reshape(tf.constant([1.0, 2.0, 3.0, 5.0]), [1, 2, 2, 1])  # 1 2 / 3 5
    positions = [(0, 1), (0.5, 0), (0, 0.25), (0.5, 0.5), (-0.5, 0), (1, 1.75), (-1, 0), (9, 9), (-1e12, 1e12)]
    values = sample(features, tf.reshape(tf.constant(positions, tf.float32), [1, 1, -1, 2]))
    np.testing.assert_allclose(values[0, 0, :, 0], [2, 2, 1.25, 2.75, 0.5, 1.25, 0, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("sample", KINDS)
def test_at_its_position_every_pixel_is_itself(sample):
    features = _inputs()[0]
    positions = tf.tile(pixel_grid(5, 7)[tf.newaxis], [2, 1, 1, 1])
    np.testing.assert_array_equal(sample(features, positions), features)


@pytest.mark.parametrize("sample", KINDS)
def test_values_and_gradients_are_those_of_addons(sample):
    kernel = addons_resampler()
    if kernel is None:
        pytest.skip("TensorFlow Addons is not installed")
    features, positions = _inputs()
    results = []
    for function in (sample, lambda features, positions: kernel(features, positions[..., ::-1])):
        with tf.GradientTape() as tape:
            tape.watch((features, positions))
            values = tf.function(function, autograph=False)(features, positions)
            loss = tf.reduce_sum(values**2)
        results.append([values, *tape.gradient(loss, (features, positions))])
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_without_addons_the_plain_form_serves(monkeypatch):
    monkeypatch.setattr(resampling, "addons_resampler", lambda: None)
    features, positions = _inputs()
    np.testing.assert_array_equal(resample(features, positions), resample_plainly(features, positions))


def test_slopes_are_finite_differences():
    features, positions = _inputs()[0], tf.constant([[[[1.3, 2.6], [3.1, 0.2], [-0.4, 5.5]]]] * 2)
    with tf.GradientTape() as tape:
        tape.watch(positions)
        total = tf.reduce_sum(resample(features, positions))
    slopes = tape.gradient(total, positions)
    for axis in (0, 1):
        step = 0.05 * tf.one_hot(axis, 2)
        ahead, behind = (resample_plainly(features, positions + sign * step) for sign in (1.0, -1.0))
        np.testing.assert_allclose(slopes[..., axis], tf.reduce_sum(ahead - behind, -1) / 0.1, atol=1e-4)
