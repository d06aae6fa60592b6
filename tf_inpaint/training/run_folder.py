"""A run on disk: a folder that explains itself and from which training goes on.

    config.yml        the resolved config
    versions.json     what ran it: one record for every start
    train.log         what was said on the screen, with the time, of every start
    scalars.jsonl     one JSON object a line: "step" and the mean of each value since the line before
    checkpoints/      step-XXXXXXXX.{index,data-*}, TensorFlow's state file `checkpoint`, and damaged ones in broken/
    views/            step-XXXXXXXX.png, grids of images
    losses.png        the losses so far, as graphs
    tensorboard/      scalars and grids for TensorBoard, of every start: twice, what was made after the checkpoint
                      from which the next start went on

Whatever was whole stays whole: files are written under another name first, an old checkpoint goes only when a new one
is complete, and a checkpoint counts only once the state file names it.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_inpaint.checkpoints.index import find_damage
from tf_inpaint.config import flat_config, load_config, to_yaml
from tf_inpaint.errors import InputError, first_line, shortened
from tf_inpaint.io.atomic import remove_unfinished, replace
from tf_inpaint.io.images import write_png
from tf_inpaint.training.loss_graph import loss_graph
from tf_inpaint.training.sources import SOURCES, changes, fingerprints

# Keys of a config that may change while a run goes on: they do not change what it computes.
_FREE_KEYS = {
    "name",
    "data.parallel_calls",
    "data.max_broken_fraction",
    "training.run_folder",
    "training.steps",
    "training.epochs",
    "training.strategy",
    "training.steps_per_call",
    "training.log_every",
    "training.view_every",
    "training.view_count",
    "training.checkpoint_every",
    "training.keep_checkpoints",
    "training.validate_every",
    "training.validation_count",
}
_GRAPH_SECONDS = 60  # between two graphs of the losses, each of which takes longer than many a step
_SCHEDULES_OVER_ALL_STEPS = ("linear", "cosine")
_CHECKPOINT_NAME = re.compile(r"step-(\d{8,})")


class RunFolder:
    """The folder of one run. Nothing is created before `start`.

    Args:
        path: the folder.
        keep: how many checkpoints stay.
    """

    def __init__(self, path, keep=3):
        self.path = Path(path)
        self._keep = keep
        self._checkpoints = self.path / "checkpoints"
        self._state_file = self._checkpoints / "checkpoint"
        self._config = self.path / "config.yml"
        self._versions = self.path / "versions.json"
        self._scalars = self.path / "scalars.jsonl"
        self._log = self.path / "train.log"
        self._said = []  # lines of the log that wait for the folder
        self._passed_over = set()  # names of checkpoints that do not count
        self._events = None
        self._next_graph = time.monotonic() + _GRAPH_SECONDS

    def start(self, config, versions):
        """Make the folder ready for a run, or for going on with the one it holds.

        A folder without a checkpoint holds nothing to go on from, and is begun anew. Of checkpoints that are damaged,
        the newest whole one counts, and those after it are put into the subfolder `broken`.

        Args:
            config: the run's `Config`.
            versions: JSON-able dict of what runs it, and of "sources", the fingerprints of its images.
        Returns:
            Lines to report: what was damaged, and which images have changed since the last start.
        Raises:
            InputError: if the run in the folder has another config, naming the keys, or no checkpoint of it is whole.
        """
        self.check(config)
        lines = self._set_damaged_aside()
        self._sweep()
        step = self.last_step()
        starts, scalars = [], []
        if step is not None:
            starts, scalars = self._read_starts(), _lines_up_to(self._scalars, step)
            lines += changes(_sources_of(starts), versions.get("sources", {}))
        starts.append({"from_step": step or 0, **versions})
        with self._writing("the run folder"):
            for folder in (self._checkpoints, self.path / "views"):
                folder.mkdir(parents=True, exist_ok=True)
            replace(self._config, to_yaml(config), durable=True)
            replace(self._versions, json.dumps(starts, indent=2) + "\n", durable=True)
            replace(self._scalars, "".join(scalars), durable=True)
            self._events = tf.summary.create_file_writer(str(self.path / "tensorboard"))
        self._write_log()
        return lines

    def look(self):
        """Pass over damaged checkpoints without moving anything; returns lines to report, and raises, as `start`."""
        damaged, taken = self._damaged()
        self._passed_over = set(damaged)
        return [
            f"warning: checkpoint {name} is damaged ({shortened(damage, 160)}): {taken} would take its place"
            for name, damage in damaged.items()
        ]

    def check(self, config):
        """Raise InputError if the folder holds checkpoints of a run with another config, naming the keys.

        Images are the same where their files are, wherever these lie and however the config calls them.
        """
        if self.last_step() is None:
            data = [name for name in self._named() if any(self._checkpoints.glob(f"{name}.data-*"))]
            if data:
                raise InputError(
                    f"the run in {self.path} cannot go on: {self._checkpoints / data[-1]}.index is missing; put it "
                    "back, or give another training.run_folder"
                )
        if self.last_step() is None or not self._config.is_file():
            return
        # Read as a config, so that keys which an older version did not know, or called otherwise, count.
        there = load_config(self._config, report=lambda note: None)
        old, new = flat_config(there), flat_config(config)
        free = set(_FREE_KEYS)
        if config.optimizer.schedule in _SCHEDULES_OVER_ALL_STEPS:
            free -= {"training.steps", "training.epochs"}  # the learning rate depends on them
        if new["training.epochs"]:
            free.add("training.steps")  # they follow from the epochs
        differing = [key for key in sorted({*old, *new} - free) if old.get(key) != new.get(key)]
        if set(differing) & set(SOURCES):
            before, now = {**fingerprints(old), **_sources_of(self._read_starts())}, fingerprints(new)
            differing = [key for key in differing if now.get(key) is None or before.get(key) != now[key]]
        if differing:
            keys = ", ".join(f"{key} ({old.get(key)} there, {new.get(key)} now)" for key in differing)
            raise InputError(
                f"the run in {self.path} was made with another config, which differs in {keys}: "
                "give another training.run_folder, or the old values to go on with it; what has been learned goes into "
                f"another run by {self.handed_on()}"
            )

    def last_step(self):
        """Step of the last checkpoint, or None."""
        names = self._kept_names()
        return int(_CHECKPOINT_NAME.fullmatch(names[-1]).group(1)) if names else None

    def last_checkpoint(self):
        """Prefix of the last checkpoint, or None."""
        names = self._kept_names()
        return str(self._checkpoints / names[-1]) if names else None

    def handed_on(self):
        """The keys by which another run goes on from the last checkpoint, at its step."""
        return f"training.init_from: {self.last_checkpoint()} and training.init_optimizer: true"

    def restore(self, checkpoint):
        """Read the last checkpoint into a `tf.train.Checkpoint`.

        Returns:
            Whether there was one.
        Raises:
            InputError: if it cannot be read, or does not hold exactly what is asked for.
        """
        prefix = self.last_checkpoint()
        if prefix is None:
            return False
        try:
            checkpoint.read(prefix).assert_consumed()
        except (AssertionError, ValueError, IndexError, RuntimeError, tf.errors.OpError) as error:
            raise InputError(f"cannot go on from checkpoint {prefix}: {_reason(error)}") from error
        return True

    def save(self, checkpoint, step):
        """Write a `tf.train.Checkpoint`, then drop the oldest ones; does nothing if this step is saved already."""
        names = self._kept_names()
        name = f"step-{step:08d}"
        if names and names[-1] == name:
            return
        prefix = self._checkpoints / name
        names.append(name)
        try:
            with self._writing(f"checkpoint {name}"):
                checkpoint.write(str(prefix))
                replace(self._state_file, _state(names), durable=True)
        except InputError:
            _remove(prefix)
            raise
        if len(names) > self._keep:
            # The state file names the old ones until they are gone: those that a kill leaves go with the next save.
            for old in names[: -self._keep]:
                _remove(self._checkpoints / old)
            with self._writing("the list of checkpoints"):
                replace(self._state_file, _state(names[-self._keep :]), durable=True)

    def note(self, line):
        """Append what the screen says to the log; before `start` it waits for that."""
        self._said.append(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}\n")
        if self._events is not None:
            self._write_log()

    def _write_log(self):
        with self._writing("train.log"), open(self._log, "a", encoding="utf-8") as file:
            file.writelines(self._said)
        self._said.clear()

    def log(self, step, values):
        """Append a line of scalars."""
        with self._writing("scalars"):
            with open(self._scalars, "a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")
            with self._events.as_default(step=step):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
            self._events.flush()

    def write_views(self, step, grid):
        """Write a grid of images, uint8 [H, W, 3]."""
        with self._writing("views"):
            write_png(str(self.path / "views" / f"step-{step:08d}.png"), grid)
            with self._events.as_default(step=step):
                tf.summary.image("views", grid[np.newaxis])
            self._events.flush()

    def write_loss_graph(self, ends=True):
        """Draw the scalars logged so far, once there are two lines of them; before a run ends, now and then alone."""
        if not ends and time.monotonic() < self._next_graph:
            return
        self._next_graph = time.monotonic() + _GRAPH_SECONDS
        with self._writing("the graph of the losses"):
            graph = loss_graph(self._scalars) if self._scalars.is_file() else None
            if graph is not None:
                write_png(str(self.path / "losses.png"), graph)

    def close(self):
        if self._events is not None:
            with contextlib.suppress(tf.errors.OpError):  # on a full disk: nothing depends on these events
                self._events.close()

    def _kept_names(self):
        """Names of the checkpoints there, oldest first: all that have an index, where the state file names none."""
        there = sorted(path.stem for path in self._checkpoints.glob("step-*.index"))
        there = [name for name in there if _CHECKPOINT_NAME.fullmatch(name) and name not in self._passed_over]
        named = self._named()
        return [name for name in there if name in named] or there

    def _named(self):
        """What the state file names; nothing where it is missing, empty or damaged."""
        try:
            text = self._state_file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return re.findall(r'^all_model_checkpoint_paths: "(.*)"$', text, re.MULTILINE)

    def _set_damaged_aside(self):
        """Put checkpoints after the newest whole one into a subfolder; returns a line for each."""
        damaged, taken = self._damaged()
        kept = [name for name in self._kept_names() if name not in damaged]
        aside, lines = self._checkpoints / "broken", []
        for name, damage in damaged.items():
            with self._writing("broken checkpoints"):
                aside.mkdir(exist_ok=True)
                replace(self._state_file, _state(kept), durable=True)
                for file in self._checkpoints.glob(f"{name}.*"):
                    file.replace(aside / file.name)
            lines.append(
                f"warning: checkpoint {name} is damaged ({shortened(damage, 160)}): it lies in {aside} now, and "
                f"{taken} takes its place"
            )
        return lines

    def _damaged(self):
        """({name: damage} of the checkpoints after the newest whole one, the newest first; that one's name or None)."""
        names, damaged = self._kept_names(), {}
        while names and (damage := find_damage(str(self._checkpoints / names[-1]))):
            damaged[names.pop()] = damage
        if damaged and not names:
            raise InputError(
                f"the run in {self.path} cannot go on: no checkpoint of it is whole, and the last one cannot be read "
                f"({next(iter(damaged.values()))}); put one back, or give another training.run_folder"
            )
        return damaged, names[-1] if names else None

    def _sweep(self):
        """Delete what a killed process had not finished writing; the lock says that nobody else writes here."""
        for folder in (self.path, self._checkpoints, self.path / "views"):
            remove_unfinished(folder)
        for remains in self._checkpoints.glob("step-*_temp*"):
            _delete(remains)

    def _read_starts(self):
        try:
            return list(json.loads(self._versions.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return []  # a record for people only: nothing depends on it

    @contextlib.contextmanager
    def _writing(self, what):
        """Turn a failure to write, such as a full disk, into a sentence."""
        try:
            yield
        except (OSError, InputError, tf.errors.OpError) as error:
            last = self.last_checkpoint()
            intact = f"the last whole checkpoint is {last}" if last else "no checkpoint has been written so far"
            raise InputError(
                f"cannot write {what} in {self.path} ({_reason(error)}); {intact}; "
                "once this is mended, the same command goes on from there"
            ) from error


def _sources_of(starts):
    """What the last start says of the run's images; nothing in folders of older versions."""
    last = starts[-1] if starts else None
    sources = last.get("sources") if isinstance(last, dict) else None
    return sources if isinstance(sources, dict) else {}


def _reason(error):
    """What an error says, without TensorFlow's "{{node}} file; " before it and " [Op:SaveV2]" after it."""
    said = getattr(error, "strerror", None) or first_line(error)
    return re.sub(r"\s*\[Op:\w+\].*$", "", said).rsplit("; ", 1)[-1]


def _state(names):
    """TensorFlow's checkpoint state file, with names relative to its folder, so that a run folder can be moved."""
    lines = [f'model_checkpoint_path: "{names[-1]}"', *(f'all_model_checkpoint_paths: "{name}"' for name in names)]
    return "\n".join(lines) + "\n"


def _lines_up_to(file, step):
    """The lines of a scalars file whose step is at most `step`; a kill may have torn the last one, a full disk any."""
    kept = []
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    for line in text.splitlines(keepends=True):
        with contextlib.suppress(ValueError, TypeError, KeyError):
            if json.loads(line)["step"] <= step:
                kept.append(line)
    return kept


def _remove(prefix):
    """Delete a checkpoint's files, finished or not; the index, by which it is found, last."""
    for path in [*sorted(prefix.parent.glob(f"{prefix.name}.*")), *prefix.parent.glob(f"{prefix.name}_temp*")]:
        _delete(path)


def _delete(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
