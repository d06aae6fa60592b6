import numpy as np
import tensorflow as tf

from tf_inpaint.ops.colour import jitter_colours


def test_colours_change_a_little_and_stay_in_range():
    image = tf.random.stateless_uniform([8, 8, 3], [1, 2])
    np.testing.assert_allclose(jitter_colours(image, [3, 4], 0.0), image, atol=1e-5)
    results = np.stack([jitter_colours(image, [3, i], 0.05) for i in range(20)])
    changes = np.abs(results - image).mean(axis=(1, 2, 3))
    assert 0.003 < changes.min() and changes.max() < 0.1
    assert results.min() >= 0 and results.max() <= 1
    grey = tf.fill([4, 4, 3], 0.5)
    np.testing.assert_allclose(np.ptp(jitter_colours(grey, [3, 4], 0.3), axis=-1), 0, atol=1e-6)
