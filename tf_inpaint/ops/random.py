"""Random numbers that belong to an example, not to a batch: the same on any number of devices."""

from __future__ import annotations

import tensorflow as tf


def uniform_per_example(seed, stream, shape=()):
    """Numbers in [0, 1) for each example, of its seed in int32 [B, 2]: float32 [B, *shape].

    Those of different streams are independent.
    """

    def draw(one):
        return tf.random.stateless_uniform(shape, one + tf.constant([0, stream], one.dtype))

    return tf.map_fn(draw, seed, fn_output_signature=tf.TensorSpec(shape, tf.float32))


def whole_numbers(seed, least, greatest, shape=()):
    """int32 of a shape, drawn uniformly from the least to the greatest, both included."""
    return tf.random.stateless_uniform(shape, seed, least, greatest + 1, dtype=tf.int32)
