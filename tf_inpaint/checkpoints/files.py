"""Checkpoints on disk: found from whatever a user points at, listed, read; each failure is one sentence.

TensorFlow's is a `prefix`: the files `<prefix>.index` and `<prefix>.data-00000-of-00001` (or more shards). Finding one
needs no TensorFlow; reading does. PyTorch's is a file, whose prefix is its whole path; PEN-Net's release keeps its
networks in two, gen_00300.pth and dis_00300.pth: the generator's stands for both. An exported model is a folder of
numbered versions, each a folder with saved_model.pb. Weights in one .npz file (see `checkpoints.npz`) are read as a
run's generator.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator

from tf_inpaint.checkpoints.npz import ENDING, read_about, read_weights
from tf_inpaint.checkpoints.torch import TorchFile, is_torch_file
from tf_inpaint.errors import InputError

STATE_FILE = "checkpoint"
RUN_SUBFOLDER = "checkpoints"
SAVED_MODEL_FILE = "saved_model.pb"
_TORCH_ENDINGS = (".pth", ".pt")
_PEN_NET_FILE = re.compile(r"(gen|dis|opt)_(\d+)\.pth")


def find_checkpoint(path) -> str:
    """The prefix of the checkpoint that `path` means.

    Args:
        path: a folder (its state file `checkpoint` decides, else the highest step), a run folder (its `checkpoints/`),
            a prefix, one of the files `.index`, `.data-...`, `.meta`, `checkpoint`, a PyTorch file, or weights in one
            .npz file.
    Returns:
        prefix: `<prefix>.index` and all its data files exist, or it is a file whose description can be read.
    Raises:
        InputError: if there is none, a data file is missing, or a PyTorch file is none.
    """
    path = os.fspath(path)
    if is_weight_file(path):
        read_about(path)
        return path
    if os.path.basename(path) == STATE_FILE and os.path.isfile(path):
        path = os.path.dirname(path) or "."
    if os.path.isdir(path):
        prefix = _in_folder(path)
    else:
        prefix = re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", path)
        if not os.path.isfile(prefix + ".index"):
            if not os.path.isfile(path) or not (path.endswith(_TORCH_ENDINGS) or is_torch_file(path)):
                raise InputError(_nothing_at(path, prefix))
            prefix = _generator_file(path)
    if _is_torch(prefix):
        with TorchFile(prefix):
            return prefix
    _check_data(prefix)
    return prefix


def is_weight_file(path) -> bool:
    """Whether `path` is a file with weights of this project, by its ending."""
    return path.endswith(ENDING) and os.path.isfile(path)


def find_saved_model(path) -> str | None:
    """The folder of the exported model that `path` means, None if it means none.

    Args:
        path: the folder of a version, its saved_model.pb, or the folder of all versions, whose highest is taken.
    """
    path = os.fspath(path)
    folder = os.path.dirname(path) or "." if os.path.basename(path) == SAVED_MODEL_FILE else path
    if os.path.isfile(os.path.join(folder, SAVED_MODEL_FILE)):
        return folder
    for version in sorted(versions(folder), reverse=True):
        if os.path.isfile(os.path.join(folder, str(version), SAVED_MODEL_FILE)):
            return os.path.join(folder, str(version))
    return None


def versions(folder: str) -> list[int]:
    """The numbers among the names in a folder; none where there is no folder."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [int(name) for name in names if re.fullmatch(r"0|[1-9]\d{0,17}", name)]


def read_shapes(prefix) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every variable of a checkpoint; large files' values are not read."""
    if is_weight_file(prefix):
        return {_as_in_runs(name): value.shape for name, value in read_weights(prefix).items()}
    if _is_torch(prefix):
        shapes = {}
        for before, path in _torch_files(prefix).items():
            with TorchFile(path) as file:
                shapes.update({before + name: shape for name, shape in file.shapes.items()})
        return shapes
    return {name: tuple(shape) for name, shape in _open(prefix).get_variable_to_shape_map().items()}


def read_values(prefix, names) -> Iterator[tuple[str, object]]:
    """(name, array) of the named variables of a checkpoint, one after the other."""
    if is_weight_file(prefix):
        values = {_as_in_runs(name): value for name, value in read_weights(prefix).items()}
        yield from ((name, values[name]) for name in names)
        return
    if _is_torch(prefix):
        names = list(names)
        for before, path in _torch_files(prefix).items():
            with TorchFile(path) as file:
                inside = [name[len(before) :] for name in names if name.startswith(before)]
                for name, value in file.read(name for name in inside if name in file.shapes):
                    yield before + name, value
        return
    reader = _open(prefix)
    for name in names:
        try:
            value = reader.get_tensor(name)
        except Exception as error:  # TensorFlow's reader raises IndexError, RuntimeError and OpError, by kind of damage
            raise InputError(
                f"{prefix}: the data of variable {name} cannot be read ({error}); the file is damaged or incomplete"
            ) from error
        yield name, value


def _as_in_runs(name):
    """A generator's weight as tf.train.Checkpoint names it, which doubles the dots of dictionaries' keys."""
    return f"generator/{name.replace('.', '..')}/.ATTRIBUTES/VARIABLE_VALUE"


def _open(prefix):
    import tensorflow as tf

    try:
        return tf.train.load_checkpoint(prefix)
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        raise InputError(f"{prefix}.index cannot be read as a TensorFlow checkpoint ({error})") from error


def _is_torch(prefix: str) -> bool:
    return os.path.isfile(prefix) and not os.path.isfile(prefix + ".index")


def _torch_files(prefix: str) -> dict[str, str]:
    """What stands before a tensor's name -> its file; the names of the critic's own file begin with its name."""
    files = {"": prefix}
    folder, name = os.path.split(prefix)
    if _PEN_NET_FILE.fullmatch(name):
        critic = name.replace("gen_", "dis_")
        if os.path.isfile(os.path.join(folder, critic)):
            files[f"{critic}/"] = os.path.join(folder, critic)
    return files


def _generator_file(path: str) -> str:
    """The PyTorch file that `path` means: for PEN-Net's dis_00300.pth and opt_00300.pth the gen_00300.pth beside it."""
    folder, name = os.path.split(path)
    part = _PEN_NET_FILE.fullmatch(name)
    if part is None or part[1] == "gen":
        return path
    generator = os.path.join(folder, f"gen_{part[2]}.pth")
    if not os.path.isfile(generator):
        raise InputError(f"{path} holds no generator: {generator}, which belongs to it, is missing")
    return generator


def _torch_file_in(folder: str) -> str | None:
    paths = glob.glob(os.path.join(glob.escape(folder), "*"))
    names = sorted(os.path.basename(path) for path in paths if path.endswith(_TORCH_ENDINGS) and os.path.isfile(path))
    numbers = {name: int(part[2]) for name in names for part in [_PEN_NET_FILE.fullmatch(name)] if part}
    generators = [name for name in numbers if name.startswith("gen_")]
    others = [name for name in names if name not in numbers]
    if not generators and len(others) > 1:
        raise InputError(f"{folder} holds {len(others)} PyTorch files: give one of them, such as {others[0]}")
    best = max(generators or others or numbers, key=lambda name: numbers.get(name, 0), default=None)
    return None if best is None else _generator_file(os.path.join(folder, best))


def _in_folder(folder: str) -> str:
    named = _named_by_state_file(folder)
    if named is not None and os.path.isfile(named + ".index"):
        return named
    prefixes = [name[: -len(".index")] for name in glob.glob(os.path.join(glob.escape(folder), "*.index"))]
    if prefixes:
        return max(prefixes, key=_age)
    torch_file = _torch_file_in(folder)
    if torch_file is not None:
        return torch_file
    inner = os.path.join(folder, RUN_SUBFOLDER)
    if os.path.isdir(inner):
        return _in_folder(inner)
    if named is not None:
        raise InputError(f"the state file in {folder} names {os.path.basename(named)}, but {named}.index is missing")
    if glob.glob(os.path.join(glob.escape(folder), "*.data-*-of-*")):
        raise InputError(f"{folder} has the data of a checkpoint, but its .index file is missing")
    inside = [os.path.join(glob.escape(folder), "*", f"*{ending}") for ending in (".index", *_TORCH_ENDINGS)]
    elsewhere = sorted({os.path.dirname(path) for pattern in inside for path in glob.glob(pattern)})
    if elsewhere:
        raise InputError(f"{folder} holds no checkpoint itself, but there is one in {' and in '.join(elsewhere[:3])}")
    raise InputError(f"there is no checkpoint in {folder}: no file ends in .index or .pth")


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
        return f"{path} is not a checkpoint: expected a folder, a prefix, or an .index, .npz or .pth file"
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
