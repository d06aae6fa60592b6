"""Processes that train together: what they tell each other, and what is said when one of them is lost.

All workers make the same steps on the same weights, in step through the collectives in which gradients are averaged.
Whatever else decides how the loop goes on, such as a signal to one of them, has to be agreed on, lest one wait for the
others for ever. In a single process nothing has to be, and everything here does nothing.
"""

from __future__ import annotations

import contextlib
import re
import zlib

import tensorflow as tf

from tf_inpaint.errors import InputError, without_warnings

# What TensorFlow raises when a peer is gone, if these words are in it: the type alone says too little.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)
_WORDS = re.compile(r"collective|nccl|/job:|heartbeat|coordination|barrier", re.IGNORECASE)


class Workers:
    """The workers of a strategy.

    Args:
        strategy: any `tf.distribute` strategy.

    Attributes:
        count: how many there are.
        is_chief: whether this is the one that writes files and reports.
    """

    def __init__(self, strategy):
        self._strategy = strategy
        resolver = strategy.cluster_resolver
        self._addresses = resolver.cluster_spec().as_dict().get("worker", []) if resolver is not None else []
        self.count = max(len(self._addresses), 1)
        self.is_chief = self.count == 1 or resolver.task_id == 0
        # In a graph: eager collectives start threads, and may not end them.
        self._sum = tf.function(self._sum_over_workers, autograph=False)

    def any(self, wish):
        """Whether any worker wishes it; every worker must ask."""
        return bool(wish) if self.count == 1 else float(self._sum(tf.constant(float(bool(wish))))) > 0.0

    def wait(self):
        """Until every worker has come here."""
        self.any(False)

    def take_over_from_chief(self, variables):
        """Give every worker the chief's values of a nest of variables."""
        if self.count == 1:
            return
        variables = tf.nest.flatten(variables)
        for dtype in sorted({variable.dtype for variable in variables}, key=str):  # in the same order everywhere
            alike = [variable for variable in variables if variable.dtype == dtype]
            values = self._of_chief(tf.concat([tf.reshape(variable, [-1]) for variable in alike], axis=0))
            values = tf.split(values, [variable.shape.num_elements() for variable in alike])
            for variable, value in zip(alike, values):
                variable.assign(tf.reshape(value, variable.shape))

    def check_same(self, texts):
        """Raise InputError at the workers where a text, by what it is, is not the chief's."""
        for what, text in texts.items() if self.count > 1 else ():
            mine = tf.constant(zlib.crc32(text.encode()), tf.int64)
            if int(self._of_chief(mine)) != int(mine):
                raise InputError(
                    f"this worker and the chief have not the same {what}: give all workers the same commands and files"
                )

    def said_by_chief(self):
        """Context in which warnings that all workers have alike are the chief's to say."""
        return contextlib.nullcontext() if self.is_chief else without_warnings("tf_inpaint")

    @contextlib.contextmanager
    def explained_loss(self, last_checkpoint):
        """Turn the TensorFlow errors in which the loss of a worker arrives into a sentence.

        Args:
            last_checkpoint: function that returns its prefix, or None.
        """
        try:
            yield
        except _LOST as error:
            if self.count == 1 or not _WORDS.search(str(error)):
                raise
            named = re.search(r"/task:(\d+)", str(error))
            which = int(named[1]) if named else -1
            hint = f" (TensorFlow names worker {which}, {self._addresses[which]})" if 0 <= which < self.count else ""
            last = last_checkpoint()
            begin = f"go on from {last}" if last else "begin again, for there is no checkpoint yet"
            raise InputError(
                f"another worker has ended or cannot be reached{hint}, so that this one ends too: start all workers "
                f"again with the same commands, and they {begin}"
            ) from error

    def _of_chief(self, value):
        return self._sum(value if self.is_chief else tf.zeros_like(value))

    def _sum_over_workers(self, value):
        """Of a value that each worker has one of."""
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)
