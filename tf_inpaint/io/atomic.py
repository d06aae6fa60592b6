"""Files that are there as a whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from pathlib import Path
from typing import Iterable, Iterator

from tf_inpaint.errors import InputError, reason

_UNFINISHED = re.compile(r"\..*\.[0-9a-f]{12}\.part", re.DOTALL)


def refuse_overwriting(outputs: Iterable[str], inputs: Iterable[str | None]) -> None:
    """Refuses, by an InputError, files that would be written over one that is read, or over each other."""
    read, written = {os.path.realpath(path) for path in inputs if path}, set()
    for output in outputs:
        path = os.path.realpath(output)
        if path in read:
            raise InputError(f"{output} is one of the inputs and would be overwritten: choose another output")
        if path in written:
            raise InputError(f"{output} would be written twice: choose different outputs")
        written.add(path)


def write_whole(path: str | os.PathLike, contents) -> None:
    """Writes a file, and its folders, as `replace` does.

    Raises:
        InputError: if it cannot be written there; nothing half-written is left.
    """
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder or os.curdir, exist_ok=True)
        replace(path, contents)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{path} cannot be written: {folder} is not a folder") from error
    except OSError as error:
        raise InputError(f"{path} cannot be written: {reason(error)}") from error


def replace(path: str | os.PathLike, contents, durable: bool = False) -> None:
    """Writes a file under a hidden name first, and then puts it in its place.

    Args:
        path: of the file, in a folder that is there; one of that name is replaced.
        contents: text, bytes, or what has their buffer.
        durable: whether it is on the disk, and not only in the system's memory, before it takes its place.
    Raises:
        OSError: if it cannot be written there; nothing half-written is left.
    """
    with unfinished(path) as temporary, open(temporary, "xb") as file:
        file.write(contents.encode() if isinstance(contents, str) else contents)
        if durable:
            file.flush()
            os.fsync(file.fileno())


@contextlib.contextmanager
def unfinished(path: str | os.PathLike) -> Iterator[str]:
    """Context with a hidden name to write a file under, which takes its place where that went well."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{_start(name)}.{secrets.token_hex(6)}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # gone already where all went well


def remove_unfinished(folder: str | os.PathLike, rested: float = 0) -> None:
    """Deletes what killed processes left of `replace` in a folder, which need not be there.

    Args:
        folder: where nobody else writes, unless `rested` says how old remains are.
        rested: seconds since their last change, by the clock of this machine.
    """
    for remains in Path(folder).glob(".*.part"):
        if _UNFINISHED.fullmatch(remains.name):
            with contextlib.suppress(OSError):
                if time.time() - remains.stat().st_mtime >= rested:
                    remains.unlink()


def _start(name: str) -> str:
    """The first of a file's name: systems count 255 bytes, not letters."""
    return os.fsencode(name)[:100].decode(errors="ignore")
