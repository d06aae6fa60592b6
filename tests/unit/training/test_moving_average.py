import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.training.moving_average import MovingAverage
from tf_inpaint.training.strategy import make_strategy


@pytest.mark.parametrize("kind", ["one_device", "mirrored"])
def test_average_follows_the_weights_on_every_replica(kind):
    strategy = make_strategy(kind)
    with strategy.scope():
        weights = {"w": tf.Variable([0.0, 4.0]), "count": tf.Variable(1, trainable=False)}
        weights["moving_mean"] = tf.Variable(0.0, trainable=False)
    average = MovingAverage(0.75, weights, strategy)

    @tf.function(autograph=False)
    def update():
        average.update(10_000)

    weights["w"].assign([4.0, 0.0])
    weights["moving_mean"].assign(4.0)
    weights["count"].assign(5)
    update()
    update()
    # 0.75 * (0.75 * 0 + 0.25 * 4) + 0.25 * 4, and 4 * 0.75^2
    for copy in strategy.experimental_local_results(average.variables["w"]):
        np.testing.assert_allclose(copy.numpy(), [1.75, 2.25])
    assert average.variables["moving_mean"].numpy() == 1.75
    assert average.variables["count"].numpy() == 5  # no float: copied
    assert not average.variables["w"].trainable


def test_the_first_updates_count_more():
    weights = {"w": tf.Variable(0.0)}
    average = MovingAverage(0.75, weights, make_strategy("one_device"))
    weights["w"].assign(1.0)
    for updates, expected in ((1, 9 / 11), (26, 1 - 2 / 11 * 0.75), (27, 1 - 2 / 11 * 0.75**2)):  # 27 / 36 is 0.75
        average.update(tf.constant(updates, tf.int64))
        np.testing.assert_allclose(average.variables["w"].numpy(), expected, rtol=1e-6)


def test_averages_stand_in_for_the_weights_only_within_the_context():
    strategy = make_strategy("one_device")
    weights = {"w": tf.Variable(1.0)}
    average = MovingAverage(0.5, weights, strategy)
    weights["w"].assign(3.0)
    with pytest.raises(RuntimeError), average.in_place_of_weights():
        assert weights["w"].numpy() == 1.0
        raise RuntimeError
    assert weights["w"].numpy() == 3.0
    assert average.variables["w"].numpy() == 1.0


def test_reset_begins_at_the_weights():
    weights = {"w": tf.Variable(1.0)}
    average = MovingAverage(0.5, weights, make_strategy("one_device"))
    weights["w"].assign(3.0)
    average.reset()
    assert average.variables["w"].numpy() == 3.0
