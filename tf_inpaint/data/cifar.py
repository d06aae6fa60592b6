"""CIFAR-10 as it is downloaded: the "python version", an archive or the folder unpacked from it."""

from __future__ import annotations

import os
import pickle
import re
import tarfile
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
import tensorflow as tf

from tf_inpaint.data.reader import ImageFiles
from tf_inpaint.errors import InputError

ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")  # labels 0 .. 9
_ARCHIVE = re.compile(r"cifar-10-python.*\.(tar\.gz|tgz|tar)$")
_BATCHES = {"train": re.compile(r"data_batch_\d+$"), "test": re.compile(r"test_batch$")}
# What the pickles of NumPy arrays are made of; everything else is refused, as a pickle can run any code.
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
}


class CifarImages(ImageFiles):
    """CIFAR-10's images, held in memory: 150 MB."""

    def __init__(self, source, part: str, setting: str, max_broken_fraction: float, labels: Sequence[int]):
        pixels, names = read_cifar(source, part, labels)
        with tf.device("CPU:0"):
            self._pixels = tf.constant(pixels)
        super().__init__(names, setting, max_broken_fraction)

    def check(self, index):
        """Nothing is left to look at."""

    def decode(self, index):
        return {"image": self._pixels[index]}


def is_cifar(source) -> bool:
    """Whether a path is a CIFAR-10 archive, by its name, or such a folder, by its files."""
    if not isinstance(source, (str, os.PathLike)):
        return False
    if os.path.isdir(source):
        return os.path.isfile(os.path.join(source, "data_batch_1"))
    return _ARCHIVE.search(os.path.basename(os.fspath(source))) is not None


def labels_of(classes: str | Sequence[str]) -> Sequence[int]:
    """The labels of some of `CLASSES`; all of them without any.

    Raises:
        InputError: if one has no such name.
    """
    classes = (classes,) if isinstance(classes, str) else classes
    strangers = [name for name in classes if name not in CLASSES]
    if strangers:
        raise InputError(f"CIFAR-10 has the classes {', '.join(CLASSES)}, but no {strangers[0]!r}")
    return [CLASSES.index(name) for name in classes] or range(len(CLASSES))


def read_cifar(source, part: str, labels: Sequence[int] = range(len(CLASSES))) -> tuple[np.ndarray, list[str]]:
    """The images of one part.

    Args:
        source: see `is_cifar`.
        part: "train" (50,000 images) or "test" (10,000).
        labels: of the classes wanted.
    Returns:
        (uint8 [N, 32, 32, 3], RGB; N names for messages).
    Raises:
        InputError: if it is not there, damaged, or holds anything but arrays, or no image of these labels.
    """
    batches = [_read_batch(name, file, labels) for name, file in _files(os.fspath(source), _BATCHES[part])]
    if not any(names for _, names in batches):
        kinds = ", ".join(CLASSES[label] for label in labels)
        raise InputError(f"{source} holds no {part} images of {kinds} of CIFAR-10's python version")
    pixels = np.concatenate([pixels for pixels, _ in batches])
    return pixels, [name for _, names in batches for name in names]


def _files(source: str, wanted: re.Pattern):
    """(name, open file) of every batch, in order."""
    try:
        if os.path.isdir(source):
            for name in sorted(filter(wanted.match, os.listdir(source))):
                with open(os.path.join(source, name), "rb") as file:
                    yield os.path.join(source, name), file
            return
        with tarfile.open(source) as archive:
            members = {os.path.basename(member.name): member for member in archive.getmembers() if member.isfile()}
            for name in sorted(filter(wanted.match, members)):
                yield f"{source}:{name}", archive.extractfile(members[name])
    except FileNotFoundError:
        raise InputError(f"{source} does not exist; it is to be had from {ADDRESS}") from None
    except (OSError, EOFError, tarfile.TarError) as error:
        raise InputError(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _read_batch(name: str, file: BinaryIO, labels: Sequence[int]) -> tuple[np.ndarray, list[str]]:
    try:
        batch = _Unpickler(file, encoding="bytes").load()
        pixels, names = np.asarray(batch[b"data"]), batch[b"filenames"]
        pixels, of_images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), batch[b"labels"]
        if pixels.dtype != np.uint8 or not len(names) == len(of_images) == len(pixels):
            raise ValueError(f"{len(names)} names and {len(of_images)} labels for {pixels.dtype} {pixels.shape}")
    except Exception as error:  # a damaged pickle can raise anything
        raise InputError(f"{name} is no batch of CIFAR-10's python version ({error})") from error
    wanted = np.flatnonzero(np.isin(of_images, labels))
    return np.ascontiguousarray(pixels[wanted]), [f"{name}:{names[i].decode(errors='replace')}" for i in wanted]


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no array needs")
        return super().find_class(module, name)
