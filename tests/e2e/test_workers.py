"""`python train.py` as two workers on one machine: the run of one process, files from the chief alone, and losses."""

import contextlib
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
OPTIONS = {
    "deepfill_v1": "{width: 4, critic_width: 4, local_patch: 32, n_critic: 1}",
    "deepfill_v2": "{width: 8, critic_width: 4}",  # spectral normalisation
    "context_encoder": "{image_size: 64, region: whole, overlap: 0, width: 4, critic_width: 4, bottleneck: 20}",
}
CONFIG = """\
recipe: {recipe}
options: {options}
data: {{train: "{folder}/pictures", validation: "{folder}/pictures", image_size: 64, batch_size: 4}}
mask: {{height: 32, width: 32, max_delta_height: 8, max_delta_width: 8}}
optimizer: {{epsilon: 1.0e-4}}  # no steps from gradients that are zero but for rounding
training:
  steps: {steps}
  run_folder: "{run_folder}"
  ema_decay: 0.9
  log_every: 1
  view_every: 2
  view_count: 2
  validate_every: 2
  validation_count: 3
  checkpoint_every: 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    (folder / "pictures").mkdir()
    generator = np.random.default_rng(0)
    for i in range(7):
        Image.fromarray(generator.integers(0, 256, (70, 80, 3), np.uint8)).save(folder / "pictures" / f"{i}.png")
    return folder


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def started(folder, name, workers=2, recipe="deepfill_v1", steps=4, options=None, different=()):
    """The processes of a run, killed at the end if they still run; `different`: overrides of the last worker's."""
    config = folder / f"{name}.yml"
    options = options or OPTIONS[recipe]
    config.write_text(
        CONFIG.format(recipe=recipe, options=options, folder=folder, run_folder=folder / name, steps=steps)
    )
    addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
    processes = []
    with contextlib.ExitStack() as stack:
        for index in range(workers):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
            if workers > 1:
                environment["TF_CONFIG"] = json.dumps(task)
            command = [sys.executable, "-u", str(PROGRAM), "--config", str(config)]
            command += ["--set", *different] if different and index == workers - 1 else []
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
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


def scalars(run_folder):
    lines = [json.loads(line) for line in (run_folder / "scalars.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "images_per_second"} for line in lines]


@pytest.mark.parametrize("recipe", OPTIONS)
def test_two_workers_make_the_run_of_one_process(folder, recipe):
    one, two = folder / f"{recipe}-one", folder / f"{recipe}-two"
    with started(folder, one.name, workers=1, recipe=recipe) as processes:
        ends(processes)
    with started(folder, two.name, workers=2, recipe=recipe) as processes:
        (chief, chief_errors), (other, other_errors) = ends(processes)
    assert "4 = 2 x 2" in chief and "on each of 2 workers" in chief and "done: 4 steps" in chief
    assert other == "" and other_errors == "" and chief_errors == ""
    files = [
        sorted(str(path.relative_to(run)) for path in run.rglob("*.*") if "tfevents" not in path.name)
        for run in (one, two)
    ]
    assert files[0] == files[1]
    expected, found = saved(one), saved(two)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5, rtol=0, err_msg=name)
    for line, expected_line in zip(scalars(two), scalars(one)):
        assert line == pytest.approx(expected_line, rel=1e-4, abs=1e-6)
