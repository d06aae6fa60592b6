"""Networks filled from a checkpoint: the files that papers' authors released, and this project's own runs.

A checkpoint is described first. Only then are values read. A generator is filled completely or not at all.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from tf_inpaint.checkpoints.checkpoint import open_checkpoint
from tf_inpaint.checkpoints.description import Description, count, describe, some
from tf_inpaint.checkpoints.releases import release_of
from tf_inpaint.errors import InputError

# By layer that reads edges, which of its channels they are: of DeepFill v2, its discriminator, LaMa.
_EDGES_CHANNELS = {
    "coarse.conv1.kernel": 3,
    "conv1.kernel": 4,
    "conv_in.conv.local_to_local.kernel": 4,
    "conv_in.conv.kernel": 4,
}


@dataclass(frozen=True)
class Report:
    """What became of every variable: names are ours, those of `unexpected` the checkpoint's."""

    loaded: tuple = ()
    missing: tuple = ()
    unexpected: tuple = ()
    mis_shaped: tuple = ()  # of (name, shape in the checkpoint, shape here)
    edges: tuple = ()  # loaded, but for what reads edges, which only one side has
    no_discriminator: bool = False  # in the checkpoint, though one was to be filled; its variables are not `missing`
    notes: tuple = ()  # of the description

    def __str__(self):
        shapes = [f"{name} is {there} in the checkpoint and {here} here" for name, there, here in self.mis_shaped]
        parts = [f"{count(self.loaded, 'variable')} loaded"]
        for names, shown, what in (
            (self.missing, self.missing, "missing"),
            (self.unexpected, _grouped(self.unexpected), "unexpected"),
            (shapes, shapes, "of another shape"),
        ):
            parts.append(f"{len(names)} {what}" + (f" ({some(shown)})" if names else ""))
        if self.edges:
            parts.append("what reads edges left out or 0")
        if self.no_discriminator:
            parts.append("no discriminator there")
        parts += self.notes
        return ", ".join(parts)


def load_weights(checkpoint, generator=None, discriminator=None, averaged=True) -> Report:
    """Fills networks from a checkpoint, the authors' or a run's; colours and axes are turned where needed.

    A run's generator is filled from its moving average where it kept one. Discriminators take what fits: some releases
    have none, others have a local patch of another size, and the report says so. DeepFill v2 and LaMa may go from
    guided to not guided and back: they complete as before where there are no edges.

    Args:
        checkpoint: a `Checkpoint`, or what `open_checkpoint` takes.
        generator, discriminator: built models; None leaves that network out.
        averaged: False takes the generator's own weights even where a moving average was kept.
    Returns:
        The report.
    Raises:
        InputError: if the checkpoint is unreadable or of another model, cannot fill the generator, or has values that
            are not finite; no weight has changed then.
    """
    from tf_inpaint.models.weights import named_weights

    checkpoint = open_checkpoint(checkpoint)
    description = describe(checkpoint, averaged)
    models = {"generator": generator, "discriminator": discriminator}
    weights = {network: named_weights(model) for network, model in models.items() if model is not None}
    wanted = {network: {n: tuple(w.shape) for n, w in named.items()} for network, named in weights.items()}
    report = compare(description, wanted)
    if generator is not None:
        needed = compare(description, {"generator": wanted["generator"]})
        if needed.missing or needed.mis_shaped:
            raise InputError(f"{checkpoint.path} cannot fill the generator: {needed}")

    variables = {name: variable for named in weights.values() for name, variable in named.items()}
    theirs = {name: source for names in description.sources.values() for name, source in names.items()}
    ours = {theirs[name]: name for name in report.loaded}
    values = {ours[source]: description.to_ours(ours[source], value) for source, value in checkpoint.read(ours)}
    for name in report.edges:
        values[name] = _with_or_without_edges(name, values[name], variables[name].shape)
    with np.errstate(over="ignore"):
        values = {name: np.asarray(value, variables[name].dtype.as_numpy_dtype) for name, value in values.items()}
    broken = [name for name, value in values.items() if value.dtype.kind == "f" and not np.isfinite(value).all()]
    if broken:
        raise InputError(
            f"{checkpoint.path} has values that are not finite numbers, in {some(broken)}: take an earlier checkpoint"
        )
    for name, value in values.items():
        variables[name].assign(value)
    return report


def compare(description: Description, wanted) -> Report:
    """What filling networks from a checkpoint would do, from names and shapes alone.

    Args:
        description: of the checkpoint.
        wanted: "generator" and/or "discriminator" -> {our weight name: shape}.
    """
    loaded, missing, mis_shaped, edges = [], [], [], []
    unexpected = list(description.unexpected)
    no_discriminator = "discriminator" in wanted and not description.sources["discriminator"]
    for network, shapes in wanted.items():
        if no_discriminator and network == "discriminator":
            continue
        for name, shape in shapes.items():
            if name not in description.sources[network]:
                missing.append(name)
            elif description.shapes[name] == tuple(shape):
                loaded.append(name)
            elif _differs_by_edges(name, description.shapes[name], tuple(shape)):
                loaded.append(name)
                edges.append(name)
            else:
                mis_shaped.append((name, description.shapes[name], tuple(shape)))
        unexpected += [theirs for name, theirs in description.sources[network].items() if name not in shapes]
    found = map(tuple, (loaded, missing, unexpected, mis_shaped, edges))
    return Report(*found, no_discriminator, tuple(description.notes))


def _grouped(names):
    """Names, those that begin with the same word before a dot as one."""
    counts = Counter(re.match(r"(?:.*/)?[^./]*", name)[0] for name in names)
    return [f"{word}... {times}" if times > 1 else word for word, times in counts.items()]


def _differs_by_edges(name, theirs, ours):
    return (
        name in _EDGES_CHANNELS
        and min(theirs[2], ours[2]) >= _EDGES_CHANNELS[name]
        and abs(theirs[2] - ours[2]) == 1
        and (*theirs[:2], theirs[3]) == (*ours[:2], ours[3])
    )


def _with_or_without_edges(name, kernel, shape):
    """`kernel` in `shape`: what it reads of edges is left out, or 0. Without edges both compute the same."""
    channel = _EDGES_CHANNELS[name]
    if kernel.shape[2] > shape[2]:
        return np.delete(kernel, channel, axis=2)
    return np.insert(kernel, channel, 0.0, axis=2)


def to_release_arrays(generator, discriminator=None, recipe="deepfill_v1") -> dict[str, np.ndarray]:
    """Our weights as the authors' checkpoint would hold them: {their variable name: array, BGR if theirs are}.

    LaMa's counts of batches, which PyTorch's normalisations keep and nothing uses, are not among them.

    Args:
        generator, discriminator: built models; no discriminator leaves its variables out.
        recipe: whose release.
    """
    from tf_inpaint.models.weights import named_weights

    release = release_of(recipe)
    arrays = {}
    for network, model in (("generator", generator), ("discriminator", discriminator)):
        if model is not None:
            named = named_weights(model)
            for theirs, name in release.names(network, named).items():
                arrays[theirs] = release.to_theirs(name, named[name].numpy())
    return arrays
