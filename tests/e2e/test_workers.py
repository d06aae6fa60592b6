"""`python train.py` as two workers on one machine: the run of one process, files from the chief alone, and losses."""

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).resolve().parents[2] / "train.py"
RECIPES = {
    "deepfill_v2": "{width: 8, critic_width: 4}",  # spectral normalisation
    "context_encoder": "{image_size: 64, region: whole, overlap: 0, width: 4, critic_width: 4, bottleneck: 20}",
}
ONE_STAGE = "{width: 4, critic_width: 4, local_patch: 32, pretrain_coarse: true}"  # graphs that are built soon
STEPS = 40
CONFIG = """\
recipe: {recipe}
options: {options}
data: {{train: "{folder}/pictures", validation: "{folder}/pictures", image_size: 64, batch_size: 4}}
mask: {{height: 32, width: 32, max_delta_height: 8, max_delta_width: 8}}
optimizer: {{epsilon: 1.0e-4}}  # no steps from gradients that are zero but for rounding
training: {{run_folder: "{run_folder}", ema_decay: 0.9, log_every: 1, view_count: 2, validation_count: 3, {training}}}
"""
SHOWN = "steps: 4, checkpoint_every: 2, view_every: 2, validate_every: 2"
LONG = f"steps: {STEPS}, checkpoint_every: 4, view_every: 0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    (folder / "pictures").mkdir()
    generator = np.random.default_rng(0)
    for i in range(7):
        Image.fromarray(generator.integers(0, 256, (70, 80, 3), np.uint8)).save(folder / "pictures" / f"{i}.png")
    return folder


@functools.lru_cache
def free_ports(count):
    """The same at every call: who starts a killed worker again takes the same command."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def started(run_folder, recipe="deepfill_v1", options=ONE_STAGE, training=LONG, workers=2, overrides=()):
    """The processes of a run, killed at the end if they still run; `overrides` are for the last one."""
    config = run_folder.with_suffix(".yml")
    places = {"folder": run_folder.parent, "run_folder": run_folder}
    config.write_text(CONFIG.format(recipe=recipe, options=options, training=training, **places))
    addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
    processes = []
    with contextlib.ExitStack() as stack:
        for index in range(workers):
            environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
            if workers > 1:
                task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
                environment["TF_CONFIG"] = json.dumps(task)
            command = [sys.executable, "-u", str(PROGRAM), "--config", str(config)]
            command += ["--set", *overrides] if overrides and index == workers - 1 else []
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            process = subprocess.Popen(command, env=environment, text=True, **pipes)
            stack.callback(process.wait)
            stack.callback(process.kill)
            processes.append(process)
        yield processes


def ends(processes, code=0, seconds=240):
    """(stdout, stderr) of each, all of which must end with this code."""
    texts = [process.communicate(timeout=seconds) for process in processes]
    assert [process.returncode for process in processes] == [code] * len(processes), texts
    return texts


def saved(run_folder):
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(run_folder / "checkpoints")))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if not name.startswith("_")}


def files(run_folder):
    """Without their times."""
    found = sorted(str(path.relative_to(run_folder)) for path in run_folder.rglob("*") if path.is_file())
    return [name.partition("tfevents")[0] for name in found]


def scalars(run_folder):
    lines = [json.loads(line) for line in (run_folder / "scalars.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "images_per_second"} for line in lines]


def wait_for(path, process, seconds=240):
    end = time.monotonic() + seconds
    while not path.exists():
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"{path} did not appear:\n{process.communicate()}")
        time.sleep(0.02)


@pytest.fixture(scope="module")
def undisturbed(folder):
    run_folder = folder / "undisturbed"
    with started(run_folder) as processes:
        ends(processes)
    return saved(run_folder)


@pytest.mark.parametrize("recipe", RECIPES)
def test_two_workers_make_the_run_of_one_process(folder, recipe):
    one, two = folder / f"{recipe}-one", folder / f"{recipe}-two"
    with started(one, recipe, RECIPES[recipe], SHOWN, workers=1) as processes:
        ends(processes)
    with started(two, recipe, RECIPES[recipe], SHOWN) as processes:
        (report, *errors) = [text for texts in ends(processes) for text in texts]
    assert "4 = 2 x 2" in report and "CPU:0, on each of 2 workers" in report and "done: 4 steps" in report
    assert errors == ["", "", ""]  # the other worker says nothing
    assert files(two) == files(one)
    expected, found = saved(one), saved(two)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5, rtol=0, err_msg=name)
    for line, expected_line in zip(scalars(two), scalars(one)):
        assert line == pytest.approx(expected_line, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("victim", [0, 1], ids=["chief", "other"])
def test_a_killed_worker_ends_the_other_and_the_same_commands_go_on(folder, undisturbed, victim):
    run_folder = folder / f"killed-{victim}"
    with started(run_folder) as processes:
        wait_for(run_folder / "checkpoints" / "checkpoint", processes[0])
        processes[victim].kill()
        begin = time.monotonic()
        ((_, errors),) = ends([processes[1 - victim]], code=2, seconds=60)
        assert time.monotonic() - begin < 60
    last = tf.train.latest_checkpoint(str(run_folder / "checkpoints"))
    (line,) = errors.splitlines()
    assert line.startswith("error: another worker has ended or cannot be reached")
    assert line.endswith(f"start all workers again with the same commands, and they go on from {last}")
    assert not last.endswith(f"{STEPS}")
    with started(run_folder) as processes:
        ((report, _), _) = ends(processes)
    assert f"going on after step {int(last[-8:])}" in report
    found = saved(run_folder)
    assert set(found) == set(undisturbed)
    for name, value in undisturbed.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_a_signal_to_one_worker_stops_all_after_the_same_step(folder):
    run_folder = folder / "stopped"
    with started(run_folder) as processes:
        wait_for(run_folder / "checkpoints" / "checkpoint", processes[0])
        processes[1].send_signal(signal.SIGTERM)
        ((report, _), (other, _)) = ends(processes)
    assert "stopped by a signal to another worker, and the same command goes on: " in report and other == ""


def test_workers_that_are_told_different_things_do_not_train(folder):
    with started(folder / "different", overrides=["optimizer.learning_rate=1"]) as processes:
        (_, lost), (_, different) = ends(processes, code=2)
    assert different.startswith("error: this worker and the chief have not the same config: ")
    assert lost.startswith("error: another worker has ended") and lost.endswith("there is no checkpoint yet\n")
    assert not (folder / "different").exists()


def test_a_port_that_is_taken_is_one_sentence(folder):
    with socket.create_server(("", free_ports(2)[0])), started(folder / "taken") as processes:
        ((_, errors),) = ends(processes[:1], code=2)
    assert "error: worker 0 cannot begin at 127.0.0.1:" in errors and "its port free?" in errors
