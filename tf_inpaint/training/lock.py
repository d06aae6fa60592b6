"""One training at a time in a run folder: a lock that the system releases when its holder ends, however that is."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import time
from pathlib import Path

from tf_inpaint.errors import InputError

try:
    import fcntl
except ImportError:  # Windows, where nothing is locked: see docs/reliability.md
    fcntl = None


@contextlib.contextmanager
def locked(folder):
    """Context in which no other process trains in this folder.

    The file `.lock` in it says who does, and since when. Where a file system knows no locks, nothing is locked.

    Raises:
        InputError: if another process does.
    """
    file = _open(Path(folder) / ".lock")
    try:
        yield
    finally:
        if file is not None:
            with contextlib.suppress(OSError):
                os.unlink(file.name)
            with contextlib.suppress(OSError):
                file.close()


def _open(path):
    """The file, locked; None where it cannot be."""
    while fcntl is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "a+", encoding="utf-8")
        except OSError:
            return None  # what cannot be written there is told by whoever writes next
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_still(file, path):  # its last holder has just removed it
                file.close()
                continue
            file.truncate(0)
            file.write(f"{_who()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
            file.flush()
            return file
        except BlockingIOError:
            file.seek(0)
            holder = file.read(300).strip() or "another process"
            file.close()
            raise InputError(
                f"{path.parent} is being trained in by {holder}: wait for it, or give another training.run_folder"
            ) from None
        except OSError:  # a full disk, or a file system without locks
            return file
    return None


def _is_still(file, path):
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    return False


def _who():
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = "an unnamed user"
    return f"process {os.getpid()} of {user} on {socket.gethostname()}"
