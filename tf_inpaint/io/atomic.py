"""Files that are there as a whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
import secrets

from tf_inpaint.errors import InputError, reason


def write_whole(path: str, contents) -> None:
    """Writes a file, and its folders, under a hidden name first.

    Args:
        path: of the file; one of that name is replaced.
        contents: bytes, or what has their buffer.
    Raises:
        InputError: if it cannot be written there; nothing half-written is left.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(6)}.part")
    try:
        os.makedirs(folder or os.curdir, exist_ok=True)
        with open(temporary, "xb") as file:
            file.write(contents)
        os.replace(temporary, path)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{path} cannot be written: {folder} is not a folder") from error
    except OSError as error:
        raise InputError(f"{path} cannot be written: {reason(error)}") from error
    finally:
        try:
            os.unlink(temporary)  # gone already where all went well
        except OSError:
            pass
