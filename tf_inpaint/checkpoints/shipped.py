"""Weights that came with the package, by name."""

from __future__ import annotations

import os
from pathlib import Path

from tf_inpaint.checkpoints.npz import ENDING, read_about
from tf_inpaint.errors import InputError

DEFAULT_WEIGHTS = "photos"  # what completes when nothing is asked for, with edges and without
WITH_ATTENTION = "photos_v1"  # has a first stage, attention to show, and residuals
SMALL_WEIGHTS = "photos_v1"  # what a page loads that completes in the browser
TERMS = {"photos_v1": "most of its training images are licensed for research only"}  # what users have to know
RETIRED = {"photos_guided": "photos", "photos_open": "photos", "faces": "photos"}  # what once shipped -> what to take
_FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "weights")


def default_weights(residuals=None, attention="exact", stages=False) -> str:
    """The weights taken where none are named.

    Args:
        residuals, attention: as `Inpainter.load` takes them.
        stages: whether the first stage or what attention looked at is to be shown.
    """
    return WITH_ATTENTION if residuals or attention == "coarse" or stages else DEFAULT_WEIGHTS


def shipped_weights() -> dict[str, str]:
    """Name -> file of the weights that came with the package."""
    names = sorted(os.listdir(_FOLDER)) if os.path.isdir(_FOLDER) else []
    return {name[: -len(ENDING)]: os.path.join(_FOLDER, name) for name in names if name.endswith(ENDING)}


def shipped_file(name=None) -> str:
    """The file of the weights of that name; without one, of the default ones.

    Raises:
        InputError: if none are called so.
    """
    name, files = name or DEFAULT_WEIGHTS, shipped_weights()
    if name not in files and name in RETIRED:
        raise InputError(f"the weights {name} no longer come with the package: take {RETIRED[name]}")
    if name not in files:
        raise InputError(f"there are no weights named {name!r}; shipped are: {', '.join(files) or 'none'}")
    return files[name]


def graph_file(path) -> Path | None:
    """The file, beside the default weights, of the graph that completes with them; None of other weights."""
    return Path(path).with_suffix(".graph") if shipped_weights().get(DEFAULT_WEIGHTS) == path else None


def terms_of(path) -> str:
    """`TERMS` of a file of shipped weights; "" of others."""
    return next((terms for name, terms in TERMS.items() if shipped_weights().get(name) == path), "")


def list_weights() -> str:
    """A line for each of the weights that came with the package."""
    abouts = {name: read_about(file) for name, file in shipped_weights().items()}
    width = max(map(len, abouts), default=0)
    notes = {DEFAULT_WEIGHTS: " (default)", **{name: f" ({terms})" for name, terms in TERMS.items()}}
    lines = [f"{name:<{width}}  {about.text}{notes.get(name, '')}" for name, about in abouts.items()]
    return "\n".join(lines) or "no weights are shipped"
