"""Weights from a checkpoint into our networks: the files that papers' authors released, and this project's own runs.

A checkpoint is first described from its variables' names and shapes alone: what it is, which of its variables is which
of our weights, and what is left over. Only then are values read. A generator is filled completely or not at all.
"""

from __future__ import annotations

import glob
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tf_inpaint.checkpoints.files import find_checkpoint, find_saved_model, read_shapes, read_values
from tf_inpaint.checkpoints.npz import ENDING, read_about
from tf_inpaint.checkpoints.releases import RELEASES, Release, is_training_state
from tf_inpaint.errors import InputError

__all__ = [
    "DEFAULT_WEIGHTS",
    "GUIDED_WEIGHTS",
    "RELEASE_NAMES",
    "Description",
    "Report",
    "TrainingState",
    "compare",
    "describe",
    "describe_shapes",
    "find_checkpoint",
    "list_weights",
    "load_weights",
    "locate",
    "read_shapes",
    "read_training_state",
    "shipped_weights",
    "to_release_arrays",
]

# recipe -> {the authors' variable name: our weight name}
RELEASE_NAMES = {r.recipe: {**r.networks["generator"], **r.networks["discriminator"]} for r in RELEASES}

# What completes when nothing is asked for, and with a sketch; chosen by measurement, see docs/weights.md
DEFAULT_WEIGHTS, GUIDED_WEIGHTS = "photos", "photos_guided"
_SHIPPED = os.path.join(os.path.dirname(os.path.dirname(__file__)), "weights")
_SKETCH_CHANNELS = {"coarse.conv1.kernel": 3, "conv1.kernel": 4}  # among what DeepFill v2 and its critic take
_LEAST_POWER = 1e-30  # smaller ones have lost their digits
_STEP_KEY = "step/.ATTRIBUTES/VARIABLE_VALUE"
_SLOT_KEY = re.compile(r"(generator_|discriminator_)?optimizer/(.+)/\.ATTRIBUTES/VARIABLE_VALUE")
_RUN_KEY = re.compile(r"(generator|discriminator|ema)/(.+)/\.ATTRIBUTES/VARIABLE_VALUE")


@dataclass(frozen=True)
class Description:
    """What a checkpoint is, told by its variables.

    Attributes:
        prefix: where it is.
        kind: "release" (the authors') or "run" (this project's).
        recipe: key of `RECIPES`; None for a run whose generator is in no table (its config tells).
        options: what the shapes tell about the recipe's options, such as width and critic_width.
        sources: "generator" and "discriminator" -> {our weight name: the checkpoint's variable name}.
        shapes: our weight name -> shape, of every weight in `sources`.
        averaged: the generator's weights are the run's moving average.
        unexpected: names of variables that are neither weights nor training state.
    """

    prefix: str
    kind: str
    recipe: str | None
    options: dict
    sources: Mapping[str, Mapping[str, str]]
    shapes: Mapping[str, tuple]
    averaged: bool = False
    unexpected: tuple = ()

    def __str__(self):
        title = next((r.title for r in RELEASES if r.recipe == self.recipe), "the model its config.yml names")
        what = f"{title} release" if self.kind == "release" else f"tf_inpaint run of {title}"
        details = [f"{name} {value}" for name, value in self.options.items()]
        details.append("with critics" if self.sources["discriminator"] else "without critics")
        if self.averaged:
            details.append("averaged weights")
        return f"{what} ({', '.join(details)})"


@dataclass(frozen=True)
class Report:
    """What became of every variable: names are ours, those of `unexpected` the checkpoint's."""

    loaded: tuple = ()
    missing: tuple = ()
    unexpected: tuple = ()
    mis_shaped: tuple = ()  # of (name, shape in the checkpoint, shape here)
    sketch: tuple = ()  # loaded, but for the part that reads a sketch, which only one side has

    def __str__(self):
        shapes = [f"{name} is {there} in the checkpoint and {here} here" for name, there, here in self.mis_shaped]
        parts = [f"{_count(self.loaded, 'variable')} loaded"]
        for names, what in ((self.missing, "missing"), (self.unexpected, "unexpected"), (shapes, "of another shape")):
            parts.append(f"{len(names)} {what}" + (f" ({_some(names)})" if names else ""))
        if self.sketch:
            parts.append("what reads a sketch left out or 0")
        return ", ".join(parts)


def locate(checkpoint_dir=None, weights=None, guided=False) -> str:
    """The prefix of what a user asks to complete with; without TensorFlow, so that a wrong path is answered at once.

    Args:
        checkpoint_dir: whatever `describe` takes, or an exported model, whose folder is given back.
        weights: name of weights shipped with the package.
        guided: whether, without either, `GUIDED_WEIGHTS` are meant, which follow a sketch, and not `DEFAULT_WEIGHTS`.
    Raises:
        InputError: if both are asked for, or what is asked for is not there.
    """
    if checkpoint_dir is not None and weights is not None:
        raise InputError("checkpoint_dir and weights exclude each other: give one of them")
    if checkpoint_dir is None:
        name, files = weights or (GUIDED_WEIGHTS if guided else DEFAULT_WEIGHTS), shipped_weights()
        if name not in files:
            raise InputError(f"there are no weights named {name!r}; shipped are: {', '.join(files) or 'none'}")
        return find_checkpoint(files[name])
    return find_saved_model(checkpoint_dir) or _find(checkpoint_dir)


def _find(path):
    """`find_checkpoint`, which the name of shipped weights means too where nothing else is called so."""
    return find_checkpoint(path if os.path.exists(path) else shipped_weights().get(os.fspath(path), path))


def shipped_weights() -> dict[str, str]:
    """Name -> file of the weights that came with the package."""
    files = sorted(glob.glob(os.path.join(glob.escape(_SHIPPED), f"*{ENDING}")))
    return {os.path.basename(file)[: -len(ENDING)]: file for file in files}


def list_weights() -> str:
    """A line for each of the weights that came with the package."""
    abouts = {name: read_about(file) for name, file in shipped_weights().items()}
    width = max(map(len, abouts), default=0)
    notes = {DEFAULT_WEIGHTS: " (default)", GUIDED_WEIGHTS: " (default with a sketch)"}
    lines = [f"{name:<{width}}  {about.text}{notes.get(name, '')}" for name, about in abouts.items()]
    return "\n".join(lines) or "no weights are shipped"


def describe(path) -> Description:
    """Tells what the checkpoint at `path` (whatever `find_checkpoint` takes, or the name of shipped weights) is.

    Raises:
        InputError: if there is none, or it is unreadable, or belongs to no model of this project.
    """
    prefix = _find(path)
    return describe_shapes(read_shapes(prefix), prefix)


def describe_shapes(shapes, prefix="the checkpoint") -> Description:
    """`describe` from a dict of name -> shape; `prefix` is only for messages."""
    shapes = {name: tuple(shape) for name, shape in shapes.items()}
    run = _describe_run(shapes, prefix)
    if run is not None:
        return run
    for release in RELEASES:
        sources = release.find(shapes)
        known = {theirs: ours for names in sources.values() for ours, theirs in names.items()}
        ours = {name: release.our_shape(name, shapes[theirs]) for theirs, name in known.items()}
        if _is_generator_of(release, ours):
            unexpected = tuple(sorted(n for n in shapes if n not in known and not is_training_state(n)))
            options = release.options(ours)
            return Description(prefix, "release", release.recipe, options, sources, ours, unexpected=unexpected)
    raise InputError(f"{prefix} is {_stranger(shapes)}, which this version cannot use: it reads {_readable()}")


def compare(description: Description, wanted) -> Report:
    """What filling networks from a checkpoint would do, from names and shapes alone.

    Args:
        description: of the checkpoint.
        wanted: "generator" and/or "discriminator" -> {our weight name: shape}.
    """
    loaded, missing, mis_shaped, sketch = [], [], [], []
    unexpected = list(description.unexpected)
    for network, shapes in wanted.items():
        for name, shape in shapes.items():
            if name not in description.sources[network]:
                missing.append(name)
            elif description.shapes[name] == tuple(shape):
                loaded.append(name)
            elif _differs_by_sketch(name, description.shapes[name], tuple(shape)):
                loaded.append(name)
                sketch.append(name)
            else:
                mis_shaped.append((name, description.shapes[name], tuple(shape)))
        unexpected += [theirs for name, theirs in description.sources[network].items() if name not in shapes]
    return Report(tuple(loaded), tuple(missing), tuple(unexpected), tuple(mis_shaped), tuple(sketch))


def _differs_by_sketch(name, theirs, ours):
    """Whether one is the kernel of a network that reads a sketch, the other that of the same network without."""
    return (
        name in _SKETCH_CHANNELS
        and min(theirs[2], ours[2]) >= _SKETCH_CHANNELS[name]
        and abs(theirs[2] - ours[2]) == 1
        and (*theirs[:2], theirs[3]) == (*ours[:2], ours[3])
    )


def _with_or_without_sketch(name, kernel, shape):
    """`kernel` in `shape`: what it reads of a sketch is left out, or 0. For empty sketches both compute the same."""
    channel = _SKETCH_CHANNELS[name]
    if kernel.shape[2] > shape[2]:
        return np.delete(kernel, channel, axis=2)
    return np.insert(kernel, channel, 0.0, axis=2)


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


def read_training_state(path, beta2: float, n_critic: int) -> TrainingState:
    """The optimiser's part of a checkpoint, the authors' or a run's, in our names and order of colours.

    The authors keep beta2^(t + 1) after t updates, which is 0 for float32 long before their trainings end; then t is
    (n_critic + 1) * step.

    Args:
        path: whatever `find_checkpoint` takes, or the name of shipped weights.
        beta2: of the Adam that wrote it.
        n_critic: critic updates before each of the generator's there.
    Raises:
        InputError: if the checkpoint holds no optimiser.
    """
    description = describe(path)
    shapes = read_shapes(description.prefix)
    moments, counts = _release_slots(description, shapes) if description.kind == "release" else _run_slots(shapes)
    if not moments or "step" not in counts:
        raise InputError(f"{description.prefix} holds no optimiser: leave out training.init_optimizer")
    needed = [name for pair in moments.values() for name in pair] + list(counts.values())
    values = dict(read_values(description.prefix, needed))
    numbers = {what: values[name] for what, name in counts.items()}
    step = int(numbers["step"])
    if "beta2_power" in numbers:
        power = float(numbers["beta2_power"])
        updates = round(math.log(power) / math.log(beta2)) - 1 if power > _LEAST_POWER else (n_critic + 1) * step
        updates = dict.fromkeys(("generator", "discriminator"), max(updates, 0))
    else:
        updates = {network: int(numbers[network]) for network in ("generator", "discriminator") if network in numbers}
    to_ours = _to_ours(description)
    return TrainingState(
        step, updates, {n: tuple(to_ours(n, values[each]) for each in pair) for n, pair in moments.items()}
    )


def _release_slots(description, shapes):
    """(our weight name -> names of its two moments, what -> name of its number) in the authors' checkpoint."""
    moments = {}
    for names in description.sources.values():
        for ours, theirs in names.items():
            if {f"{theirs}/Adam", f"{theirs}/Adam_1"} <= set(shapes):
                moments[ours] = (f"{theirs}/Adam", f"{theirs}/Adam_1")
    counts = {"step": "global_step", "beta2_power": "beta2_power"}
    return moments, {what: name for what, name in counts.items() if name in shapes}


def _run_slots(shapes):
    """The same in a run's checkpoint, whose optimiser is one for both networks or one for each."""
    slots, counts = {}, {}
    for key in shapes:
        match = _SLOT_KEY.fullmatch(key)
        if match is None:
            continue
        owner, name = match[1] or "", _unescape(match[2])
        if name == "iterations":
            counts.update(dict.fromkeys([owner[:-1]] if owner else ["generator", "discriminator"], key))
        else:
            moment, _, weight = name.partition(".")
            weight = weight if owner else weight.partition(".")[2]
            slots.setdefault(weight, {})[moment] = key
    if _STEP_KEY in shapes:
        counts["step"] = _STEP_KEY
    return {name: (pair["m"], pair["v"]) for name, pair in slots.items() if set(pair) == {"m", "v"}}, counts


def load_weights(path, generator=None, discriminator=None, averaged=True) -> Report:
    """Fills networks from a checkpoint, the authors' or a run's; colours and axes are turned where needed.

    A run's generator is filled from its moving average where it kept one. Critics take what fits: some releases have
    none, others have a local patch of another size, and the report says so. DeepFill v2 may go from guided to not
    guided and back: it completes as before where the sketch is empty.

    Args:
        path: whatever `find_checkpoint` takes, or the name of shipped weights.
        generator, discriminator: built models; None leaves that network out.
        averaged: False takes the generator's own weights even where a moving average was kept.
    Returns:
        The report.
    Raises:
        InputError: if the checkpoint is unreadable or of another model, or cannot fill the generator; no weight has
            changed then.
    """
    from tf_inpaint.models.weights import named_weights

    description = describe(path)
    if not averaged and description.averaged:
        description = describe_shapes(
            {name: shape for name, shape in read_shapes(description.prefix).items() if not name.startswith("ema/")},
            description.prefix,
        )
    models = {"generator": generator, "discriminator": discriminator}
    weights = {network: named_weights(model) for network, model in models.items() if model is not None}
    wanted = {network: {n: tuple(w.shape) for n, w in named.items()} for network, named in weights.items()}
    report = compare(description, wanted)
    if generator is not None:
        whole = compare(description, {"generator": wanted["generator"]})
        if whole.missing or whole.mis_shaped:
            raise InputError(f"{description.prefix} cannot fill the generator: {whole}")

    variables = {name: variable for named in weights.values() for name, variable in named.items()}
    theirs = {name: source for names in description.sources.values() for name, source in names.items()}
    ours = {theirs[name]: name for name in report.loaded}
    to_ours, values = _to_ours(description), {}
    for source, value in read_values(description.prefix, ours):
        values[ours[source]] = to_ours(ours[source], value)
    for name in report.sketch:
        values[name] = _with_or_without_sketch(name, values[name], variables[name].shape)
    for name, value in values.items():
        variables[name].assign(np.asarray(value, variables[name].dtype.as_numpy_dtype))
    return report


def to_release_arrays(generator, discriminator=None, recipe="deepfill_v1") -> dict[str, np.ndarray]:
    """Our weights as the authors' checkpoint would hold them: {their variable name: array, BGR if theirs are}.

    Args:
        generator, discriminator: built models; no discriminator leaves its variables out.
        recipe: whose release.
    """
    from tf_inpaint.models.weights import named_weights

    release = _release(recipe)
    arrays = {}
    for network, model in (("generator", generator), ("discriminator", discriminator)):
        if model is not None:
            named = named_weights(model)
            for theirs, name in release.networks[network].items():
                arrays[theirs] = release.to_theirs(name, named[name].numpy())
    return arrays


def _describe_run(shapes, prefix) -> Description | None:
    found = {"generator": {}, "discriminator": {}, "ema": {}}
    for key in shapes:
        match = _RUN_KEY.fullmatch(key)
        if match and "/." not in match[2]:  # else an optimiser's slot of that weight
            found[match[1]][_unescape(match[2])] = key
    if not found["generator"]:
        return None
    averaged = bool(found["ema"])
    sources = {
        "generator": {**found["generator"], **found["ema"]},
        "discriminator": found["discriminator"],
    }
    ours = {name: shapes[key] for names in sources.values() for name, key in names.items()}
    release = next((r for r in RELEASES if _is_generator_of(r, ours)), None)
    recipe, options = (release.recipe, release.options(ours)) if release else (None, {})
    return Description(prefix, "run", recipe, options, sources, ours, averaged)


def _unescape(name: str) -> str:
    """tf.train.Checkpoint writes a dot in a dictionary's key as two and a slash as `.S`."""
    return re.sub(r"\.(\.|S)", lambda match: "." if match[1] == "." else "/", name)


def _is_generator_of(release: Release, ours) -> bool:
    """Most of the generator's names are there (some may be missing, to be named later) and the shapes are its own."""
    names = release.networks["generator"].values()
    return 2 * sum(name in ours for name in names) > len(names) and release.matches(ours)


def _to_ours(description):
    """(our name, array of the checkpoint) -> array as our weight of that name holds it."""
    return _release(description.recipe).to_ours if description.kind == "release" else lambda name, value: value


def _release(recipe: str) -> Release:
    for release in RELEASES:
        if release.recipe == recipe:
            return release
    raise ValueError(f"`recipe` must be one of {', '.join(RELEASE_NAMES)}. Received: {recipe!r}")


def _stranger(shapes) -> str:
    names = sorted(n for n in shapes if not is_training_state(n) and n != "_CHECKPOINTABLE_OBJECT_GRAPH")
    if not names:
        return "a checkpoint without network variables"
    names = [name.replace("/.ATTRIBUTES/VARIABLE_VALUE", "") for name in names]
    return f"a checkpoint of another model ({_count(names, 'variable')}, such as {_some(names, 2)})"


def _readable() -> str:
    *first, last = (f"{r.title} ({'.pth' if r.pytorch else 'TensorFlow'})" for r in RELEASES)
    return f"the authors' {', '.join(first)} and {last} checkpoints and runs of its own train.py"


def _count(things, noun) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _some(names, count=3) -> str:
    return ", ".join(map(str, names[:count])) + (", ..." if len(names) > count else "")
