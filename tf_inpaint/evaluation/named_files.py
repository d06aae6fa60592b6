"""Files that belong together by their names: images, masks of theirs, completions of theirs."""

from __future__ import annotations

import hashlib
import os
from typing import Iterable, Sequence

from tf_inpaint.errors import InputError


def stem(name: str) -> str:
    """A name without its ending."""
    return os.path.splitext(name)[0]


class NamedFiles:
    """Files by their names below a folder.

    Args:
        files: paths.
        root: the folder.
    Attributes:
        files: paths, as given.
        names: below the folder, with endings and slashes.
        digest: SHA-256 of names and sizes, not of what is in them: there may be millions.
    """

    def __init__(self, files: Sequence[str], root: str):
        self.files = files
        self.names = [os.path.relpath(file, root).replace(os.sep, "/") for file in files]
        self._by_stem: dict[str, list[str]] = {}
        for name, file in zip(self.names, files):
            self._by_stem.setdefault(stem(name), []).append(file)
        sizes = [os.path.getsize(file) if os.path.exists(file) else 0 for file in files]
        self.digest = hashlib.sha256(repr(list(zip(self.names, sizes))).encode()).hexdigest()

    def of(self, name: str) -> str | None:
        """The file of an image's name, whatever its ending; None where there is none.

        Raises:
            InputError: if there are several.
        """
        first, *others = self._by_stem.get(stem(name), [None])
        if others:
            raise InputError(f"which belongs to {name}, {first} or {others[0]}? Leave one of them")
        return first

    def count(self, names: Iterable[str]) -> int:
        """How many of the images' names have a file."""
        return sum(self.of(name) is not None for name in names)


def files_digest(files: Iterable[str]) -> str:
    """SHA-256 of the contents of files, one after the other."""
    digest = hashlib.sha256()
    for path in files:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
