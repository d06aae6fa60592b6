"""Image files as TensorFlow datasets, in order, whatever state the files are in.

JPEG and PNG files are read by TensorFlow operations from end to end, many at a time. Python steps in only where they
give up: it reads all other kinds (WebP, TIFF, ...), and finds another file for what nobody can read.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import numpy as np
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.io.images import check_image, read_image, read_mask
from tf_inpaint.ops.decode import decode_image, decode_mask
from tf_inpaint.ops.levels import EDGE_THRESHOLD

_log = logging.getLogger(__name__)

CHECKED_AT_START = 10_000  # files whose heads are read before training starts; more are sampled evenly
_SUBSTITUTES = 64  # files tried in place of one that cannot be read

# AutoGraph off: nothing of ours needs Python control flow translated, and translating takes seconds.
plainly = tf.autograph.experimental.do_not_convert


@contextlib.contextmanager
def blaming(setting):
    """Errors begin with the key of the config that is to blame."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{setting}: {error}") from None


@contextlib.contextmanager
def explained_errors(source):
    """Turns the TensorFlow error in which a dataset's InputError arrives back into that sentence.

    Put it around whatever takes elements: `with explained_errors(files): batch = next(iterator)`.

    Args:
        source: what made the dataset and has its `failure`.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if source.failure is None:
            raise
        raise source.failure from error


class ImageFiles:
    """Image files by index. Those that cannot be read are named once, and the next in order take their places.

    Of each file it makes layers: {"image": uint8 [H, W, 3]}. A subclass that makes others overrides `channels`,
    `decode` and `read`, `usable` where `read` refuses what can be decoded, and `check` where there is more to look at.

    Attributes:
        count: number of files.
        broken: (file, reason) of each file found unreadable so far.
        failure: the InputError that ended reading, None while all is well.
    """

    channels = {"image": 3}
    decoded = True  # by TensorFlow first; otherwise by Python alone

    def __init__(self, files: list[str], setting: str, max_broken_fraction: float):
        """Looks at the heads of the files.

        Args:
            files: their paths.
            setting: the key of a config that names them, for messages.
            max_broken_fraction: reading fails when more than this fraction cannot be read.
        Raises:
            InputError: if that is seen at once.
        """
        self.count = len(files)
        self.broken: list[tuple[str, str]] = []
        self.failure: InputError | None = None
        self._files = files
        self._setting = setting
        self._max_broken_fraction = max_broken_fraction
        self._unreadable: set[int] = set()
        self._lock = threading.Lock()
        self._check_heads()
        # An eager tensor, which graphs refer to. Broken files have no path in it, so that TensorFlow does not try them.
        with tf.device("CPU:0"):
            self._paths = tf.constant(["" if i in self._unreadable else file for i, file in enumerate(files)])

    def check(self, index: int) -> None:
        """Looks at the head of a file; an InputError if it says that nobody can read it."""
        check_image(self._files[index])

    def decode(self, index) -> dict[str, tf.Tensor]:
        """The layers of a file, its index an int64 scalar, by TensorFlow; an error if it cannot be read."""
        return {"image": decode_image(tf.io.read_file(self._paths[index]))}

    def usable(self, index, layers):
        """Whether what `decode` made of a file will do, a bool scalar; if not, `read` says why."""
        return tf.constant(True)

    def read(self, index: int) -> dict[str, np.ndarray]:
        """The layers of a file by Python, the same as of `decode`; an InputError if nobody can read it."""
        return {"image": read_image(self._files[index]).rgb}

    def dataset(self, keys: tf.data.Dataset, files_at: Callable, parallel_calls: int) -> tf.data.Dataset:
        """Reads files, several at a time, in the order of their keys.

        Args:
            keys: dataset of tensors, whatever they mean.
            files_at: (key, n) -> int64 [n], the indices of its file and of those that take its place, in this order.
            parallel_calls: files read at the same time; -1 leaves it to TensorFlow.
        Returns:
            Dataset of (key, layers).
        """
        tries = tf.constant(min(self.count, _SUBSTITUTES), tf.int64)

        def attempt(key):
            def decode(_):
                index = files_at(key, tf.constant(1, tf.int64))[0]
                return index, self.decode(index)

            def read(_):
                arrays = tf.numpy_function(
                    self._read_first, [files_at(key, tries)], [tf.uint8] * len(self.channels), stateful=False
                )
                layers = zip(self.channels.items(), arrays)
                return key, {name: tf.ensure_shape(array, [None, None, channels]) for (name, channels), array in layers}

            # Try / except in a graph: a dataset of the file as TensorFlow reads it, left out if that is an error, then
            # of the file as Python finds it; the first is taken. Each key gives one element, so that the order holds.
            # Operations are chosen, too: where TensorFlow has to be deterministic (`training.deterministic`), one that
            # is marked as stateful, such as `from_tensors`, makes it run the whole pipeline without any parallelism.
            once = tf.data.Dataset.range(1)
            if not self.decoded:
                return once.map(plainly(read))
            decoded = once.map(plainly(decode)).ignore_errors().filter(plainly(self.usable))
            decoded = decoded.map(plainly(lambda _, layers: (key, layers)))
            return decoded.concatenate(once.map(plainly(read))).take(1)

        at_once = parallel_calls if parallel_calls > 0 else 2 * (os.cpu_count() or 1)
        return keys.interleave(
            plainly(attempt),
            cycle_length=at_once,
            block_length=1,
            num_parallel_calls=parallel_calls,
            deterministic=True,
        )

    def _read_first(self, indices) -> list[np.ndarray]:
        """The layers of the first of some files that Python can read."""
        for index in indices.tolist():
            if self.failure is not None:
                raise self.failure
            with self._lock:  # whoever adds a file judges, too, before another thread passes it over
                unreadable = index in self._unreadable
            if unreadable:
                continue
            try:
                layers = self.read(index)
                return [layers[name] for name in self.channels]
            except InputError as error:
                self._note(index, error)
        raise self._fail(f"of {len(indices)} files of {self._setting} in a row none can be read")

    def _note(self, index: int, error: InputError) -> None:
        """Adds a file to the broken ones, whichever threads meet it."""
        with self._lock:
            if index in self._unreadable:
                return
            self._add(index, error)
            _log.warning("%s %s; another file takes its place", *self.broken[-1])
            self._judge(self.count)

    def _add(self, index: int, error: InputError) -> None:
        file, message = self._files[index], str(error)
        self._unreadable.add(index)
        self.broken.append((file, message[len(file) + 1 :] if message.startswith(f"{file} ") else message))

    def _judge(self, count: int) -> None:
        """Fails where too many of `count` files are broken."""
        broken = len(self.broken)
        if broken == count:
            raise self._fail(f"none of the {count} files of {self._setting} can be read: {self._names()}")
        if broken > self._max_broken_fraction * count:
            raise self._fail(
                f"{broken} of {count} files of {self._setting} cannot be read, more than "
                f"data.max_broken_fraction {self._max_broken_fraction:g}: {self._names()}"
            )

    def _fail(self, sentence: str) -> InputError:
        self.failure = self.failure or InputError(sentence)
        return self.failure

    def _names(self, most: int = 5) -> str:
        named = "; ".join(f"{file} {reason}" for file, reason in self.broken[:most])
        more = len(self.broken) - most
        return f"{named}; and {more} more" if more > 0 else named

    def _check_heads(self) -> None:
        """Looks at every file, or at an even sample of very many, before any work is spent on the others."""
        indices = spread(self.count, CHECKED_AT_START).tolist()

        def complaint(index):
            try:
                self.check(index)
            except InputError as error:
                return error
            return None

        with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as threads:
            for index, error in zip(indices, threads.map(complaint, indices)):
                if error is not None:
                    self._add(index, error)
        if self.broken:
            self._judge(len(indices))
            message = "%d of %d files of %s cannot be read, other files take their places: %s"
            _log.warning(message, len(self.broken), len(indices), self._setting, self._names(most=20))


class PairedFiles(ImageFiles):
    """Images with their edges, each of which is a file of its own: a layer "edges" of 0 and 255."""

    channels = {"image": 3, "edges": 1}

    def __init__(self, files: list[str], edges: list[str], setting: str, max_broken_fraction: float):
        self._edges = edges
        super().__init__(files, setting, max_broken_fraction)
        with tf.device("CPU:0"):
            self._edge_paths = tf.constant(edges)

    def check(self, index):
        super().check(index)
        self._of_edges(index, check_image)

    def decode(self, index):
        is_edge = decode_mask(tf.io.read_file(self._edge_paths[index])) > EDGE_THRESHOLD
        return {**super().decode(index), "edges": tf.where(is_edge, tf.constant(255, tf.uint8), 0)}

    def usable(self, index, layers):
        return tf.reduce_all(tf.shape(layers["image"])[:2] == tf.shape(layers["edges"])[:2])

    def read(self, index):
        layers, levels = super().read(index), self._of_edges(index, read_mask)
        (height, width), (edges_height, edges_width) = layers["image"].shape[:2], levels.shape
        if (edges_height, edges_width) != (height, width):
            raise InputError(
                f"{self._files[index]} has {width} x {height} pixels, but its edges {self._edges[index]} have "
                f"{edges_width} x {edges_height}"
            )
        return {**layers, "edges": np.where(levels > EDGE_THRESHOLD, np.uint8(255), np.uint8(0))[..., np.newaxis]}

    def _of_edges(self, index, look):
        try:
            return look(self._edges[index])
        except InputError as error:
            raise InputError(f"{self._files[index]} has no sound edges: {error}") from error


def spread(total: int, most: int) -> np.ndarray:
    """At most so many of the indices 0 .. total - 1, int64, evenly spread."""
    count = min(total, most)
    return np.arange(count, dtype=np.int64) * total // count
