"""A generator in one small file, with what is needed to use it: the weights that ship with the package.

It is an .npz archive: each weight under its name, as float16 or float32, and "about.json". Reading needs NumPy alone
and runs nothing that the file holds.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from tf_inpaint.errors import InputError, shortened
from tf_inpaint.io.atomic import write_whole

ENDING = ".npz"
_ABOUT = "about.json"
_FORMAT = 4  # 1: without residuals; 2: without texture; 3: without edges_drop
_KINDS = (np.dtype(np.float16), np.dtype(np.float32))
_EXPANSION, _ALWAYS = 100, 1 << 26  # an archive may unpack to so many times its size, or to so many bytes
_LONGEST_ABOUT = 1 << 20  # bytes


class About(NamedTuple):
    """What a weight file says of itself.

    Attributes:
        recipe: key of `RECIPES`.
        options: of the recipe, all of them.
        trained_size: side of the images trained on last.
        text: one line for people.
        residuals: strength of contextual residual aggregation that suits them, in [0, 1].
        texture: "none" or "patches", which of `Inpainter`'s suits them.
        edges_drop: fraction of the images trained on that came without edges, of a guided model, in [0, 1].
    """

    recipe: str
    options: dict
    trained_size: int
    text: str
    residuals: float = 0.0
    texture: str = "none"
    edges_drop: float = 0.0


def write_weight_file(path: str, weights, about: About, half: bool = True) -> None:
    """Writes a file as a whole or not at all.

    Args:
        path: ends in .npz; a file of that name is replaced.
        weights: name -> float array.
        about: see `About`.
        half: keep the weights as float16.
    Raises:
        InputError: if it cannot be written there, or a weight is too large for float16.
    """
    with np.errstate(over="ignore"):
        contents = {name: np.asarray(value, np.float16 if half else np.float32) for name, value in weights.items()}
    for name, value in contents.items():
        if not np.isfinite(value).all() and np.isfinite(weights[name]).all():
            raise InputError(f"{name} has values too large for float16: keep float32")
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
        return _about(archive, path), {name: archive.read(name) for name in archive.names if name != _ABOUT}


def _about(archive, path):
    if _ABOUT not in archive.names:
        raise InputError(f"{path} is an archive of arrays, but not weights of this project: it has no {_ABOUT}")
    notes = json.loads(archive.read(_ABOUT, (np.dtype(np.uint8),), _LONGEST_ABOUT).tobytes())
    if notes.pop("format") > _FORMAT:
        raise InputError(f"{path} was written by a later version of tf_inpaint, which this one cannot read")
    about = About(**notes)
    size = about.trained_size
    if not (isinstance(about.recipe, str) and isinstance(about.options, dict) and isinstance(about.text, str)):
        raise ValueError("it does not say what it is")
    if type(size) is not int or not 1 <= size < 1 << 16:
        raise ValueError("its trained_size is impossible")
    for name in ("residuals", "edges_drop"):
        value = getattr(about, name)
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise ValueError(f"its {name} are impossible")
    if about.texture not in ("none", "patches"):
        raise ValueError("its texture is impossible")
    return about


class _Arrays:
    """The arrays of an archive, none of which is unpacked before what it claims has been held against the file."""

    def __init__(self, archive, length):
        self._archive = archive
        self._members = {member.filename: member for member in archive.infolist()}
        if len(self._members) < len(archive.infolist()) or not all(name.endswith(".npy") for name in self._members):
            raise ValueError("it holds other files, or two of one name")
        if sum(member.file_size for member in self._members.values()) > max(_EXPANSION * length, _ALWAYS):
            raise ValueError("it claims to hold far more than its size allows")
        self.names = [name[: -len(".npy")] for name in self._members]

    def read(self, name, kinds=_KINDS, longest=None):
        """The array of a name, of one of these kinds of numbers."""
        member = self._members[f"{name}.npy"]
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{_shown(name)} is compressed in an unknown way")
        with self._archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            read_head = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            if version not in read_head:
                raise ValueError(f"{_shown(name)} is of an unknown version")
            shape, fortran, kind = read_head[version](file)
            if kind not in kinds:
                raise ValueError(f"{_shown(name)} holds {kind} where weights are float16 or float32")
            count = 1
            for side in shape:
                count *= side
            left = member.file_size - file.tell()
            if min(shape, default=0) < 0 or count * kind.itemsize != left or (longest and left > longest):
                raise ValueError(f"{_shown(name)} is not of the size that it claims")
            array = np.frombuffer(bytearray(file.read(left)), kind)
            if file.read(1) or array.size != count:
                raise ValueError(f"{_shown(name)} ends too early")
        array = array.reshape(shape, order="F" if fortran else "C")
        if kind.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{_shown(name)} has values that are not finite numbers")
        return array


def _shown(name):
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:80]


@contextmanager
def _opened(path):
    """An archive's arrays; failures, also while they are read, are one sentence."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield _Arrays(archive, os.path.getsize(path))
    except InputError:
        raise
    except Exception as error:  # heads that are none raise whatever they happen to mean to Python's own parser
        said = shortened(str(error), 120) or type(error).__name__
        raise InputError(f"{path} cannot be read as weights ({said}); the file is damaged or incomplete") from error
