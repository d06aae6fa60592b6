import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.training import loss_scale
from tf_inpaint.training.loss_scale import LossScale
from tf_inpaint.training.strategy import make_strategy
from tf_inpaint.training.update import JointUpdate, Trained, Update

X = np.array([[1.0, 2.0], [-1.0, 0.5], [3.0, -2.0], [0.25, 1.0]], np.float32)


def run(kind="one_device", loss_scale=None, **options):
    """One SGD step of rate 1 on mean((x w)^2), for four examples in all: (values, weight)."""
    strategy = make_strategy(kind)
    replicas = strategy.num_replicas_in_sync
    with strategy.scope():
        weight, unreached = tf.Variable([[1.0], [2.0]]), tf.Variable(7.0)
        optimizer = tf.keras.optimizers.SGD(1.0)
        optimizer.build([weight, unreached])

    def losses(batch):
        score = tf.matmul(batch["x"], weight)
        return {"square": tf.reduce_mean(score**2), "mean": 0.1 * tf.reduce_mean(score)}

    trained = Trained("net", losses, {"w": weight, "u": unreached}, optimizer, loss_scale=loss_scale)
    update = Update(trained, strategy, **options)
    batches = strategy.distribute_datasets_from_function(
        lambda _: tf.data.Dataset.from_tensor_slices({"x": X}).batch(4 // replicas)
    )
    values = update(next(iter(batches)))
    assert float(unreached.numpy()) == 7.0
    return {name: float(value) for name, value in values.items()}, weight.numpy()


def by_hand():
    """Loss terms and gradient of the same, in NumPy."""
    w = np.array([[1.0], [2.0]])
    score = X @ w
    gradient = 2 * X.T @ score / 4 + 0.1 * X.mean(axis=0)[:, None]
    return {"square": np.mean(score**2), "mean": 0.1 * np.mean(score)}, gradient, w


@pytest.mark.parametrize("kind", ["one_device", "mirrored"])
@pytest.mark.parametrize("microbatches", [1, 2])
def test_replicas_and_microbatches_make_the_update_of_the_whole_batch(kind, microbatches):
    values, weight = run(kind, microbatches=microbatches)
    terms, gradient, start = by_hand()
    assert list(values) == ["square", "mean", "net_loss", "net_gradient_norm"]
    for name, term in terms.items():
        assert values[name] == pytest.approx(term, rel=1e-6)
    assert values["net_loss"] == pytest.approx(sum(terms.values()), rel=1e-6)
    assert values["net_gradient_norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-6)
    np.testing.assert_allclose(weight, start - gradient, rtol=1e-6)


@pytest.mark.parametrize("kind", ["one_device", "mirrored"])
def test_clipping_scales_the_gradient_of_the_global_batch(kind):
    values, weight = run(kind, clip_norm=0.5)
    _, gradient, start = by_hand()
    np.testing.assert_allclose(weight, start - gradient / np.linalg.norm(gradient) * 0.5, rtol=1e-5)
    assert values["net_gradient_norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-6)  # before clipping


def test_a_norm_below_the_limit_changes_nothing():
    _, clipped = run(clip_norm=1e6)
    _, plain = run()
    np.testing.assert_allclose(clipped, plain, rtol=1e-6)


def test_losses_that_reach_no_weight_are_a_mistake():
    strategy = make_strategy("one_device")
    weight = tf.Variable(1.0)
    trained = Trained("net", lambda batch: {"x": batch["x"]}, {"w": weight}, tf.keras.optimizers.SGD(1.0))
    update = Update(trained, strategy)
    with pytest.raises(ValueError, match="must depend on the net's weights. Received: terms x"):
        update({"x": tf.constant(1.0)})


@pytest.mark.parametrize("kind", ["one_device", "mirrored"])
@pytest.mark.parametrize("microbatches", [1, 2])
def test_a_loss_scale_changes_no_number(kind, microbatches):
    values, weight = run(kind, microbatches=microbatches, loss_scale=LossScale())
    _, gradient, start = by_hand()
    assert values["net_loss_scale"] == 2**15
    assert values["net_gradient_norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-6)
    np.testing.assert_allclose(weight, start - gradient, rtol=1e-6)


@pytest.mark.parametrize("kind", ["one_device", "mirrored"])
def test_an_update_that_overflows_is_left_out_and_halves_the_scale(kind):
    scale = LossScale()
    scale.variables["scale"].assign(1e38)
    values, weight = run(kind, loss_scale=scale)
    assert values["net_gradient_norm"] == 0.0 and np.isfinite(values["net_loss"])
    np.testing.assert_array_equal(weight, [[1.0], [2.0]])
    assert scale.read() == np.float32(0.5e38) and scale.variables["good"] == 0


def test_the_scale_doubles_after_enough_good_updates_and_never_falls_below_1(monkeypatch):
    monkeypatch.setattr(loss_scale, "PATIENCE", 2)
    scale = LossScale()
    scale.variables["scale"].assign(2.0)
    seen = []
    for finite in (True, True, False, True, False, False, False):
        accepted = bool(scale.accepts(tf.constant(finite)))
        seen.append((accepted, float(scale.read())))
    assert seen == [(True, 2), (True, 4), (False, 2), (True, 2), (False, 1), (True, 1), (True, 1)]


@pytest.mark.parametrize("kind", ["one_device", "mirrored"])
@pytest.mark.parametrize("microbatches", [1, 2])
def test_xla_makes_the_same_update(kind, microbatches):
    values, weight = run(kind, microbatches=microbatches, xla=True, loss_scale=LossScale())
    terms, gradient, start = by_hand()
    assert values["square"] == pytest.approx(terms["square"], rel=1e-6)
    np.testing.assert_allclose(weight, start - gradient, rtol=1e-5)


@pytest.mark.parametrize("kind", ["one_device", "mirrored"])
def test_joint_updates_take_all_gradients_before_they_change_a_weight(kind):
    strategy = make_strategy(kind)
    with strategy.scope():
        weights, optimizers = [tf.Variable(2.0), tf.Variable(3.0)], [tf.keras.optimizers.SGD(1.0) for _ in range(2)]
        for weight, optimizer in zip(weights, optimizers):
            optimizer.build([weight])
    seen = []

    def losses(batch):
        return {"product": weights[0] * weights[1]}

    updates = [
        Update(Trained(name, losses, {name: weight}, optimizer, lambda statistics: seen.append(statistics)), strategy)
        for name, weight, optimizer in zip("ab", weights, optimizers)
    ]
    values = JointUpdate(updates)({"x": tf.zeros([1])})
    assert list(values) == ["product", "a_loss", "a_gradient_norm", "b_loss", "b_gradient_norm"] and len(seen) == 2
    assert [float(weight.numpy()) for weight in weights] == [2.0 - 3.0, 3.0 - 2.0]  # 3 - (2 - 3) one by one
