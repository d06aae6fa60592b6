"""Opening a checkpoint: found once, read once, whatever kind of file it is.

This is the only place that knows kinds of files. Opening needs no TensorFlow, so that a wrong path is answered at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from tf_inpaint.checkpoints.index import check_index
from tf_inpaint.checkpoints.locate import (
    NoCheckpointInFolder,
    config_beside,
    critic_file,
    find_saved_model,
    is_torch,
    is_weight_file,
    locate_checkpoint,
)
from tf_inpaint.checkpoints.npz import read_weight_file
from tf_inpaint.checkpoints.runs import weight_key
from tf_inpaint.checkpoints.shipped import RETIRED, shipped_file, shipped_weights
from tf_inpaint.checkpoints.torch import TorchFile
from tf_inpaint.errors import InputError


class Checkpoint:
    """Variables in files, or an exported model; those of an .npz file are named as a run's generator.

    Attributes:
        path: a prefix of TensorFlow's, a file, or the folder of an exported model's version.
        kind: "tensorflow", "pytorch", "npz" or "exported".
        about: the `About` of an .npz file; None for every other kind.
    """

    kind = ""
    about = None

    def __init__(self, path: str):
        self.path = path

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of every variable; an InputError if they are unreadable, or those of an exported model."""
        raise NotImplementedError

    def read(self, names) -> Iterator[tuple[str, np.ndarray]]:
        """(name, array) of the named variables, one after the other; an InputError if one is damaged."""
        raise NotImplementedError

    def refuse_exported(self):
        """InputError if it is an exported model, which keeps its variables to itself."""

    @property
    def config_file(self) -> str | None:
        """The config.yml of the run it belongs to, if there is one."""
        return config_beside(self.path)

    @property
    def files(self) -> list[str]:
        """All its files."""
        folder, name = os.path.split(os.path.abspath(self.path))
        files = [file for file in os.listdir(folder) if file == name or file.startswith(f"{name}.")]
        return sorted(os.path.join(folder, file) for file in files)


class _TensorFlow(Checkpoint):
    kind = "tensorflow"

    @cached_property
    def _reader(self):
        import tensorflow as tf

        check_index(self.path)
        try:
            return tf.train.load_checkpoint(self.path)
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            raise InputError(f"{self.path}.index cannot be read as a TensorFlow checkpoint ({error})") from error

    @property
    def shapes(self):
        return {name: tuple(shape) for name, shape in self._reader.get_variable_to_shape_map().items()}

    def read(self, names):
        for name in names:
            try:
                value = self._reader.get_tensor(name)
            except Exception as error:  # IndexError, RuntimeError or OpError, by kind of damage
                what = f"the data of variable {name} cannot be read ({error})"
                raise InputError(f"{self.path}: {what}; the file is damaged or incomplete") from error
            yield name, value


class _PyTorch(Checkpoint):
    kind = "pytorch"

    def __init__(self, path):
        super().__init__(path)
        critic = critic_file(path)
        # What stands before a variable's name -> its file; those of a discriminator's own file begin with that file's
        # name.
        self._parts = {"": TorchFile(path)}
        if critic is not None:
            self._parts[f"{os.path.basename(critic)}/"] = TorchFile(critic)

    @property
    def shapes(self):
        return {prefix + name: shape for prefix, file in self._parts.items() for name, shape in file.shapes.items()}

    def read(self, names):
        names = list(names)
        for prefix, file in self._parts.items():
            inside = {name[len(prefix) :] for name in names if name.startswith(prefix)}
            for name, value in file.read(name for name in file.shapes if name in inside):
                yield prefix + name, value


class _Npz(Checkpoint):
    kind = "npz"

    def __init__(self, path):
        super().__init__(path)
        self.about, weights = read_weight_file(path)
        self._values = {weight_key(name): value for name, value in weights.items()}

    @property
    def shapes(self):
        return {name: value.shape for name, value in self._values.items()}

    def read(self, names):
        return ((name, self._values[name]) for name in names)


class _Exported(Checkpoint):
    kind = "exported"

    def refuse_exported(self):
        raise InputError(f"{self.path} is exported already: give the checkpoint that it was made from")

    @property
    def shapes(self):
        self.refuse_exported()

    @property
    def files(self):
        return sorted(os.path.join(folder, file) for folder, _, files in os.walk(self.path) for file in files)


def open_checkpoint(path=None, weights=None, *, exported=True) -> Checkpoint:
    """The checkpoint that a user asks for.

    Args:
        path: whatever `locate_checkpoint` takes, from ~ on too; the name of shipped weights where no other checkpoint
            is called so (a folder of images may be); the folder of an exported model or of its versions; or a
            `Checkpoint`, which is given back.
        weights: name of weights shipped with the package. With neither this nor `path`, the default ones.
        exported: False passes over exported models.
    Raises:
        InputError: if both are asked for, what is asked for is not there, or its description cannot be read.
        ValueError: if `path` is none.
    """
    if path is not None and weights is not None:
        raise InputError("checkpoint_dir and weights exclude each other: give one of them")
    if isinstance(path, Checkpoint):
        return path
    if not isinstance(path, (str, os.PathLike, type(None))):
        raise ValueError(f"`checkpoint_dir` must be a path or the name of weights. Received: {path!r}")
    path = None if path is None else os.path.expanduser(path)
    folder = find_saved_model(path) if exported and path is not None else None
    if folder is not None:
        return _Exported(folder)
    if path is None:
        path = shipped_file(weights)
    elif not os.path.exists(path) and os.fspath(path) in {*shipped_weights(), *RETIRED}:
        path = shipped_file(os.fspath(path))
    try:
        path = locate_checkpoint(path)
    except NoCheckpointInFolder:
        if os.fspath(path) not in shipped_weights():
            raise
        path = shipped_file(os.fspath(path))
    kind = _Npz if is_weight_file(path) else _PyTorch if is_torch(path) else _TensorFlow
    return kind(path)
