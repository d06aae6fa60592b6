"""How far a training had come: an optimizer's moments and counts out of a checkpoint, the authors' or a run's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from tf_inpaint.checkpoints.checkpoint import open_checkpoint
from tf_inpaint.checkpoints.description import describe
from tf_inpaint.checkpoints.releases import release_of
from tf_inpaint.checkpoints.runs import STEP_KEY, parse_slot
from tf_inpaint.errors import InputError

SLOTS = {"adam": ("m", "v"), "adadelta": ("squares", "changes")}  # what a checkpoint calls the moments
_LEAST_POWER = 1e-30  # smaller ones have lost their digits


class TrainingState(NamedTuple):
    """How far a training had come, besides its weights.

    Attributes:
        step: generator updates done.
        updates: of Adam, by network: those of both together where one Adam drove both.
        moments: our weight name -> (first, second) moment, arrays of its shape.
    """

    step: int
    updates: Mapping[str, int]
    moments: Mapping[str, tuple]


def read_training_state(checkpoint, beta2: float, n_critic: int, algorithm: str = "adam") -> TrainingState:
    """The optimizer's part of a checkpoint, the authors' or a run's, in our names and order of colours.

    The authors keep beta2^(t + 1) after t updates, which is 0 for float32 long before their trainings end; then t is
    what the step says: (n_critic + 1) * step where one Adam drives both networks.

    Args:
        checkpoint: a `Checkpoint`, or what `open_checkpoint` takes.
        beta2: of the Adam that wrote it.
        n_critic: discriminator updates before each of the generator's there.
        algorithm: "adam", or "adadelta", of a run alone.
    Raises:
        InputError: if the checkpoint holds no such optimizer.
    """
    checkpoint = open_checkpoint(checkpoint)
    description, shapes = describe(checkpoint), checkpoint.shapes
    if description.kind == "release":
        moments, counts = _release_slots(description, shapes) if algorithm == "adam" else ({}, {})
    else:
        moments, counts = _run_slots(shapes, SLOTS[algorithm])
    if not moments or "step" not in counts:
        named = "" if algorithm == "adam" else f" for optimizer.algorithm: {algorithm}"
        raise InputError(f"{checkpoint.path} holds no optimiser{named}: leave out training.init_optimizer")
    needed = [key for pair in moments.values() for key in pair] + list(counts.values())
    values = dict(checkpoint.read(needed))
    numbers = {what: values[key] for what, key in counts.items()}
    step = int(numbers["step"])
    updates = {network: numbers[network] for network in ("generator", "discriminator") if network in numbers}
    if description.kind == "release":
        shared = len({counts[network] for network in updates}) == 1
        often = {"generator": shared * n_critic + 1, "discriminator": shared + n_critic}
        updates = {name: _updates(float(power), beta2, often[name] * step) for name, power in updates.items()}
    updates = {network: int(count) for network, count in updates.items()}
    ours = {name: tuple(description.to_ours(name, values[key]) for key in pair) for name, pair in moments.items()}
    return TrainingState(step, updates, ours)


def _updates(power, beta2, most):
    """How many updates beta2^(t + 1) tells of, `most` where it has become too small."""
    return max(round(math.log(power) / math.log(beta2)) - 1, 0) if power > _LEAST_POWER else most


def _release_slots(description, shapes):
    """(our weight name -> names of its two moments, what -> name of its number) in the authors' checkpoint."""
    moments = {}
    for names in description.sources.values():
        for ours, theirs in names.items():
            if {f"{theirs}/Adam", f"{theirs}/Adam_1"} <= set(shapes):
                moments[ours] = (f"{theirs}/Adam", f"{theirs}/Adam_1")
    counts = {"step": "global_step", **release_of(description.recipe).powers}
    return moments, {what: name for what, name in counts.items() if name in shapes}


def _run_slots(shapes, names):
    """The same in a run's checkpoint, whose optimizer is one for both networks or one for each."""
    slots, counts = {}, {}
    for key in shapes:
        network, name = parse_slot(key) or (None, None)
        if name == "iterations":
            counts.update(dict.fromkeys([network] if network else ["generator", "discriminator"], key))
        elif name is not None:
            moment, _, weight = name.partition(".")
            weight = weight if network else weight.partition(".")[2]
            slots.setdefault(weight, {})[moment] = key
    if STEP_KEY in shapes:
        counts["step"] = STEP_KEY
    found = {weight: tuple(pair[name] for name in names) for weight, pair in slots.items() if set(names) <= set(pair)}
    return found, counts
