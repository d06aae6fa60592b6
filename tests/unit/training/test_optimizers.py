import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.config import OptimizerConfig
from tf_inpaint.training.optimizers import Optimizers, learning_rate_factor

STEP = {"schedule": "step", "decay_every": 3, "decay_rate": 0.5}
STOPPING = {"schedule": "step", "decay_every": 10, "decay_rate": 0.1, "decay_until": 25}


@pytest.mark.parametrize(
    "options, steps, expected",
    [
        ({}, 10, {0: 1, 5: 1, 9: 1}),
        (STEP, 10, {0: 1, 2: 1, 3: 0.5, 6: 0.25}),
        (STOPPING, 1000, {9: 1, 10: 0.1, 20: 0.01, 25: 0.01, 30: 0.01, 999: 0.01}),
        ({"schedule": "linear"}, 4, {0: 1, 1: 0.75, 2: 0.5, 3: 0.25, 4: 0, 9: 0}),  # beyond the end the last rate
        ({"schedule": "cosine"}, 4, {0: 1, 2: 0.5, 4: 0}),
        ({"schedule": "linear", "warmup_steps": 2}, 6, {0: 0.5, 1: 1, 2: 1, 4: 0.5}),  # over the steps that remain
    ],
)
def test_schedules(options, steps, expected):
    found = {step: learning_rate_factor(OptimizerConfig(**options), step, steps) for step in expected}
    assert found == pytest.approx(expected, rel=1e-7, abs=1e-15)


def test_unknown_schedule_is_named():
    with pytest.raises(ValueError, match="Received: 'square'"):
        learning_rate_factor(OptimizerConfig(schedule="square"), 0, 4)


def make(**options):
    generator = {"conv.kernel": tf.Variable([1.0, 2.0])}
    discriminator = {"head.kernel": tf.Variable([3.0])}
    return Optimizers(OptimizerConfig(**options), generator, discriminator), generator, discriminator


def test_shared_count_is_one_object_that_counts_both_networks_updates():
    optimizers, generator, discriminator = make()
    assert optimizers.generator is optimizers.discriminator
    for _ in range(5):
        optimizers.discriminator.apply_gradients([(tf.constant([1.0]), discriminator["head.kernel"])])
    optimizers.generator.apply_gradients([(tf.constant([1.0, 1.0]), generator["conv.kernel"])])
    state = optimizers.variables()["optimizer"]
    assert int(state["iterations"].numpy()) == 6
    # The first update of the generator, corrected as the sixth: m = (1 - b1) g, v = (1 - b2) g^2.
    rate = 1e-4 * np.sqrt(1 - 0.9**6) / (1 - 0.5**6)
    expected = np.array([1.0, 2.0]) - rate * 0.5 / np.sqrt(0.1)
    np.testing.assert_allclose(generator["conv.kernel"].numpy(), expected, rtol=1e-6)


def test_adadelta_by_hand():
    """The first change is sqrt(epsilon) / sqrt((1 - rho) g^2 + epsilon) * g, whatever Keras' defaults."""
    options = {"algorithm": "adadelta", "learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-6, "shared_count": False}
    optimizers, generator, _ = make(**options)
    optimizers.generator.apply_gradients([(tf.constant([1.0, -2.0]), generator["conv.kernel"])])
    squares = 0.1 * np.array([1.0, 4.0])
    change = 1e-3 / np.sqrt(squares + 1e-6) * np.array([1.0, -2.0])
    np.testing.assert_allclose(generator["conv.kernel"], np.array([1.0, 2.0]) - change, rtol=1e-6)
    state = optimizers.variables()["generator_optimizer"]
    np.testing.assert_allclose(state["squares.conv.kernel"], squares, rtol=1e-6)
    np.testing.assert_allclose(state["changes.conv.kernel"], 0.1 * change**2, rtol=1e-5)
    moments = {"conv.kernel": (np.ones(2), np.zeros(2))}
    assert optimizers.take_over({"generator": 3}, moments) == ["head.kernel"]
    np.testing.assert_array_equal(state["squares.conv.kernel"], np.ones(2))


def test_separate_counts_have_an_optimiser_each():
    optimizers, _, discriminator = make(shared_count=False, discriminator_learning_rate=4e-4)
    optimizers.discriminator.apply_gradients([(tf.constant([1.0]), discriminator["head.kernel"])])
    state = optimizers.variables()
    assert int(state["discriminator_optimizer"]["iterations"].numpy()) == 1
    assert int(state["generator_optimizer"]["iterations"].numpy()) == 0


def test_learning_rates_are_set_for_the_step():
    optimizers, *_ = make(schedule="linear")
    assert optimizers.learning_rates(5, 10) == {"learning_rate": pytest.approx(5e-5)}
    optimizers.assign_learning_rates([5e-5])
    assert float(optimizers.generator.learning_rate) == pytest.approx(5e-5)

    optimizers, *_ = make(shared_count=False, discriminator_learning_rate=4e-4, schedule="linear")
    rates = optimizers.learning_rates(5, 10)
    optimizers.assign_learning_rates(rates.values())
    assert rates == {"learning_rate": pytest.approx(5e-5), "discriminator_learning_rate": pytest.approx(2e-4)}
    assert float(optimizers.discriminator.learning_rate) == pytest.approx(2e-4)


def test_checkpoint_names_are_readable_and_the_same_on_both_keras_generations():
    optimizers, *_ = make()
    names = ["iterations", "m.generator.conv.kernel", "v.generator.conv.kernel"]
    names += ["m.discriminator.head.kernel", "v.discriminator.head.kernel"]
    assert sorted(optimizers.variables()["optimizer"]) == sorted(names)
    separate, *_ = make(shared_count=False)
    assert sorted(separate.variables()["generator_optimizer"]) == ["iterations", "m.conv.kernel", "v.conv.kernel"]


def test_state_comes_back_from_a_checkpoint(tmp_path):
    one, generator, _ = make()
    one.generator.apply_gradients([(tf.constant([1.0, -1.0]), generator["conv.kernel"])])
    prefix = tf.train.Checkpoint(**one.variables()).write(str(tmp_path / "c"))
    other, other_generator, _ = make()
    other_generator["conv.kernel"].assign(generator["conv.kernel"])
    tf.train.Checkpoint(**other.variables()).read(prefix).assert_consumed()
    for optimizer, weight in ((one, generator), (other, other_generator)):
        optimizer.generator.apply_gradients([(tf.constant([0.3, 0.2]), weight["conv.kernel"])])
    np.testing.assert_array_equal(generator["conv.kernel"].numpy(), other_generator["conv.kernel"].numpy())


@pytest.mark.parametrize("case", [0, 1])
def test_updates_are_those_of_the_original(reference, case):
    arrays = np.load(reference / "ops.npz")
    get = {key.split("/")[-1]: arrays[key] for key in arrays.files if key.startswith(f"adam/{case}/")}
    keys = {"learning_rate": "lr", "beta1": "beta1", "beta2": "beta2", "epsilon": "epsilon"}
    options = OptimizerConfig(**{key: float(get[name]) for key, name in keys.items()})
    lists = {name: {"w": tf.Variable(get[f"{name}_start"])} for name in "ab"}
    optimizers = Optimizers(options, lists["a"], lists["b"])
    done = {"a": 0, "b": 0}
    for update in get["which"]:
        name, optimizer = ("a", optimizers.generator) if update == 0 else ("b", optimizers.discriminator)
        weight, index = lists[name]["w"], done[name]
        optimizer.apply_gradients([(tf.constant(get[f"{name}_grads"][index]), weight)])
        moved = weight.numpy() - get[f"{name}_start"]
        np.testing.assert_allclose(moved, get[f"{name}_after"][index] - get[f"{name}_start"], atol=3e-7)
        done[name] += 1
    assert int(optimizers.generator.iterations) == len(get["which"])


def test_a_transformer_s_rate_rises_and_falls_by_the_root_of_the_steps():
    options = OptimizerConfig(schedule="inverse_sqrt", warmup_steps=4000)
    for step in (0, 100, 3999, 4000, 100_000):
        noam = min((step + 1) * 4000**-1.5, (step + 1) ** -0.5) * 4000**0.5
        assert learning_rate_factor(options, step, 10**6) == pytest.approx(noam)
