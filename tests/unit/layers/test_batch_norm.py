import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.layers import BatchNorm, NormConv2D


def _values(count=6):
    return tf.constant(np.random.default_rng(0).normal(3.0, 2.0, (count, 4, 5, 3)).astype(np.float32))


def test_training_normalises_each_channel_and_changes_no_weight():
    layer, values = BatchNorm(), _values()
    layer.build(values.shape)
    layer.gamma.assign([1.0, 2.0, 3.0])
    layer.beta.assign([0.0, 0.0, 5.0])
    outputs, (mean, variance) = layer(values, training=True)
    np.testing.assert_allclose(np.mean(outputs, axis=(0, 1, 2)), [0, 0, 5], atol=1e-5)
    np.testing.assert_allclose(np.std(outputs, axis=(0, 1, 2)), [1, 2, 3], rtol=1e-4)
    np.testing.assert_allclose(mean, np.mean(values, axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, np.var(values, axis=(0, 1, 2), ddof=1), rtol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(3))


def test_running_statistics_move_by_the_momentum_and_serve_outside_of_training():
    layer, values = BatchNorm(momentum=0.25, epsilon=0.0), _values()
    layer.build(values.shape)
    layer.gamma.assign(tf.ones(3))
    layer.advance((tf.constant([4.0, 0.0, 8.0]), tf.constant([5.0, 1.0, 9.0])))
    np.testing.assert_allclose(layer.moving_mean, [1.0, 0.0, 2.0])
    np.testing.assert_allclose(layer.moving_variance, [2.0, 1.0, 3.0])
    outputs, statistics = layer(values)
    np.testing.assert_allclose(outputs, (values - [1.0, 0.0, 2.0]) / np.sqrt([2.0, 1.0, 3.0]), rtol=1e-5)
    assert statistics == ()


def test_replicas_share_their_statistics_and_their_gradients():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    values = _values(4)
    targets = tf.constant(np.random.default_rng(1).normal(size=values.shape).astype(np.float32))
    with strategy.scope():
        layer = BatchNorm()
        layer.build(values.shape)

    def loss_and_gradient(values, targets):
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs, statistics = layer(values, training=True)
            loss = tf.reduce_sum(tf.square(outputs - targets))
        return tape.gradient(loss, values), statistics

    expected, (mean, variance) = loss_and_gradient(values, targets)

    @tf.function(autograph=False)
    def shared_out():
        parts = strategy.experimental_distribute_values_from_function(
            lambda context: (
                values[2 * context.replica_id_in_sync_group :][:2],
                targets[2 * context.replica_id_in_sync_group :][:2],
            )
        )
        return strategy.run(loss_and_gradient, args=parts)

    gradients, statistics = shared_out()
    found = tf.concat(strategy.experimental_local_results(gradients), axis=0)
    np.testing.assert_allclose(found, expected, atol=2e-4)
    for seen, whole in zip(statistics, (mean, variance)):
        for replica in strategy.experimental_local_results(seen):
            np.testing.assert_allclose(replica, whole, rtol=1e-5)


@pytest.mark.parametrize(
    "settings, side",
    [
        ({}, 4),
        ({"strides": 1}, 8),
        ({"strides": 1, "padding": "VALID"}, 5),
        ({"transposed": True}, 16),
        ({"transposed": True, "strides": 1, "padding": "VALID"}, 11),
        ({"transposed": True, "kernel_size": 5}, 16),
    ],
)
def test_sizes_of_the_block(settings, side):
    block = NormConv2D(6, **settings)
    outputs, statistics = block(tf.ones([2, 8, 8, 3]), training=True)
    assert outputs.shape == (2, side, side, 6) and len(statistics) == 2
