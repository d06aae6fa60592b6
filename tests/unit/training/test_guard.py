import pytest
import tensorflow as tf

from tf_inpaint.training.guard import Guard


def test_means_are_over_every_update_since_they_were_taken():
    guard = Guard()
    guard.hold(1, [{"critic": tf.constant(1.0)}])
    guard.hold(1, [{"critic": tf.constant(3.0)}])
    guard.hold(1, [{"l1": tf.constant(5.0)}])
    assert len(guard) == 3
    assert guard.look() is None
    guard.hold(2, [{"l1": tf.constant(7.0)}])
    assert guard.look() is None
    assert guard.take_means() == {"critic": 2.0, "l1": 6.0}
    assert guard.take_means() == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_names_the_first_term_that_is_not_finite_and_its_step(value):
    guard = Guard()
    guard.hold(7, [{"critic": tf.constant(1.0)}])
    guard.hold(8, [{"l1": tf.constant(1.0), "penalty": tf.constant(value), "total": tf.constant(value)}])
    guard.hold(9, [{"critic": tf.constant(value)}])
    assert guard.look() == f"`penalty` became {value} at step 8"


def test_steps_of_one_call_are_looked_at_one_by_one():
    guard = Guard()
    guard.hold(1, [{"critic": tf.constant([1.0, 3.0])}, {"l1": tf.constant([5.0, 7.0])}], 2)
    assert len(guard) == 4
    assert guard.look() is None
    assert guard.take_means() == {"critic": 2.0, "l1": 6.0}
    bad = float("nan")
    guard.hold(3, [{"critic": tf.constant([1.0, 1.0, bad])}, {"l1": tf.constant([1.0, bad, bad])}], 3)
    assert guard.look() == "`l1` became nan at step 4"
