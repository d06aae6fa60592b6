"""What a checkpoint is, told by names and shapes alone: whose, of which model, and which variable is which."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tf_inpaint.checkpoints.checkpoint import open_checkpoint
from tf_inpaint.checkpoints.releases import RELEASES, is_training_state, release_of
from tf_inpaint.checkpoints.runs import parse_weight, without_suffix
from tf_inpaint.errors import InputError


@dataclass(frozen=True)
class Description:
    """What a checkpoint is, told by its variables.

    Attributes:
        path: where it is.
        kind: "release" (the authors') or "run" (this project's).
        recipe: key of `RECIPES`; None for a run whose generator is in no table (its config tells).
        options: what the shapes tell about the recipe's options, such as width and critic_width.
        sources: "generator" and "discriminator" -> {our weight name: the checkpoint's variable name}.
        shapes: our weight name -> shape, of every weight in `sources`.
        averaged: the generator's weights are the run's moving average.
        unexpected: names of variables that are neither weights nor training state.
        notes: what a file beside it says otherwise, a sentence each.
    """

    path: str
    kind: str
    recipe: str | None
    options: dict
    sources: Mapping[str, Mapping[str, str]]
    shapes: Mapping[str, tuple]
    averaged: bool = False
    unexpected: tuple = ()
    notes: tuple = ()

    def __str__(self):
        title = "the model its config.yml names" if self.recipe is None else release_of(self.recipe).title
        what = f"{title} release" if self.kind == "release" else f"tf_inpaint run of {title}"
        details = [f"{name} {value}" for name, value in self.options.items()]
        details.append("with discriminators" if self.sources["discriminator"] else "without discriminators")
        if self.averaged:
            details.append("averaged weights")
        return f"{what} ({', '.join(details)})"

    def to_ours(self, name, value):
        """An array of the checkpoint as our weight `name` holds it."""
        return release_of(self.recipe).to_ours(name, value) if self.kind == "release" else value


def describe(checkpoint, averaged=True) -> Description:
    """Tells what a checkpoint is.

    Args:
        checkpoint: a `Checkpoint`, or what `open_checkpoint` takes.
        averaged: False passes over the moving average where a run kept one.
    Raises:
        InputError: if there is none, or it is unreadable, or belongs to no model of this project.
    """
    checkpoint = open_checkpoint(checkpoint)
    shapes = checkpoint.shapes
    if not averaged:
        shapes = {name: shape for name, shape in shapes.items() if not name.startswith("ema/")}
    description = describe_shapes(shapes, checkpoint.path)
    if description.kind == "run":
        return description
    notes = release_of(description.recipe).notes(checkpoint.path, description.options)
    return replace(description, notes=tuple(notes))


def describe_shapes(shapes, path="the checkpoint") -> Description:
    """`describe` from a dict of name -> shape; `path` is only for messages."""
    shapes = {name: tuple(shape) for name, shape in shapes.items()}
    run = _describe_run(shapes, path)
    if run is not None:
        return run
    for release in RELEASES:
        sources = release.find(shapes)
        known = {theirs: ours for names in sources.values() for ours, theirs in names.items()}
        ours = {name: release.our_shape(name, shapes[theirs]) for theirs, name in known.items()}
        if release.owns(ours):
            others = (n for n in shapes if n not in known and not re.fullmatch(release.unused, n))
            unexpected = tuple(sorted(name for name in others if not is_training_state(name)))
            options = release.options(ours)
            beside = os.path.commonprefix(list(sources["generator"].values()))
            more = [name for name in unexpected if name.startswith(beside)]
            if release.closed and more:
                raise InputError(
                    f"{path} is of a {release.title} that this project does not have, with {some(more)}: its other "
                    "variables alone would complete otherwise"
                )
            return Description(path, "release", release.recipe, options, sources, ours, unexpected=unexpected)
    raise InputError(f"{path} is {_stranger(shapes)}, which this version cannot use: it reads {_readable()}")


def _describe_run(shapes, path) -> Description | None:
    found = {"generator": {}, "discriminator": {}, "ema": {}}
    for key in shapes:
        weight = parse_weight(key)
        if weight is not None:
            network, name = weight
            found[network][name] = key
    if not found["generator"]:
        return None
    averaged = bool(found["ema"])
    sources = {"generator": {**found["generator"], **found["ema"]}, "discriminator": found["discriminator"]}
    ours = {name: shapes[key] for names in sources.values() for name, key in names.items()}
    release = next((r for r in RELEASES if r.owns(ours)), None)
    recipe, options = (release.recipe, release.options(ours)) if release else (None, {})
    return Description(path, "run", recipe, options, sources, ours, averaged)


def _stranger(shapes) -> str:
    names = sorted(n for n in shapes if not is_training_state(n) and n != "_CHECKPOINTABLE_OBJECT_GRAPH")
    if not names:
        return "a checkpoint without network variables"
    names = [without_suffix(name) for name in names]
    return f"a checkpoint of another model ({count(names, 'variable')}, such as {some(names, 2)})"


def _readable() -> str:
    *first, last = (f"{r.title} ({'PyTorch' if r.pytorch else 'TensorFlow'})" for r in RELEASES)
    return f"the authors' {', '.join(first)} and {last} checkpoints and runs of its own train.py"


def count(things, noun) -> str:
    """ "1 variable", "2 variables"."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def some(names, count=3) -> str:
    """The first few names."""
    return ", ".join(map(str, names[:count])) + (", ..." if len(names) > count else "")
