import numpy as np
import tensorflow as tf

from tf_inpaint.ops.random import uniform_per_example


def test_numbers_belong_to_the_example_not_to_the_batch():
    seeds = tf.constant([[1, 2], [3, 4], [5, 6]])
    together = uniform_per_example(seeds, 1)
    apart = [uniform_per_example(seeds[i : i + 1], 1)[0] for i in range(3)]
    np.testing.assert_array_equal(together, apart)
    assert len(np.unique(together)) == 3
    assert np.all(together != uniform_per_example(seeds, 2))


def test_numbers_are_uniform():
    seeds = tf.stack([tf.range(2000), tf.zeros(2000, tf.int32)], 1)
    values = uniform_per_example(seeds, 1).numpy()
    assert values.min() >= 0 and values.max() < 1
    np.testing.assert_allclose(np.percentile(values, [25, 50, 75]), [0.25, 0.5, 0.75], atol=0.04)
