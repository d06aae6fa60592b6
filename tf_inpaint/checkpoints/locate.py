"""Where a checkpoint is, from whatever a user points at; without TensorFlow, each failure is one sentence.

TensorFlow's is a prefix: the files `<prefix>.index` and `<prefix>.data-00000-of-00001` (or more shards). PyTorch's is a
file; PEN-Net's release keeps its networks in two, gen_00300.pth and dis_00300.pth: the generator's stands for both;
LaMa's is a folder with models/best.ckpt. An exported model is a folder of numbered versions, each a folder with
saved_model.pb.
"""

from __future__ import annotations

import glob
import os
import re

from tf_inpaint.checkpoints.npz import ENDING
from tf_inpaint.checkpoints.torch import is_torch_file
from tf_inpaint.errors import InputError

STATE_FILE = "checkpoint"
RUN_SUBFOLDER = "checkpoints"
SAVED_MODEL_FILE = "saved_model.pb"
EXTRA_FOLDER = "assets.extra"  # Serving's name for files beside a model
NOTES_FILE = "tf_inpaint.json"  # in it, by which an exported model of this project is known
_TORCH_ENDINGS = (".pth", ".pt", ".ckpt")
_LAMA_SUBFOLDER, _LAMA_FILE = "models", "best.ckpt"
_PEN_NET_FILE = re.compile(r"(gen|dis|opt)_(\d+)\.pth")


class NoCheckpointInFolder(InputError):
    """A folder holds nothing that looks like a checkpoint: it is one of images, say."""


def locate_checkpoint(path) -> str:
    """The prefix or file of the checkpoint that `path` means.

    Args:
        path: a folder (its state file `checkpoint` decides, else the highest step), a run folder (its `checkpoints/`),
            LaMa's (its `models/`), a prefix, one of the files `.index`, `.data-...`, `.meta`, `checkpoint`, a PyTorch
            file, or an .npz file.
    Raises:
        InputError: if there is none (`NoCheckpointInFolder` of a folder), or a data file is missing.
    """
    path = os.fspath(path)
    if is_weight_file(path):
        return path
    if os.path.basename(path) == STATE_FILE and os.path.isfile(path):
        path = os.path.dirname(path) or "."
    if os.path.isdir(path):
        found = _in_folder(path)
    else:
        found = re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", path)
        if not os.path.isfile(found + ".index"):
            if not os.path.isfile(path) or not (path.endswith(_TORCH_ENDINGS) or is_torch_file(path)):
                raise InputError(_nothing_at(path, found))
            found = _generator_file(path)
    if not is_torch(found):
        _check_data(found)
    return found


def is_weight_file(path: str) -> bool:
    """Whether `path` is a file with weights of this project, by its ending."""
    return path.endswith(ENDING) and os.path.isfile(path)


def is_torch(path: str) -> bool:
    """Whether what `locate_checkpoint` found is PyTorch's rather than TensorFlow's."""
    return os.path.isfile(path) and not os.path.isfile(path + ".index")


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


def critic_file(generator: str) -> str | None:
    """The file of the discriminator that belongs to PEN-Net's `generator`, a gen_00300.pth; None where there is
    none."""
    folder, name = os.path.split(generator)
    critic = os.path.join(folder, name.replace("gen_", "dis_"))
    return critic if _PEN_NET_FILE.fullmatch(name) and os.path.isfile(critic) else None


def config_beside(path: str) -> str | None:
    """The config.yml of the run folder that a checkpoint lies in; None where it lies in none."""
    folder = os.path.dirname(os.path.abspath(path))
    folders = [folder, os.path.dirname(folder)] if os.path.basename(folder) == RUN_SUBFOLDER else [folder]
    files = [os.path.join(folder, "config.yml") for folder in folders]
    return next((file for file in files if os.path.isfile(file)), None)


def _generator_file(path: str) -> str:
    """The PyTorch file that `path` means: for PEN-Net's dis_00300.pth and opt_00300.pth the gen_00300.pth beside it."""
    folder, name = os.path.split(path)
    match = _PEN_NET_FILE.fullmatch(name)
    if match is None or match[1] == "gen":
        return path
    generator = os.path.join(folder, f"gen_{match[2]}.pth")
    if not os.path.isfile(generator):
        raise InputError(f"{path} holds no generator: {generator}, which belongs to it, is missing")
    return generator


def _torch_file_in(folder: str) -> str | None:
    paths = glob.glob(os.path.join(glob.escape(folder), "*"))
    names = sorted(os.path.basename(path) for path in paths if path.endswith(_TORCH_ENDINGS) and os.path.isfile(path))
    numbers = {name: int(match[2]) for name in names for match in [_PEN_NET_FILE.fullmatch(name)] if match}
    generators = [name for name in numbers if name.startswith("gen_")]
    others = [name for name in names if name not in numbers]
    others = [_LAMA_FILE] if _LAMA_FILE in others else others
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
    for place in (folder, os.path.join(folder, _LAMA_SUBFOLDER)):
        torch_file = _torch_file_in(place)
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
    raise NoCheckpointInFolder(f"there is no checkpoint in {folder}: no file ends in .index, .pth or .ckpt")


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
        return f"{path} is not a checkpoint: expected a folder, a prefix, or an .index, .npz, .pth or .ckpt file"
    return f"there is no checkpoint at {path}: neither a folder nor a file {prefix}.index"


def _check_data(prefix: str) -> None:
    shards = glob.glob(glob.escape(prefix) + ".data-?????-of-?????")
    if not shards:
        raise InputError(f"the checkpoint {prefix} has no data file: {prefix}.data-00000-of-00001 is missing")
    count = int(shards[0][-5:])
    for name in (f"{prefix}.data-{shard:05d}-of-{count:05d}" for shard in range(count)):
        if not os.path.isfile(name):
            raise InputError(f"the checkpoint {prefix} is incomplete: {name} is missing")
