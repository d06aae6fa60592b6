"""`python train.py` killed, stopped, and started again: the same run, bit for bit."""

import os
import signal

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
    write_images,
)

pytestmark = pytest.mark.slow

STEPS = 12
OPTIONS = {
    "deepfill_v1": {"n_critic": 1},
    "deepfill_v2": {"guided": True},
    "context_encoder": {},
    "lama": {"augment": "diffaugment"},
    "partial_convolution": {"fine_tune_from": 6},
    "global_local": {"completion_steps": 4, "discriminator_steps": 4},
}
TRAINING = {"steps": STEPS, "strategy": "one_device", "ema_decay": 0.9, "log_every": 1, "checkpoint_every": 3}
TRAINING |= {"deterministic": False}  # as `train_here` has it


@pytest.mark.parametrize("recipe", OPTIONS)
def test_killed_stopped_and_started_again_is_the_same_run(tmp_path, recipe):
    write_images(tmp_path / "images", 5)
    data = {"batch_size": 2, "edges": "canny" if recipe == "deepfill_v2" else "none"}
    whole, parts = (
        small_config(recipe, OPTIONS[recipe], tmp_path / "images", tmp_path / name, TRAINING, data)
        for name in ("whole", "parts")
    )
    whole_folder, folder = tmp_path / "whole", tmp_path / "parts"

    train_here(whole)

    with started(parts) as (process,):
        until_saved(folder, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert os.path.basename(last_checkpoint(folder)) < f"step-{STEPS:08d}"

    with started(parts) as (process,):
        for line in process.stdout:  # the first step made after going on
            if line.startswith("step "):
                break
        process.send_signal(signal.SIGTERM)
        ((output, _),) = ends([process])
    assert "stopped by SIGTERM, and the same command goes on" in output
    stopped_at = int(last_checkpoint(folder)[-8:])
    assert stopped_at < STEPS
    assert logged_scalars(folder)[-1]["step"] == stopped_at

    assert any(f"going on after step {stopped_at}" in line for line in train_here(parts))

    assert_same_bits(saved_arrays(folder), saved_arrays(whole_folder))
    assert logged_scalars(folder) == logged_scalars(whole_folder)
