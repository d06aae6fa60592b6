"""TensorFlow checkpoints on disk: found from whatever a user points at, listed, read; each failure is one sentence.

A checkpoint is a `prefix`: the files `<prefix>.index` and `<prefix>.data-00000-of-00001` (or more shards). Finding one
needs no TensorFlow; reading does.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator

from tf_inpaint.errors import InputError

STATE_FILE = "checkpoint"
RUN_SUBFOLDER = "checkpoints"


def find_checkpoint(path) -> str:
    """The prefix of the checkpoint that `path` means.

    Args:
        path: a folder (its state file `checkpoint` decides, else the highest step), a run folder (its `checkpoints/`),
            a prefix, or one of the files `.index`, `.data-...`, `.meta`, `checkpoint`.
    Returns:
        prefix: `<prefix>.index` and all its data files exist.
    Raises:
        InputError: if there is none, or a data file is missing.
    """
    path = os.fspath(path)
    if os.path.basename(path) == STATE_FILE and os.path.isfile(path):
        path = os.path.dirname(path) or "."
    if os.path.isdir(path):
        prefix = _in_folder(path)
    else:
        prefix = re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", path)
        if not os.path.isfile(prefix + ".index"):
            raise InputError(_nothing_at(path, prefix))
    _check_data(prefix)
    return prefix


def read_shapes(prefix) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every variable of a checkpoint; the values are not read."""
    return {name: tuple(shape) for name, shape in _open(prefix).get_variable_to_shape_map().items()}


def read_values(prefix, names) -> Iterator[tuple[str, object]]:
    """(name, array) of the named variables of a checkpoint, one after the other."""
    reader = _open(prefix)
    for name in names:
        try:
            value = reader.get_tensor(name)
        except Exception as error:  # TensorFlow's reader raises IndexError, RuntimeError and OpError, by kind of damage
            raise InputError(
                f"{prefix}: the data of variable {name} cannot be read ({error}); the file is damaged or incomplete"
            ) from error
        yield name, value


def _open(prefix):
    import tensorflow as tf

    try:
        return tf.train.load_checkpoint(prefix)
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        raise InputError(f"{prefix}.index cannot be read as a TensorFlow checkpoint ({error})") from error


def _in_folder(folder: str) -> str:
    named = _named_by_state_file(folder)
    if named is not None and os.path.isfile(named + ".index"):
        return named
    prefixes = [name[: -len(".index")] for name in glob.glob(os.path.join(glob.escape(folder), "*.index"))]
    if prefixes:
        return max(prefixes, key=_age)
    inner = os.path.join(folder, RUN_SUBFOLDER)
    if os.path.isdir(inner):
        return _in_folder(inner)
    if named is not None:
        raise InputError(f"the state file in {folder} names {os.path.basename(named)}, but {named}.index is missing")
    if glob.glob(os.path.join(glob.escape(folder), "*.data-*-of-*")):
        raise InputError(f"{folder} has the data of a checkpoint, but its .index file is missing")
    elsewhere = sorted({os.path.dirname(p) for p in glob.glob(os.path.join(glob.escape(folder), "*", "*.index"))})
    if elsewhere:
        raise InputError(f"{folder} holds no checkpoint itself, but there is one in {' and in '.join(elsewhere[:3])}")
    raise InputError(f"there is no checkpoint in {folder}: no file ends in .index")


def _named_by_state_file(folder: str) -> str | None:
    """The prefix that the state file names, inside this folder.

    State files travel: an absolute path is one of another machine or an older place, only its last part counts.
    """
    try:
        with open(os.path.join(folder, STATE_FILE), encoding="utf-8", errors="replace") as file:
            named = re.search(r'^\s*model_checkpoint_path:\s*"((?:[^"\\]|\\.)*)"', file.read(), re.MULTILINE)
    except OSError:
        return None
    if named is None:
        return None
    path = re.sub(r"\\(.)", r"\1", named[1])
    absolute = path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path)
    return os.path.join(folder, re.split(r"[/\\]", path)[-1] if absolute else path)


def _age(prefix: str) -> tuple[int, float]:
    """Sorts by the step at the end of the name, since copying and unpacking change the times of files."""
    step = re.search(r"(\d+)$", prefix)
    return int(step[1]) if step else -1, os.path.getmtime(prefix + ".index")


def _nothing_at(path: str, prefix: str) -> str:
    if glob.glob(glob.escape(prefix) + ".data-*"):
        return f"{prefix} has data files, but {prefix}.index is missing"
    if os.path.exists(path):
        return f"{path} is not a TensorFlow checkpoint: expected a folder, a prefix or an .index file"
    return f"there is no checkpoint at {path}: neither a folder nor a file {prefix}.index"


def _check_data(prefix: str) -> None:
    shards = [os.path.basename(name) for name in glob.glob(glob.escape(prefix) + ".data-?????-of-?????")]
    if not shards:
        raise InputError(f"the checkpoint {prefix} has no data file: {prefix}.data-00000-of-00001 is missing")
    count = int(shards[0][-5:])
    for shard in range(count):
        name = f"{prefix}.data-{shard:05d}-of-{count:05d}"
        if not os.path.isfile(name):
            raise InputError(f"the checkpoint {prefix} is incomplete: {name} is missing")
