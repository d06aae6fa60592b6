"""What completes an image: checkpoints, baselines that need no training, folders of completions made elsewhere."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterable, Iterator, Sequence

import numpy as np

from tf_inpaint.checkpoints import open_checkpoint
from tf_inpaint.errors import InputError
from tf_inpaint.evaluation.baselines import BASELINES
from tf_inpaint.evaluation.named_files import NamedFiles, files_digest, stem
from tf_inpaint.evaluation.tasks import Task
from tf_inpaint.io.images import read_image
from tf_inpaint.io.listing import list_files


class Method:
    """A column of the table.

    Attributes:
        name: of the column.
        about: a line for people.
        identity: text that changes when what it computes may.
        folder, weights_sha256: of a checkpoint; None for others.
        threaded: whether images are completed one by one, in threads; else a batch at once.
    """

    name: str
    about: str
    identity: str
    folder: str | None = None
    weights_sha256: str | None = None
    threaded = True

    def start(self) -> None:
        """Gets ready; called once, before the first image."""

    def complete(self, tasks: Sequence[Task]) -> list[np.ndarray | InputError]:
        """For each task uint8 [H, W, 3], or what says why not."""
        raise NotImplementedError

    def facts(self) -> dict:
        """What results.json says of it."""
        facts = {"name": self.name, "about": self.about, "weights_sha256": self.weights_sha256}
        return {key: value for key, value in facts.items() if value is not None}


class Trained(Method):
    """A checkpoint, of this project or of the authors.

    Args:
        name: of its column.
        checkpoint_dir, padding, strategy, residuals, texture, trust_saved_model: as `Inpainter.load` takes them.
    Raises:
        InputError: if there is no checkpoint.
    """

    threaded = False

    def __init__(
        self,
        name: str,
        checkpoint_dir: str,
        padding=None,
        strategy="exact",
        residuals=None,
        texture=None,
        trust_saved_model=False,
    ):
        self.name, self.folder = name, checkpoint_dir
        self._options = {"padding": padding, "strategy": strategy, "residuals": residuals, "texture": texture}
        self._options["trust_saved_model"] = trust_saved_model
        self._checkpoint = open_checkpoint(checkpoint_dir)
        self.about = f"checkpoint {os.path.basename(self._checkpoint.path)}"
        self.about += f", padding {padding}" if padding else ""
        self.about += f", strategy {strategy}" if strategy != "exact" else ""
        self.about += f", residuals {residuals:g}" if residuals is not None else ""
        self.about += f", texture {texture}" if texture is not None else ""
        self.weights_sha256 = files_digest(self._checkpoint.files)
        self.identity = f"{self.about} {self.weights_sha256}"

    def start(self) -> None:
        from tf_inpaint.inference.inpainter import Inpainter

        self._inpainter = Inpainter.load(self._checkpoint, **self._options)
        if self._inpainter.takes_edges:
            self.about += ", guided, given an empty sketch"

    def complete(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        images, masks = np.stack([task.image for task in tasks]), np.stack([task.mask for task in tasks])
        return list(self._inpainter.complete(images, masks))


class Untrained(Method):
    """A method that needs no training, a key of `BASELINES`; of what it gives the hole is taken."""

    def __init__(self, name: str):
        self.name = name
        self._baseline = BASELINES[name]
        self.about = self._baseline.about
        self.identity = f"{self.about} {self._baseline.version()}"

    def facts(self) -> dict:
        return {**super().facts(), "version": self._baseline.version()}

    def complete(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        return [self._complete(task.image, task.mask[..., np.newaxis]) for task in tasks]

    def _complete(self, image, mask):
        known = np.where(mask, np.uint8(0), image)  # OpenCV's methods let what is in the hole through here and there
        return np.where(mask, self._baseline.fill(known, mask[..., 0]), image)


class Completions(Method):
    """A folder of completions made by another program, found by the images' names, whatever their endings.

    They are measured as they are, known pixels included.

    Args:
        name: of its column.
        folder: of the images' size by the protocol, laid out as the images are.
        names: of the images.
    Raises:
        InputError: if no image has a completion.
    """

    def __init__(self, name: str, folder: str, names: Sequence[str]):
        self.name = name
        if not os.path.isdir(folder):
            raise InputError(f"--completions: {folder} is not a folder")
        self._files = NamedFiles(list_files(folder), folder)
        matched = self._files.count(names)
        if not matched:
            raise InputError(
                f"--completions: no image in {folder} has the name of one to evaluate, such as {stem(names[0])}"
            )
        self.about = f"{matched} completions from elsewhere"
        self.identity = f"{self.about} {self._files.digest}"

    def complete(self, tasks: Sequence[Task]) -> list[np.ndarray | InputError]:
        return [self._read(task) for task in tasks]

    def _read(self, task):
        file = self._files.of(task.name)
        if file is None:
            return InputError(f"{self.name} has no completion of it")
        try:
            completed = read_image(file).rgb
        except InputError as error:
            return error
        if completed.shape != task.image.shape:
            has, needs = (f"{width} x {height}" for height, width, _ in (completed.shape, task.image.shape))
            return InputError(f"the completion {file} has {has} pixels instead of {needs}")
        return completed


def complete_all(methods: Sequence[Method], batches: Iterable[list[Task]]) -> Iterator[tuple[list[Task], list, list]]:
    """What methods make of batches of tasks, in order.

    Threaded methods work a batch ahead, on all processors, while networks and metrics have the batch before.

    Yields:
        (batch, a list of completions for each method, seconds for each: of a thread's processor, or of the clock).
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def begin(batch):
            return batch, {
                method: [pool.submit(_timed, time.thread_time, method, [task]) for task in batch]
                for method in methods
                if method.threaded
            }

        def end(batch, begun):
            columns, seconds = [], []
            for method in methods:
                if method.threaded:
                    timed = [future.result() for future in begun[method]]
                else:
                    timed = [_timed(time.perf_counter, method, batch)] if batch else []
                columns.append([one for completed, _ in timed for one in completed])
                seconds.append(sum(spent for _, spent in timed))
            return batch, columns, seconds

        try:
            ahead = None
            for batch in batches:
                current, ahead = ahead, begin(batch)
                if current is not None:
                    yield end(*current)
            if ahead is not None:
                yield end(*ahead)
        finally:  # whoever stops does not wait for what is begun
            pool.shutdown(cancel_futures=True)


def _timed(clock, method, tasks):
    before = clock()
    return method.complete(tasks), clock() - before


def named(entries: Sequence[str], option: str) -> list[tuple[str, str]]:
    """(name, path) of entries `name=path` or `path`, which is called after its last folder.

    Raises:
        InputError: if two have one name.
    """
    pairs: list[tuple[str, str]] = []
    for entry in entries:
        name, separator, path = entry.partition("=")
        if not separator or os.sep in name or os.path.exists(entry):
            name, path = Path(os.path.abspath(entry)).name, entry
        if name in [other for other, _ in pairs] or name in BASELINES or not name:
            raise InputError(f"two methods would be called {name}: write {option} NAME={path}")
        pairs.append((name, path))
    return pairs
