"""What an evaluation has measured so far, on disk: one line for each image, so that it goes on where it stopped.

settings.json    what is evaluated; another evaluation refuses the folder
rows.jsonl       a JSON object a line: number, picture, hole_share, digests of both, and each method's numbers
features/*.f32   what networks saw in the images, see `evaluation.features`

Of a shard, measured by one of several machines, the names are rows-2-of-8.jsonl, settings-2-of-8.json and *-2-of-8.f32.
It reads and writes its own rows alone; whoever takes everything reads the shards' rows beside its own.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
from pathlib import Path
from typing import Iterator

from tf_inpaint.errors import InputError
from tf_inpaint.io.atomic import replace
from tf_inpaint.io.shards import EVERYTHING, Shard

FEATURES = "features"  # folder


class Journal:
    """The rows of one evaluation, kept on disk and never in memory.

    Args:
        folder: of the output.
        settings: flat, JSON-able; rows of other settings are refused.
        restart: `drop` what is there instead.
        shard: what is measured here.
    Attributes:
        done: indices of the images measured.
    Raises:
        InputError: if the folder holds another evaluation, or a shard of one, naming what differs.
    """

    def __init__(self, folder, settings: dict, restart: bool = False, shard: Shard = EVERYTHING):
        self.folder, self._shard = Path(folder), shard
        if restart:
            drop(self.folder, shard)
        else:
            for other in _shards_in(self.folder):
                self._refuse_other(other, settings)
        self.folder.mkdir(parents=True, exist_ok=True)
        replace(self._settings(shard), json.dumps(settings, indent=2) + "\n")  # whole: without them rows are refused
        self._places: dict[int, tuple[Shard, int]] = {}  # of each image: whose rows hold it, where its line begins
        for other in _shards_in(self.folder) if shard.covers_all else [shard]:
            self._find_rows(other)
        self._file = open(_rows(self.folder, shard), "ab")

    @property
    def done(self) -> set[int]:
        return set(self._places)

    def shard_of(self, index: int) -> Shard:
        """The shard in which an image was measured."""
        return self._places[index][0]

    def write(self, row: dict) -> None:
        """Adds the row of an image measured; it counts once `flush` has returned."""
        self._places[row["number"]] = self._shard, self._file.tell()
        self._file.write((json.dumps(row) + "\n").encode())

    def flush(self) -> None:
        """Puts the rows on disk."""
        self._file.flush()

    def rows(self) -> Iterator[dict]:
        """All rows in the order of their indices, read one by one."""
        return self._read(sorted(self._places))

    def row(self, index: int) -> dict:
        """The row of one image."""
        (row,) = self._read([index])
        return row

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def _read(self, indices):
        self.flush()
        with contextlib.ExitStack() as stack:
            opened = functools.lru_cache(maxsize=None)(lambda path: stack.enter_context(open(path, "rb")))
            for index in indices:
                shard, offset = self._places[index]
                file = opened(_rows(self.folder, shard))
                file.seek(offset)
                yield json.loads(file.readline())

    def _settings(self, shard):
        return self.folder / f"settings{shard.suffix}.json"

    def _refuse_other(self, shard, settings):
        """Raises InputError if the rows of a shard have other settings; lost or damaged ones are others."""
        try:
            old = dict(json.loads(self._settings(shard).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            old = {}
        differing = [key for key in {**old, **settings} if old.get(key) != settings.get(key)]
        if not differing:
            return
        keys = ", ".join(f"{key} ({_short(old.get(key))} there, {_short(settings.get(key))} now)" for key in differing)
        what = "an evaluation" if shard.covers_all else f"shard {shard} of an evaluation"
        remedy = "--restart to begin anew" if shard == self._shard else f"delete {_rows(self.folder, shard)}"
        raise InputError(f"{self.folder} holds {what} that differs in {keys}: give another --output, or {remedy}")

    def _find_rows(self, shard):
        """Notes where the lines of a shard begin. A line that a kill has torn is cut off, if it is ours."""
        end, path = 0, _rows(self.folder, shard)
        if not path.exists():
            return
        with open(path, "rb") as file:
            for line in file:
                try:
                    index = json.loads(line)["number"]
                except (ValueError, KeyError, TypeError):
                    break
                if not line.endswith(b"\n"):
                    break
                self._places[index] = shard, end
                end += len(line)
        if shard == self._shard:
            os.truncate(path, end)


def drop(folder, shard: Shard = EVERYTHING) -> None:
    """Forgets what a shard has measured; everything: what all have."""
    folder = Path(folder)
    for other in _shards_in(folder):
        if other == shard or shard.covers_all:
            _rows(folder, other).unlink()
    for path in (folder / FEATURES).glob(f"*{shard.suffix}.f32"):  # of methods that are no longer compared, too
        path.unlink()


def _rows(folder, shard):
    return folder / f"rows{shard.suffix}.jsonl"


def _shards_in(folder):
    """Every shard that has rows, the whole last."""
    names = (re.fullmatch(r"rows(?:-(\d+)-of-(\d+))?\.jsonl", path.name) for path in folder.glob("rows*"))
    shards = [Shard(*map(int, name.groups(default="1"))) for name in names if name]
    return sorted(shards, key=lambda shard: (-shard.count, shard.number))


def _short(value):
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:40]}...{text[-12:]}"
