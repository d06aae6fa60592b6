"""LaMa's generator: its last layer by blocks."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.layers.convolution import MirrorConv2D
from tf_inpaint.models.lama import FewFiltersConv


@pytest.mark.parametrize("padding, size", [("REFLECT", (8, 10)), ("CONSTANT", (2, 4))])
def test_blocks_of_positions_are_convolved_like_one_after_the_other(padding, size):
    x, found = tf.random.stateless_normal([2, *size, 5], [1, 2]), []
    kernel = tf.random.stateless_normal([7, 7, 5, 3], [3, 4])
    for cls in (FewFiltersConv, MirrorConv2D):
        layer = cls(3, 7, activation=None, padding=padding)
        layer.build(x.shape)
        layer.kernel.assign(kernel)
        layer.bias.assign([1.0, 2.0, 3.0])
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x)
            product = tf.reduce_sum(outputs * tf.random.stateless_normal(outputs.shape, [5, 6]))
        found.append([outputs, *tape.gradient(product, [x, *layer.trainable_weights])])
    for ours, literal in zip(*found):
        np.testing.assert_allclose(ours, literal, rtol=1e-5, atol=1e-4)
