"""The configs that come with the package, by name."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_FOLDERS = (_PACKAGE / "configs", _PACKAGE.parent / "configs")  # of an installed package, of a checkout


def shipped_configs() -> dict[str, Path]:
    """Name -> file, in the order of names."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), _FOLDERS[0])
    return {file.stem: file for file in sorted(folder.glob("*.yml"))}


def config_file(path: str) -> str:
    """The file at `path`; where there is none, that of the shipped config called so: celeba, or configs/celeba.yml."""
    wanted = Path(path)
    if wanted.is_file() or str(wanted.parent) not in (".", "configs") or wanted.suffix not in ("", ".yml"):
        return path
    return str(shipped_configs().get(wanted.stem, path))


def list_configs(program: str = "python train.py") -> str:
    """What there is to train, a line each, and how to begin with the program."""
    files = shipped_configs()
    width = max(map(len, files), default=0)
    titles = {name: file.read_text(encoding="utf-8").partition("\n")[0][2:] for name, file in files.items()}
    lines = [f"{name:<{width}}  {title}" for name, title in titles.items()]
    how = f"{program} --config NAME, on your images with --set data.train=my/photos data.validation="
    end = ["", f"Begin with: {how}", "quickstart trains in minutes."]
    return "\n".join(["Which config? There are:", "", *lines, *end])
