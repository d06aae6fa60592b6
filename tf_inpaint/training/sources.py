"""What a run's images are, by their contents and not by how they are called: whether a run goes on with the same."""

from __future__ import annotations

import hashlib
import os

from tf_inpaint.errors import InputError
from tf_inpaint.io.listing import list_files

SOURCES = ("data.train", "data.validation", "data.edges_folder", "mask.files")
_SAMPLE = 64  # files whose size and beginning are looked at; of all others the name counts
_BEGINNING = 1 << 16


def fingerprints(values) -> dict[str, dict]:
    """{key: what its files are} of the sources in a flat config; None for one that cannot be listed.

    The same files in the same order below another folder have the same fingerprint.
    """
    return {key: _fingerprint(values[key]) for key in SOURCES if values.get(key)}


def _fingerprint(source):
    try:
        files = [os.path.abspath(file) for file in _files(source)]
        root = os.path.commonpath([os.path.dirname(file) for file in files])
        names, sample = hashlib.sha256(), hashlib.sha256()
        for file in files:
            names.update(os.fsencode(file[len(root) :]) + b"\0")
        for index in sorted({number * len(files) // _SAMPLE for number in range(_SAMPLE)}):
            with open(files[index], "rb") as file:
                sample.update(b"%d\0" % os.path.getsize(files[index]) + file.read(_BEGINNING))
    except (InputError, OSError, ValueError):
        return None
    return {"count": len(files), "names": names.hexdigest()[:16], "sample": sample.hexdigest()[:16]}


def _files(source):
    try:
        return list_files(source)
    except InputError:
        if isinstance(source, str) and os.path.isdir(source):  # CIFAR-10's, which are no image files
            return sorted(entry.path for entry in os.scandir(source) if entry.is_file())
        raise


def changes(before, now) -> list[str]:
    """A line for each source that is not what it was."""
    lines = []
    for key, there in now.items():
        was = before.get(key)
        if was and there and was != there:
            counts = f"{was['count']} pictures then, {there['count']} now"
            lines.append(
                f"warning: the files of {key} have changed since this run began ({counts}): what follows is not what "
                "the run would have been without that"
            )
    return lines
