"""The loop, on a recipe small enough for a unit test; the papers' recipes are trained in tests/e2e."""

import json
import os
import re
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from runs import logged_scalars, saved_arrays

from tf_inpaint.config import load_config
from tf_inpaint.errors import InputError
from tf_inpaint.recipes import RECIPES
from tf_inpaint.training.trainer import Trainer
from tf_inpaint.training.workers import Workers

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def train(config):
    """(trainer, its lines) after training."""
    lines = []
    trainer = Trainer(config, report=lines.append)
    trainer.train()
    return trainer, lines


def silent(config):
    """A trainer that reports nothing."""
    return Trainer(config, report=lambda line: None)


def saved(trainer):
    """Everything its last checkpoint holds, by name."""
    return {name.removesuffix(SUFFIX): value for name, value in saved_arrays(trainer.folder.path).items()}


def scalars(config):
    return logged_scalars(Path(config.training.run_folder))


def weights_of(trainer, network):
    return {name: weight.numpy() for name, weight in trainer.learner.weights[network].items()}


def interrupt_at(step, number=signal.SIGTERM):
    """A report that sends this process a signal while a step is made."""

    def report(line):
        if line.startswith(f"step {step - 1}/"):
            os.kill(os.getpid(), number)

    return report


def same(one, other, **tolerance):
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], err_msg=name, **(tolerance or {"rtol": 0, "atol": 0}))


def test_notes_come_first_and_only_from_the_chief(toy_config, monkeypatch):
    lines = []
    Trainer(toy_config(), report=lines.append, notes=["a: 1 -> b: 1"])
    assert lines == ["a: 1 -> b: 1"]

    class OtherWorkers(Workers):
        def __init__(self, strategy):
            super().__init__(strategy)
            self.is_chief = False

    monkeypatch.setattr("tf_inpaint.training.trainer.Workers", OtherWorkers)
    trainer = Trainer(toy_config(training={"steps": 1}), report=lines.append, notes=["a: 1 -> b: 1"])
    trainer.train()
    assert len(lines) == 1 and not trainer.folder.path.exists()


def test_the_log_keeps_what_the_screen_said(toy_config):
    lines = []
    first = Trainer(toy_config(training={"steps": 2}), report=lines.append, notes=["a: 1 -> b: 1"])
    log = first.folder.path / "train.log"
    assert not log.exists()
    first.train()
    Trainer(toy_config(training={"steps": 3}), report=lines.append).train()
    kept = log.read_text().splitlines()
    assert [line[21:] for line in kept] == lines and lines[0] == "a: 1 -> b: 1" and lines[-1].startswith("done: 3 ")
    assert all(time.strptime(line[:21], "%Y-%m-%d %H:%M:%S  ") for line in kept)


def test_the_log_ends_with_the_error(toy_config):
    trainer = silent(toy_config(training={"steps": 2}))
    weight = trainer.learner.weights["generator"]["conv.kernel"]
    weight.assign(np.nan * weight)
    with pytest.raises(InputError) as raised:
        trainer.train()
    assert (trainer.folder.path / "train.log").read_text().endswith(f"  error: {raised.value}\n")


def test_epochs_are_passes_over_all_images(toy_config):
    lines = []
    trainer = Trainer(toy_config(training={"epochs": 3}), report=lines.append)  # six images, three fours a step
    trainer.train()
    assert trainer.learner.step == 2 and "images         6, 3 times: 2 steps" in lines
    config = load_config(trainer.folder.path / "config.yml")
    assert (config.training.epochs, config.training.steps) == (3, 2)
    more = silent(toy_config(training={"epochs": 5}))
    more.train()
    assert more.learner.step == 3
    with pytest.raises(InputError, match="optimizer.warmup_steps must be below training.steps, not 3 of 1"):
        silent(toy_config("other", training={"epochs": 1}, optimizer={"warmup_steps": 3}))


def test_epochs_count_where_the_rate_falls_to_0_with_them(toy_config):
    falling = {"schedule": "linear", "shared_count": False}
    silent(toy_config(training={"epochs": 1}, optimizer=falling)).train()
    with pytest.raises(InputError, match=r"differs in training.epochs \(1 there, 2 now\)"):
        silent(toy_config(training={"epochs": 2}, optimizer=falling))


def test_a_run_leaves_checkpoints_scalars_and_a_last_line(toy_config):
    config = toy_config()
    trainer, lines = train(config)
    assert trainer.folder.last_step() == 4 and lines[-1].startswith("done: 4 steps, last checkpoint ")
    arrays = saved(trainer)
    assert {"generator/conv..kernel", "discriminator/conv..bias", "optimizer/iterations", "step"} <= set(arrays)
    recorded = [json.loads(line) for line in (trainer.folder.path / "scalars.jsonl").read_text().splitlines()]
    assert [line["step"] for line in recorded] == [1, 2, 3, 4]
    terms = {"critic", "regularity", "l1", "adversarial"}
    health = {"generator_loss", "discriminator_loss", "generator_gradient_norm", "discriminator_gradient_norm"}
    assert set(recorded[0]) == {"step", "learning_rate"} | terms | health
    assert set(recorded[1]) == set(recorded[0]) | {"images_per_second"}
    assert int(arrays["optimizer/iterations"]) == 4 * 3
    progress = re.compile(r"step 2/4  \S+ images/s, \d+ s left  generator_loss \S+  discriminator_loss")
    assert any(progress.match(line) for line in lines)


def test_logged_values_are_means_over_the_steps_between(toy_config):
    ones, thirds = (toy_config(f"{every}", training={"steps": 6, "log_every": every}) for every in (1, 3))
    train(ones), train(thirds)
    expected = np.mean([line["l1"] for line in scalars(ones)[3:]])
    assert [line["step"] for line in scalars(thirds)] == [3, 6]
    assert scalars(thirds)[1]["l1"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "sections",
    [
        {"training": {"ema_decay": 0.5}},
        {"optimizer": {"shared_count": False, "schedule": "cosine", "clip_norm": 0.1}},
    ],
)
def test_stopping_and_going_on_is_the_same_run(toy_config, sections):
    whole, parts = (toy_config(run, **sections) for run in ("whole", "parts"))
    expected, _ = train(whole)
    stopped = Trainer(parts, report=interrupt_at(2))
    stopped.train()
    assert stopped.folder.last_step() == 2
    resumed, lines = train(parts)
    assert any(line.startswith("going on after step 2") for line in lines)
    same(saved(expected), saved(resumed))
    assert scalars(parts) == scalars(whole)


def test_a_signal_finishes_the_step_and_saves(toy_config):
    lines, interrupt = [], interrupt_at(3, signal.SIGINT)
    config = toy_config(training={"checkpoint_every": 100, "log_every": 2, "steps": 50})
    trainer = Trainer(config, report=lambda line: (lines.append(line), interrupt(line)))
    trainer.train()
    assert trainer.learner.step == trainer.folder.last_step() == 3
    assert lines[-1].startswith("stopped by SIGINT, and the same command goes on: 3 steps")
    assert [line["step"] for line in scalars(config)] == [2, 3]  # no step is missing from the curves


@pytest.mark.slow
def test_a_finished_run_stays_as_it_is_and_goes_on_to_more_steps(toy_config):
    first, _ = train(toy_config())
    before = saved(first)
    again, lines = train(toy_config())
    same(before, saved(again))
    assert lines[-1].startswith("done: 4 steps")
    longer, _ = train(toy_config(training={"steps": 6}))
    assert longer.folder.last_step() == 6


def test_replicas_and_accumulation_make_the_same_run(toy_config):
    def run(name, **training):
        return saved(train(toy_config(name, training=training))[0])

    one = run("one", ema_decay=0.9)
    same(one, run("two", ema_decay=0.9, strategy="mirrored"), rtol=1e-4, atol=1e-6)
    same(one, run("parts too", ema_decay=0.9, strategy="mirrored", accumulation_steps=2), rtol=1e-4, atol=1e-6)


def test_initial_weights_depend_on_the_seed_alone(toy_config):
    one, two, other = (
        weights_of(Trainer(toy_config(training=training)), "generator")
        for training in ({}, {"strategy": "mirrored"}, {"seed": 1})
    )
    same(one, two)
    assert np.abs(one["conv.kernel"] - other["conv.kernel"]).max() > 0.01


def test_without_critic_updates_the_discriminator_stays(toy_config):
    trainer = silent(toy_config(options={"n_critic": 0}))
    before = weights_of(trainer, "discriminator")
    trainer.train()
    same(before, weights_of(trainer, "discriminator"))
    assert "critic" not in scalars(trainer.config)[-1]


def test_phases_update_what_they_name_and_begin_where_they_say(toy_config):
    def run(name, steps, **training):
        return train(toy_config(name, options={"alone": 2}, training={"steps": steps, "ema_decay": 0.5, **training}))

    first, lines = run("first", 2)
    assert "from step 2    generator, with 1 weights frozen" in lines
    start, first_weights = silent(first.config).learner, {}
    for network in ("generator", "discriminator"):
        first_weights[network] = weights_of(first, network)
    same(first_weights["generator"], {n: w.numpy() for n, w in start.weights["generator"].items()})
    assert "critic" in scalars(first.config)[-1] and "l1" not in scalars(first.config)[-1]
    second, _ = run("second", 4)
    same(first_weights["discriminator"], weights_of(second, "discriminator"))
    moved = {
        name
        for name, value in weights_of(second, "generator").items()
        if np.any(value != first_weights["generator"][name])
    }
    assert moved == {"conv.kernel"}
    whole, _ = run("whole", 6)
    assert {"critic", "l1"} <= set(scalars(whole.config)[-1])
    assert np.any(weights_of(whole, "generator")["conv.bias"] != weights_of(second, "generator")["conv.bias"])
    in_calls, _ = run("in calls", 6, steps_per_call=5, log_every=6)
    same(saved(in_calls), saved(whole))
    resumed = toy_config("second", options={"alone": 2}, training={"steps": 6, "ema_decay": 0.5})
    same(saved(train(resumed)[0]), saved(whole))


def test_average_is_what_the_decay_says(toy_config):
    trainer = silent(toy_config(training={"ema_decay": 0.75, "steps": 1}, optimizer={"shared_count": False}))
    before = weights_of(trainer, "generator")["conv.kernel"]
    trainer.train()
    decay = 2 / 11  # of the first update; 0.75 from the 27th on
    expected = decay * before + (1 - decay) * weights_of(trainer, "generator")["conv.kernel"]
    np.testing.assert_allclose(saved(trainer)["ema/conv..kernel"], expected, rtol=1e-5, atol=1e-7)


def test_views_and_validation_on_fixed_images(toy_config):
    config = toy_config(
        training={"view_every": 2, "validate_every": 3, "validation_count": 5, "strategy": "mirrored", "ema_decay": 0.5}
    )
    trainer, lines = train(config)
    views = sorted(path.name for path in (trainer.folder.path / "views").iterdir())
    assert views == [f"step-0000000{step}.png" for step in (0, 2, 4)]
    height, width, _ = tf.io.decode_png(tf.io.read_file(str(trainer.folder.path / "views" / views[0]))).shape
    assert height == 4 * 16 + 3 * 4 and width > 3 * 16 + 2 * 4  # four rows of a title and three images
    measured = {line["step"]: line for line in scalars(config) if "psnr" in line}
    assert sorted(measured) == [3, 4]
    assert 0 < measured[4]["hole_l1"] < 1 and 0 < measured[4]["psnr"] < 100


def test_a_loss_that_is_no_number_is_named_and_the_last_checkpoint_stays(toy_config):
    trainer = silent(toy_config(training={"log_every": 100, "steps": 6}))
    take_steps = trainer.learner.take_steps

    def poisoned(batches, count):
        values, rates = take_steps(batches, count)
        if trainer.learner.step == 3:
            values[1]["critic"] = tf.constant(float("nan"))
        return values, rates

    trainer.learner.take_steps = poisoned
    with pytest.raises(InputError, match="`critic` became nan at step 3 and training stopped; ") as error:
        trainer.train()
    assert "\n" not in str(error.value)
    last = trainer.folder.last_checkpoint()
    assert f"training.init_from: {last} and training.init_optimizer: true, with a lower" in str(error.value)
    assert trainer.folder.last_step() == 2


def test_a_full_disk_ends_the_run_and_keeps_the_last_checkpoint(toy_config, monkeypatch):
    trainer = silent(toy_config())
    write = trainer._checkpoint.write

    def full(prefix):
        if prefix.endswith("4"):
            raise tf.errors.ResourceExhaustedError(None, None, f"{prefix}.data; No space left on device")
        return write(prefix)

    monkeypatch.setattr(trainer._checkpoint, "write", full)
    message = r"\(No space left on device\); the last whole checkpoint is .*step-00000002; "
    with pytest.raises(InputError, match=message):
        trainer.train()
    resumed, _ = train(toy_config())
    assert resumed.folder.last_step() == 4


def test_a_config_of_another_run_is_refused(toy_config):
    train(toy_config())
    with pytest.raises(InputError, match=r"differs in data.batch_size \(4 there, 2 now\), options.n_critic"):
        Trainer(toy_config(data={"batch_size": 2}, options={"n_critic": 1}))


def test_a_batch_that_cannot_be_shared_out_is_refused(toy_config):
    with pytest.raises(InputError, match="data.batch_size 6 cannot be shared out evenly: 2 replicas"):
        Trainer(toy_config(data={"batch_size": 6}, training={"strategy": "mirrored", "accumulation_steps": 2}))


def test_a_dry_run_reports_and_writes_nothing(toy_config, tmp_path):
    config, lines = toy_config(), []
    before = set(tmp_path.rglob("*"))
    Trainer(config, report=lines.append).dry_run()
    text = "\n".join(lines)
    for part in ("images         6", "generator      119 parameters", "batch          4 = 1 x 4", "memory", "images/s"):
        assert part in text
    assert "  l1  " in text and "  critic  " in text
    assert set(tmp_path.rglob("*")) == before


def test_a_new_run_starts_from_the_weights_of_another(toy_config, monkeypatch):
    from tf_inpaint.training import trainer as module

    opened = []

    def open_checkpoint(path, exported):
        opened.append(path)
        return f"opened {path}"

    def load_weights(checkpoint, generator, discriminator, averaged):
        assert (checkpoint, averaged) == ("opened elsewhere", True)
        generator.conv.kernel.assign(tf.ones_like(generator.conv.kernel))
        return "1 variable loaded"

    monkeypatch.setattr(module, "open_checkpoint", open_checkpoint)
    monkeypatch.setattr(module, "load_weights", load_weights)

    def config(steps):
        training = {"init_from": "elsewhere", "ema_decay": 0.9, "steps": steps}
        return toy_config(training=training, optimizer={"learning_rate": 1e-9})

    trainer, lines = train(config(1))
    assert "1 variable loaded" in lines
    for copy in ("generator", "ema"):
        np.testing.assert_allclose(saved(trainer)[f"{copy}/conv..kernel"], 1.0, atol=1e-6)
    _, lines = train(config(2))  # goes on: from its own checkpoint
    assert "1 variable loaded" not in lines
    assert opened == ["elsewhere"]


@pytest.mark.parametrize("strategy", ["one_device", pytest.param("mirrored", marks=pytest.mark.slow)])
def test_several_steps_in_a_call_are_the_same_run(toy_config, strategy):
    def run(name, **training):
        common = {"steps": 7, "log_every": 5, "checkpoint_every": 3, "ema_decay": 0.5, "strategy": strategy}
        schedule = {"shared_count": False, "discriminator_learning_rate": 0.02, "schedule": "cosine"}
        config = toy_config(name, training={**common, **training}, optimizer=schedule)
        trainer, _ = train(config)
        return trainer, saved(trainer), scalars(config)

    _, expected, expected_lines = run("one by one")
    trainer, found, lines = run("together", steps_per_call=4)
    same(expected, found)
    assert [line["step"] for line in lines] == [5, 7] and lines == expected_lines
    assert trainer.learner._phases[0]._graph.experimental_get_tracing_count() == 1
    kept = sorted(path.name for path in (trainer.folder.path / "checkpoints").glob("*.index"))
    assert kept == ["step-00000003.index", "step-00000006.index", "step-00000007.index"]


@pytest.mark.slow
def test_a_signal_is_followed_at_the_end_of_a_call_and_the_run_goes_on(toy_config):
    training = {"steps_per_call": 3, "steps": 9, "log_every": 4, "checkpoint_every": 100}
    whole, parts = (toy_config(run, training=training) for run in ("whole", "parts"))
    expected, _ = train(whole)
    stopped = Trainer(parts, report=interrupt_at(5))
    stopped.train()
    assert stopped.folder.last_step() == 7  # 4 were logged, then a call of three
    same(saved(expected), saved(train(parts)[0]))


def test_a_step_that_is_no_number_within_a_call_is_named(toy_config):
    config = toy_config(training={"log_every": 100, "steps": 8, "steps_per_call": 8, "checkpoint_every": 100})
    trainer = silent(config)
    take_steps = trainer.learner.take_steps

    def poisoned(batches, count):
        values, rates = take_steps(batches, count)
        values[1]["critic"] = tf.constant([1.0] * 4 + [float("nan")] + [1.0] * (count - 5))
        return values, rates

    trainer.learner.take_steps = poisoned
    with pytest.raises(InputError, match="`critic` became nan at step 5 and training stopped; there is no checkpoint"):
        trainer.train()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["one_device", "mirrored"])
def test_float16_goes_on_with_the_loss_scale_of_the_checkpoint(toy_config, strategy):
    def config(run, steps=4):
        training = {"precision": "mixed_float16", "strategy": strategy, "steps": steps, "steps_per_call": 2}
        return toy_config(run, training=training)

    whole = saved(train(config("whole"))[0])
    assert whole["generator_loss_scale/scale"] == 2**15
    assert whole["discriminator_loss_scale/good"] == 4 * 2
    train(config("parts", steps=2))
    same(whole, saved(train(config("parts"))[0]))
    plain, _ = train(toy_config(training={"strategy": strategy}))
    for name, value in saved(plain).items():  # the toy's layers are Keras' own: scaling changes nothing
        np.testing.assert_allclose(whole[name], value, rtol=1e-5, atol=1e-7)


def test_what_xla_cannot_compile_is_refused_in_a_sentence(toy_config, monkeypatch):
    config = toy_config(training={"xla": True})
    losses = RECIPES["toy"].generator_losses

    def with_python(recipe, batch):
        image = tf.numpy_function(lambda image: image, [batch["image"]], tf.float32)
        return losses(recipe, {**batch, "image": tf.ensure_shape(image, batch["image"].shape)})

    monkeypatch.setattr(RECIPES["toy"], "generator_losses", with_python)
    trainer = silent(config)
    with pytest.raises(InputError, match="^an operation of this recipe cannot be compiled: set training.xla: false$"):
        trainer.train()


def test_a_run_at_its_last_step_is_no_beginning_of_another(toy_config, monkeypatch):
    from tf_inpaint.checkpoints.training_state import TrainingState
    from tf_inpaint.training import trainer as module

    monkeypatch.setattr(module, "open_checkpoint", lambda path, exported: SimpleNamespace(path=path))
    monkeypatch.setattr(module, "load_weights", lambda *_, averaged: "loaded")
    monkeypatch.setattr(module, "read_training_state", lambda *_: TrainingState(4, {}, {}))
    config = toy_config(training={"init_from": "elsewhere", "init_optimizer": True})
    with pytest.raises(InputError, match="elsewhere is at step 4 already, and training.steps are 4: give more"):
        train(config)
