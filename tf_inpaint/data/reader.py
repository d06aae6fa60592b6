"""Picture files as TensorFlow datasets, in order, whatever state the files are in.

JPEG and PNG files are read by TensorFlow operations from end to end, many at a time. Python steps in only where they
give up: it reads all other kinds (WebP, TIFF, ...), and finds another file for what nobody can read.
"""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import numpy as np
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.io.images import check_image, read_image
from tf_inpaint.ops.decode import decode_image

_log = logging.getLogger(__name__)

CHECKED_AT_START = 10_000  # files whose heads are read before training starts; more are sampled evenly
_SUBSTITUTES = 64  # files tried in place of one that cannot be read

# AutoGraph off: nothing of ours needs Python control flow translated, and translating takes seconds.
plainly = tf.autograph.experimental.do_not_convert


class PictureFiles:
    """Picture files by number. Those that cannot be read are named once, and the next in order take their places.

    A subclass may make something else of a file than an RGB picture: it overrides `channels`, `decode` and `read`,
    `usable` where `read` refuses what can be decoded, and `check` where there is more to look at.

    Attributes:
        count: number of files.
        broken: (file, reason) of each file found unreadable so far.
        failure: the InputError that ended reading, None while all is well.
    """

    channels = 3

    def __init__(self, files: list[str], setting: str, max_broken_share: float):
        """Looks at the heads of the files.

        Args:
            files: their paths.
            setting: the key of a config that names them, for messages.
            max_broken_share: reading fails when more than this share cannot be read.
        Raises:
            InputError: if that is seen at once.
        """
        self.count = len(files)
        self.broken: list[tuple[str, str]] = []
        self.failure: InputError | None = None
        self._files = files
        self._setting = setting
        self._max_broken_share = max_broken_share
        self._unreadable: set[int] = set()
        self._lock = threading.Lock()
        self._check_heads()
        # An eager tensor, which graphs refer to. Broken files have no path in it, so that TensorFlow does not try them.
        with tf.device("CPU:0"):
            self._paths = tf.constant(["" if i in self._unreadable else file for i, file in enumerate(files)])

    def check(self, number: int) -> None:
        """Looks at the head of file `number`; an InputError if it says that nobody can read it."""
        check_image(self._files[number])

    def decode(self, number):
        """File `number`, an int64 scalar, by TensorFlow: uint8 [H, W, channels]; an error if it cannot be read."""
        return decode_image(tf.io.read_file(self._paths[number]))

    def usable(self, number, picture):
        """Whether what `decode` made of a file will do, a bool scalar; if not, `read` says why."""
        return tf.constant(True)

    def read(self, number: int) -> np.ndarray:
        """File `number` by Python, with the same result as `decode`; an InputError if nobody can read it."""
        return read_image(self._files[number]).rgb

    def pictures(self, indices: tf.data.Dataset, files_at: Callable, parallel_calls: int) -> tf.data.Dataset:
        """Reads pictures, several at a time, in the order of their indices.

        Args:
            indices: dataset of tensors, whatever they mean.
            files_at: (index, n) -> int64 [n], the numbers of its file and of those that take its place, in this order.
            parallel_calls: pictures read at the same time; -1 leaves it to TensorFlow.
        Returns:
            Dataset of (index, uint8 [H, W, channels]).
        """
        tries = tf.constant(min(self.count, _SUBSTITUTES), tf.int64)

        # Try / except in a graph: a dataset of the picture as TensorFlow reads it, left out if that is an error, then
        # of the picture as Python finds it; the first is taken. Each index gives one element, so that the order holds.
        # Operations are chosen, too: where TensorFlow has to be deterministic (`training.deterministic`), one that is
        # marked as stateful, such as `from_tensors`, makes it run the whole pipeline without any parallelism.
        def attempt(index):
            def decode(_):
                number = files_at(index, tf.constant(1, tf.int64))[0]
                return number, self.decode(number)

            def read(_):
                image = tf.numpy_function(self._read_first, [files_at(index, tries)], tf.uint8, stateful=False)
                return index, tf.ensure_shape(image, [None, None, self.channels])

            one = tf.data.Dataset.range(1)
            decoded = one.map(plainly(decode)).ignore_errors().filter(plainly(self.usable))
            decoded = decoded.map(plainly(lambda _, image: (index, image)))
            return decoded.concatenate(one.map(plainly(read))).take(1)

        at_once = parallel_calls if parallel_calls > 0 else 2 * (os.cpu_count() or 1)
        return indices.interleave(
            plainly(attempt),
            cycle_length=at_once,
            block_length=1,
            num_parallel_calls=parallel_calls,
            deterministic=True,
        )

    def _read_first(self, numbers) -> np.ndarray:
        """The first of some files that Python can read."""
        for number in numbers.tolist():
            if self.failure is not None:
                raise self.failure
            if number in self._unreadable:
                continue
            try:
                return self.read(number)
            except InputError as error:
                self._note(number, error)
        raise self._fail(f"of {len(numbers)} files of {self._setting} in a row none can be read")

    def _note(self, number: int, error: InputError) -> None:
        """Adds a file to the broken ones, whichever threads meet it."""
        with self._lock:
            if number in self._unreadable:
                return
            self._add(number, error)
            _log.warning("%s %s; another file takes its place", *self.broken[-1])
            self._judge(self.count)

    def _add(self, number: int, error: InputError) -> None:
        file = self._files[number]
        message = str(error)
        self._unreadable.add(number)
        self.broken.append((file, message[len(file) + 1 :] if message.startswith(f"{file} ") else message))

    def _judge(self, count: int) -> None:
        """Fails where too many of `count` files are broken."""
        broken = len(self.broken)
        if broken == count:
            raise self._fail(f"none of the {count} files of {self._setting} can be read: {self._names()}")
        if broken > self._max_broken_share * count:
            raise self._fail(
                f"{broken} of {count} files of {self._setting} cannot be read, more than "
                f"data.max_broken_fraction {self._max_broken_share:g}: {self._names()}"
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
        numbers = spread(self.count, CHECKED_AT_START).tolist()

        def complaint(number):
            try:
                self.check(number)
            except InputError as error:
                return error
            return None

        with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as threads:
            for number, error in zip(numbers, threads.map(complaint, numbers)):
                if error is not None:
                    self._add(number, error)
        if self.broken:
            self._judge(len(numbers))
            message = "%d of %d files of %s cannot be read, other files take their places: %s"
            _log.warning(message, len(self.broken), len(numbers), self._setting, self._names(most=20))


def spread(total: int, most: int) -> np.ndarray:
    """At most so many of the numbers 0 .. total - 1, int64, evenly spread."""
    number = min(total, most)
    return np.arange(number, dtype=np.int64) * total // number
