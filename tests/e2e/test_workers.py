"""`python train.py` as two workers on one machine: the run of one process, files from the chief alone, and losses."""

import signal
import socket

import numpy as np
import pytest
from runs import (
    assert_same_bits,
    ends,
    last_checkpoint,
    logged_scalars,
    saved_arrays,
    small_config,
    started,
    train_here,
    until_saved,
    worker_ports,
    write_images,
)

pytestmark = pytest.mark.slow

RECIPES = ["deepfill_v2", "context_encoder"]  # with spectral and with batch normalisation
ONE_STAGE = {"pretrain_coarse": True}  # graphs that are built soon
STEPS = 40
SHOWN = {"steps": 4, "log_every": 2, "checkpoint_every": 2, "view_every": 2, "validate_every": 2}
LONG = {"steps": STEPS, "log_every": 2, "checkpoint_every": 4, "steps_per_call": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    write_images(folder / "images", 7)
    return folder


def config(run_folder, recipe="deepfill_v1", options=ONE_STAGE, training=LONG):
    images = run_folder.parent / "images"
    return small_config(
        recipe,
        options,
        images,
        run_folder,
        {"ema_decay": 0.9, "view_count": 2, "validation_count": 3, **training},
        {"validation": str(images)},
        optimizer={"epsilon": 1e-4},  # no steps from gradients that are zero but for rounding
    )


def files(run_folder):
    """Without their times."""
    found = sorted(str(path.relative_to(run_folder)) for path in run_folder.rglob("*") if path.is_file())
    return [name.partition("tfevents")[0] for name in found]


@pytest.fixture(scope="module")
def undisturbed(folder):
    run_folder = folder / "undisturbed"
    with started(config(run_folder), workers=2) as processes:
        ends(processes)
    return saved_arrays(run_folder)


def assert_same_run(run_folder, expected_folder):
    """But for rounding."""
    expected, found = saved_arrays(expected_folder), saved_arrays(run_folder)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5, rtol=0, err_msg=name)
    for line, expected_line in zip(logged_scalars(run_folder), logged_scalars(expected_folder)):
        assert line == pytest.approx(expected_line, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("recipe", RECIPES)
def test_two_workers_make_the_run_of_one_process(folder, recipe):
    one, two = folder / f"{recipe}-one", folder / f"{recipe}-two"
    train_here(config(one, recipe, {}, SHOWN))
    with started(config(two, recipe, {}, {**SHOWN, "steps_per_call": 2}), workers=2) as processes:
        (report, *errors) = [text for texts in ends(processes) for text in texts]
    assert "4 = 2 x 2" in report and "CPU:0, on each of 2 workers" in report and "done: 4 steps" in report
    assert errors == ["", "", ""]  # the other worker says nothing
    assert files(two) == files(one)
    assert_same_run(two, one)


def test_so_they_do_in_16_bits_and_in_parts_and_started_again(folder):
    """All compute one image at a time, so that what is rounded to 16 bits is the same."""
    one, two = folder / "scaled-one", folder / "scaled-two"
    options = {**ONE_STAGE, "l1_weight": 128.0}  # the first update overflows
    shared = {**SHOWN, "view_every": 0, "validate_every": 0, "precision": "mixed_float16"}
    train_here(config(one, options=options, training={**shared, "accumulation_steps": 4}))
    shared |= {"accumulation_steps": 2, "steps_per_call": 2}
    for steps in (2, 4):
        with started(config(two, options=options, training={**shared, "steps": steps}), workers=2) as processes:
            ends(processes)
    assert_same_run(two, one)
    last = logged_scalars(two)[-1]
    assert last["generator_loss_scale"] < 2.0**15 and last["generator_gradient_norm"] > 0.0


@pytest.mark.parametrize("victim", [0, 1], ids=["chief", "other"])
def test_a_killed_worker_ends_the_other_and_the_same_commands_go_on(folder, undisturbed, victim):
    run_folder = folder / f"killed-{victim}"
    with started(config(run_folder), workers=2) as processes:
        until_saved(run_folder, processes[0])
        processes[victim].kill()
        ((_, errors),) = ends([processes[1 - victim]], code=2)
    last = last_checkpoint(run_folder)
    (line,) = errors.splitlines()
    assert line.startswith("error: another worker has ended or cannot be reached")
    assert line.endswith(f"start all workers again with the same commands, and they go on from {last}")
    assert not last.endswith(f"{STEPS}")
    with started(config(run_folder), workers=2) as processes:
        ((report, _), _) = ends(processes)
    assert f"going on after step {int(last[-8:])}" in report
    assert_same_bits(saved_arrays(run_folder), undisturbed)


def test_a_signal_to_one_worker_stops_all_after_the_same_step(folder):
    run_folder = folder / "stopped"
    with started(config(run_folder), workers=2) as processes:
        until_saved(run_folder, processes[0])
        processes[1].send_signal(signal.SIGTERM)
        ((report, _), (other, _)) = ends(processes)
    assert "stopped by a signal to another worker, and the same command goes on: " in report and other == ""


def test_workers_that_are_told_different_things_do_not_train(folder):
    """In the authors' words, whose translation the chief alone prints."""
    data = {"DATASET": "noise", "DATA_FLIST": {"noise": [str(folder / "images"), ""]}}
    theirs = {"IMG_SHAPES": [256, 256, 3], "LOG_DIR": str(folder / "different"), **data}
    with started(theirs, 2, ["optimizer.learning_rate=1"]) as processes:
        (translation, lost), (nothing, different) = ends(processes, code=2)
    assert "IMG_SHAPES: [256, 256, 3] -> data.image_size" in translation and nothing == ""
    assert different.startswith("error: this worker and the chief have not the same config: ")
    assert lost.startswith("error: another worker has ended") and lost.endswith("there is no checkpoint yet\n")
    assert not (folder / "different").exists()


def test_a_port_that_is_taken_is_one_sentence(folder):
    with socket.create_server(("", worker_ports(2)[0])), started(config(folder / "taken"), 2) as processes:
        ((_, errors),) = ends(processes[:1], code=2)
    assert "error: worker 0 cannot begin at 127.0.0.1:" in errors and "its port free?" in errors
