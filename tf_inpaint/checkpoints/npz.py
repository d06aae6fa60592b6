"""A generator in one small file, with what is needed to use it: the weights that ship with the package.

It is an .npz archive: each weight under its name, as float16 or float32, and "about.json". Reading needs NumPy alone
and runs nothing that the file holds.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from tf_inpaint.errors import InputError
from tf_inpaint.io.atomic import write_whole

ENDING = ".npz"
_ABOUT = "about.json"
_FORMAT = 2  # 1: without residuals


class About(NamedTuple):
    """What a weight file says of itself.

    Attributes:
        recipe: key of `RECIPES`.
        options: of the recipe, all of them.
        trained_size: side of the images trained on last.
        text: one line for people.
        residuals: strength of contextual residual aggregation that suits them, in [0, 1].
    """

    recipe: str
    options: dict
    trained_size: int
    text: str
    residuals: float = 0.0


def write_weight_file(path: str, weights, about: About, half: bool = True) -> None:
    """Writes a file as a whole or not at all.

    Args:
        path: ends in .npz; a file of that name is replaced.
        weights: name -> float array.
        about: see `About`.
        half: keep the weights as float16.
    Raises:
        InputError: if it cannot be written there.
    """
    contents = {name: np.asarray(value, np.float16 if half else np.float32) for name, value in weights.items()}
    notes = json.dumps({"format": _FORMAT, **about._asdict()})
    contents[_ABOUT] = np.frombuffer(notes.encode(), np.uint8)
    archive = io.BytesIO()
    np.savez_compressed(archive, **contents)
    write_whole(path, archive.getbuffer())


def read_about(path: str) -> About:
    """What the file at `path` says of itself.

    Raises:
        InputError: if it is no weight file of this project, or one of a later version.
    """
    with _opened(path) as archive:
        return _about(archive, path)


def read_weight_file(path: str) -> tuple[About, dict[str, np.ndarray]]:
    """What the file says of itself, and name -> array, float16 or float32, of every weight in it.

    Raises:
        InputError: as `read_about`, or if a weight is damaged.
    """
    with _opened(path) as archive:
        return _about(archive, path), {name: archive[name] for name in archive.files if name != _ABOUT}


def _about(archive, path):
    if _ABOUT not in archive.files:
        raise InputError(f"{path} is an archive of arrays, but not weights of this project: it has no {_ABOUT}")
    notes = json.loads(archive[_ABOUT].tobytes())
    if notes.pop("format") > _FORMAT:
        raise InputError(f"{path} was written by a later version of tf_inpaint, which this one cannot read")
    return About(**notes)


@contextmanager
def _opened(path):
    """np.load whose failures, also while arrays are read, are one sentence."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            yield archive
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} cannot be read as weights ({error}); the file is damaged or incomplete") from error
