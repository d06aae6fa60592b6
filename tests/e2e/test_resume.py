"""`python train.py` killed, stopped, and started again: the same run, bit for bit."""

import contextlib
import json
import os
import signal
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
STEPS = 12
OPTIONS = {
    "deepfill_v1": "{width: 4, critic_width: 4, local_patch: 32, n_critic: 1}",
    "deepfill_v2": "{width: 8, critic_width: 4, guided: true}",
    "context_encoder": "{image_size: 64, region: whole, overlap: 0, width: 4, critic_width: 4, bottleneck: 20}",
}
EDGES = {"deepfill_v2": "canny"}
CONFIG = """\
recipe: {recipe}
options: {options}
data: {{train: "{pictures}", image_size: 64, batch_size: 2, edges: {edges}}}
mask: {{height: 32, width: 32, max_delta_height: 8, max_delta_width: 8}}
training:
  steps: {steps}
  run_folder: "{run_folder}"
  strategy: one_device
  ema_decay: 0.9
  log_every: 1
  view_every: 0
  checkpoint_every: 3
"""


@contextlib.contextmanager
def started(recipe, folder, run_folder):
    """`train.py` as a process of its own, on a config written for it; killed at the end if it still runs."""
    config = folder / f"{run_folder.name}.yml"
    places = {"pictures": folder / "pictures", "run_folder": run_folder}
    config.write_text(
        CONFIG.format(recipe=recipe, options=OPTIONS[recipe], edges=EDGES.get(recipe, "none"), steps=STEPS, **places)
    )
    command = [sys.executable, "-u", str(PROGRAM), "--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(path, process, seconds=120):
    end = time.monotonic() + seconds
    while not path.exists():
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"{path.name} did not appear:\n{process.stdout.read()}")
        time.sleep(0.02)


def last_checkpoint(run_folder):
    return tf.train.latest_checkpoint(str(run_folder / "checkpoints"))


def everything(prefix):
    reader = tf.train.load_checkpoint(prefix)
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if not name.startswith("_")}


def scalars(run_folder):
    lines = [json.loads(line) for line in (run_folder / "scalars.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("images_per_second", None)
    return lines


@pytest.mark.parametrize("recipe", OPTIONS)
def test_killed_stopped_and_started_again_is_the_same_run(tmp_path, recipe):
    (tmp_path / "pictures").mkdir()
    generator = np.random.default_rng(0)
    for i in range(5):
        Image.fromarray(generator.integers(0, 256, (70, 80, 3), np.uint8)).save(tmp_path / "pictures" / f"{i}.png")
    whole, parts = tmp_path / "whole", tmp_path / "parts"

    with started(recipe, tmp_path, whole) as process:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output

    with started(recipe, tmp_path, parts) as process:
        wait_for(parts / "checkpoints" / "checkpoint", process)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert os.path.basename(last_checkpoint(parts)) < f"step-{STEPS:08d}"

    with started(recipe, tmp_path, parts) as process:
        for line in process.stdout:  # the first step made after going on
            if line.startswith("step "):
                break
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    assert "stopped by SIGTERM, and the same command goes on" in output
    stopped_at = int(last_checkpoint(parts)[-8:])
    assert stopped_at < STEPS
    assert scalars(parts)[-1]["step"] == stopped_at

    with started(recipe, tmp_path, parts) as process:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    assert f"going on after step {stopped_at}" in output

    expected, found = everything(last_checkpoint(whole)), everything(last_checkpoint(parts))
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert scalars(parts) == scalars(whole)
