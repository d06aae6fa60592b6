"""Small runs: images and a config for them, train.py as processes of its own, and what a run folder holds."""

import contextlib
import functools
import json
import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import small_recipes
import tensorflow as tf
import yaml
from PIL import Image

from tf_inpaint.config import config_from_dict, to_yaml
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes import RECIPES
from tf_inpaint.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[1]
MASK = {"height": 32, "width": 32, "max_delta_height": 8, "max_delta_width": 8}
AT_64 = {  # of the smallest networks, where they differ from `small_recipes`
    "context_encoder": {"image_size": 64, "region": "whole", "overlap": 0, "bottleneck": 20},
    "dcgan": {"image_size": 64, "code_size": 10},
    "pix2pix": {"image_size": 64},
    "image_transformer": {"image_size": 64, "output": "mixture", "mixtures": 2},
}
OPTIONS = {recipe: {**options, **AT_64.get(recipe, {})} for recipe, options in small_recipes.OPTIONS.items()}
TINY = {
    "recipe": "deepfill_v1",
    "options": OPTIONS["deepfill_v1"],
    "data": {"image_size": 64},
    "mask": MASK,
}


def write_images(folder, count, ending="png"):
    """Images of noise, 80 x 70, always the same."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(count):
        Image.fromarray(generator.integers(0, 256, (70, 80, 3), np.uint8)).save(folder / f"{i}.{ending}", quality=95)


def small_config(recipe, options, images, run_folder, training, data=(), **sections):
    """Values of a config at 64 x 64: `options`, `training` and `data` set more, and `sections` are the others'."""
    return {
        "recipe": recipe,
        "options": {**OPTIONS[recipe], **options},
        "data": {"train": str(images), "image_size": 64, "batch_size": 4, **dict(data)},
        "mask": dict(MASK),
        "training": {"run_folder": str(run_folder), "view_every": 0, **training},
        **sections,
    }


@contextlib.contextmanager
def started(config, workers=1, overrides=()):
    """The processes of a run, killed at the end if they still run; `overrides` are for the last one.

    The config, ours or the authors', is written beside the run folder.
    """
    file = Path(config["training"]["run_folder"] if "training" in config else config["LOG_DIR"]).with_suffix(".yml")
    file.write_text(yaml.safe_dump(config))
    with contextlib.ExitStack() as stack:
        processes = []
        for index in range(workers):
            environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
            if workers > 1:
                addresses = [f"127.0.0.1:{port}" for port in worker_ports(workers)]
                task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
                environment["TF_CONFIG"] = json.dumps(task)
            command = [sys.executable, "-u", str(ROOT / "train.py"), "--config", str(file)]
            command += ["--set", *overrides] if overrides and index == workers - 1 else []
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            process = subprocess.Popen(command, env=environment, text=True, **pipes)
            stack.callback(process.wait)
            stack.callback(process.kill)
            processes.append(process)
        yield processes


def train_here(config):
    """The lines of a run of this process, on one device; quicker than a process of its own.

    TensorFlow's deterministic operations are left off: they would stay on for whatever is tested afterwards, and on
    processors bits are the same without.
    """
    training = {**config["training"], "strategy": "one_device", "deterministic": False}
    lines = []
    Trainer(config_from_dict({**config, "training": training}, "here"), report=lines.append).train()
    return lines


def ends(processes, code=0, seconds=300):
    """(stdout, stderr) of each, all of which must end with this code."""
    texts = [process.communicate(timeout=seconds) for process in processes]
    assert [process.returncode for process in processes] == [code] * len(processes), texts
    return texts


def until(condition, what, process, seconds=240):
    """Wait for a condition, as long as a process runs."""
    end = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            pytest.fail(f"waited in vain for {what}:\n{process.communicate()}")
        time.sleep(0.02)


def until_saved(run_folder, process):
    """Wait for the first checkpoint."""
    until((run_folder / "checkpoints" / "checkpoint").exists, "a checkpoint", process)


def free_ports(count):
    """Ports that nobody uses now: below those that systems give to outgoing connections, which might take them."""
    draw, found = random.SystemRandom(), set()
    while len(found) < count:
        port = draw.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("", port)):
            found.add(port)
    return sorted(found)


worker_ports = functools.lru_cache(free_ports)  # the same ones whenever workers are started again


def last_checkpoint(run_folder):
    return tf.train.latest_checkpoint(str(run_folder / "checkpoints"))


def saved_arrays(run_folder):
    """Every array of the last checkpoint by its name."""
    reader = tf.train.load_checkpoint(last_checkpoint(run_folder))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if not name.startswith("_")}


def logged_scalars(run_folder):
    """The lines logged, without how fast the machine was."""
    lines = [json.loads(line) for line in (run_folder / "scalars.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "images_per_second"} for line in lines]


def assert_same_bits(found, expected):
    """Of what `saved_arrays` gives."""
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def write_untrained_run(folder, values, contrast=1.0):
    """A run folder as train.py leaves it, of a config at 64 x 64, its generator's kernels multiplied by `contrast`."""
    config = config_from_dict(values, "tiny")
    tf.keras.utils.set_random_seed(1)
    recipe = RECIPES[config.recipe](config.options)
    recipe.build(64, 64)
    for name, weight in named_weights(recipe.generator).items():
        weight.assign(contrast * weight if name.endswith("kernel") else weight)
    write_run(folder, recipe, values)


def write_run(folder, recipe, values, **more):
    """A run folder of a recipe whose generator is built; its checkpoint may hold more."""
    checkpoint = tf.train.Checkpoint(generator=named_weights(recipe.generator), **more)
    checkpoint.write(str(folder / "checkpoints" / "step-00000001"))
    (folder / "config.yml").write_text(to_yaml(config_from_dict(values, "tiny")))
