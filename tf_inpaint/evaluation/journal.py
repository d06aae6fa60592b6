"""What an evaluation has measured so far, on disk: one line for each picture, so that it goes on where it stopped.

settings.json    what is evaluated; another evaluation refuses the folder
rows.jsonl       a JSON object a line: number, picture, hole_share, digests of both, and each method's numbers

Of a part, measured by one of several machines, the names are rows-2-of-8.jsonl and settings-2-of-8.json. It reads and
writes its own rows alone; whoever takes everything reads the parts' rows beside its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Iterator

from tf_inpaint.errors import InputError
from tf_inpaint.io.shards import EVERYTHING, Shard


class Journal:
    """The rows of one evaluation, kept on disk and never in memory.

    Args:
        folder: of the output.
        settings: flat, JSON-able; rows of other settings are refused.
        restart: drop what is there instead; of a part, its own rows.
        shard: the part that is measured here.
    Attributes:
        done: numbers of the pictures measured.
    Raises:
        InputError: if the folder holds another evaluation, or a part of one, naming what differs.
    """

    def __init__(self, folder, settings: dict, restart: bool = False, shard: Shard = EVERYTHING):
        self.folder, self._shard = Path(folder), shard
        there = self._parts_there()
        for part in there:
            if not restart:
                self._refuse_other(part, settings)
            elif part == shard or shard.whole:
                self._rows(part).unlink()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._settings(shard).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        self._places: dict[int, tuple[Shard, int]] = {}  # of each picture: whose rows hold it, where its line begins
        for part in self._parts_there() if shard.whole else [shard]:
            self._find_rows(part)
        self._file = open(self._rows(shard), "ab")

    @property
    def done(self) -> set[int]:
        return set(self._places)

    def part_of(self, number: int) -> Shard:
        """The part in which a picture was measured."""
        return self._places[number][0]

    def write(self, row: dict) -> None:
        """Adds the row of a picture measured; it counts once `flush` has returned."""
        self._places[row["number"]] = self._shard, self._file.tell()
        self._file.write((json.dumps(row) + "\n").encode())

    def flush(self) -> None:
        """Puts the rows on disk."""
        self._file.flush()

    def rows(self) -> Iterator[dict]:
        """All rows in the order of their numbers, read one by one."""
        return self._read(sorted(self._places))

    def row(self, number: int) -> dict:
        """The row of one picture."""
        (row,) = self._read([number])
        return row

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _read(self, numbers):
        self.flush()
        with contextlib.ExitStack() as stack:
            files = {}
            for number in numbers:
                part, offset = self._places[number]
                if part not in files:
                    files[part] = stack.enter_context(open(self._rows(part), "rb"))
                files[part].seek(offset)
                yield json.loads(files[part].readline())

    def _rows(self, part):
        return self.folder / f"rows{part.suffix}.jsonl"

    def _settings(self, part):
        return self.folder / f"settings{part.suffix}.json"

    def _parts_there(self):
        """Every part that has rows, the whole last."""
        names = (re.fullmatch(r"rows(?:-(\d+)-of-(\d+))?\.jsonl", path.name) for path in self.folder.glob("rows*"))
        parts = [Shard(*(int(each) for each in name.groups(default="1"))) for name in names if name]
        return sorted(parts, key=lambda part: (-part.count, part.number))

    def _refuse_other(self, part, settings):
        """Raises InputError if the rows of a part have other settings; lost or damaged ones are others."""
        try:
            old = dict(json.loads(self._settings(part).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            old = {}
        differing = [key for key in {**old, **settings} if old.get(key) != settings.get(key)]
        if not differing:
            return
        keys = ", ".join(f"{key} ({_short(old.get(key))} there, {_short(settings.get(key))} now)" for key in differing)
        what = "an evaluation" if part.whole else f"part {part} of an evaluation"
        remedy = "--restart to begin anew" if part == self._shard else f"delete {self._rows(part)}"
        raise InputError(f"{self.folder} holds {what} that differs in {keys}: give another --output, or {remedy}")

    def _find_rows(self, part):
        """Notes where the lines of a part begin. A line that a kill has torn is cut off, if it is ours."""
        end = 0
        if not self._rows(part).exists():
            return
        with open(self._rows(part), "rb") as file:
            for line in file:
                try:
                    number = json.loads(line)["number"]
                except (ValueError, KeyError, TypeError):
                    break
                if not line.endswith(b"\n"):
                    break
                self._places[number] = part, end
                end += len(line)
        if part == self._shard:
            os.truncate(self._rows(part), end)


def _short(value):
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:40]}...{text[-12:]}"
