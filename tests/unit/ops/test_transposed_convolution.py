"""Against TensorFlow's own transposed convolution, values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops.transposed_convolution import doubled


def _by_tensorflow(inputs, kernel):
    """What `doubled` says, of a map that has a position more before the first and as many behind as it takes."""
    batch, height, width, _ = inputs.shape
    size = [batch, 2 * height + kernel.shape[0] - 2, 2 * width + kernel.shape[1] - 2, kernel.shape[2]]
    whole = tf.nn.conv2d_transpose(inputs, kernel, size, strides=2, padding="VALID")
    return whole[:, 1 : 1 + 2 * height, 1 : 1 + 2 * width]


@pytest.mark.parametrize("size", [3, 4, 5])
@pytest.mark.parametrize("sides", [(1, 1), (2, 5), (6, 3)])
def test_values_and_gradients_are_those_of_conv2d_transpose(size, sides):
    generator = np.random.default_rng(0)
    inputs, kernel, weights = (
        tf.constant(generator.normal(size=shape), tf.float32)
        for shape in ((2, *sides, 3), (size, size, 4, 3), (2, 2 * sides[0], 2 * sides[1], 4))
    )
    results = []
    for function in (doubled, _by_tensorflow):
        with tf.GradientTape() as outer:
            outer.watch([inputs, kernel])
            with tf.GradientTape() as tape:
                tape.watch([inputs, kernel])
                output = function(inputs, kernel)
                loss = tf.reduce_sum(weights * output**2)
            gradients = tape.gradient(loss, [inputs, kernel])
            slopes = sum(tf.reduce_sum(gradient**2) for gradient in gradients)
        results.append([output, *gradients, *outer.gradient(slopes, [inputs, kernel])])
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * float(tf.reduce_max(abs(theirs))))


def test_by_hand_in_one_dimension():
    inputs, kernel = tf.reshape([1.0, 10.0], [1, 1, 2, 1]), tf.reshape([2.0, 3.0, 5.0], [1, 3, 1, 1])
    kernel = tf.pad(kernel, [[1, 1], [0, 0], [0, 0], [0, 0]])  # the middle one of three rows
    output = doubled(inputs, kernel)
    np.testing.assert_array_equal(output[0, 0, :, 0], [3.0, 5.0 + 20.0, 30.0, 50.0])
    np.testing.assert_array_equal(output[0, 1, :, 0], np.zeros(4))


def test_one_graph_for_all_sizes():
    kernel = tf.ones([3, 3, 2, 1])
    function = tf.function(lambda inputs: doubled(inputs, kernel), [tf.TensorSpec([None] * 3 + [1])], autograph=False)
    for sides in ((3, 4), (5, 2)):
        assert function(tf.ones([1, *sides, 1])).shape == (1, 2 * sides[0], 2 * sides[1], 2)
    assert function.experimental_get_tracing_count() == 1
