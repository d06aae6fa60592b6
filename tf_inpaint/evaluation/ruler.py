"""The ruler that all completions are measured by."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import tensorflow as tf

from tf_inpaint import metrics
from tf_inpaint.evaluation.features import Features
from tf_inpaint.evaluation.measures import HOLE, PER_IMAGE, WHOLE
from tf_inpaint.evaluation.tasks import Task
from tf_inpaint.ops.levels import from_levels

_PRINTED = ("region", "range", "formula", "better", "digits")


class Ruler:
    """Measures one image at a time, on the processor and in float64: batches and accelerators change nothing.

    Args:
        side: of the images.
        features: FID and VGG distance.
    Attributes:
        metrics: names of what is measured of each image.
    """

    def __init__(self, side: int, features: Features):
        self._side, self._features = side, features
        self._measures = [measure for measure in PER_IMAGE if side >= measure.least_side]
        self.metrics = [measure.name for measure in self._measures] + features.per_image
        self._graph = tf.function(self._run, autograph=False)

    def start(self) -> None:
        """Loads what it needs."""
        self._features.start()

    def measure(self, task: Task, completed: Sequence[np.ndarray]) -> list[dict[str, float]]:
        """{metric: value} for each of the completed images uint8 [H, W, 3]."""
        features = self._features.measure(task.index, task.image, np.stack(completed))
        return [{**self._values(one, task), **more} for one, more in zip(completed, features)]

    def variation(self, image: np.ndarray) -> float:
        """The metric "tv" of a truth, uint8 [H, W, 3]."""
        with tf.device("/CPU:0"):
            return float(metrics.total_variation(tf.constant(from_levels(image[np.newaxis])))[0])

    def described(self) -> dict[str, dict]:
        """{name: what is printed beside its number} of all metrics, with the reason of those not measured."""
        missing = {
            measure.name: f"pictures of {self._side} pixels are smaller than the {measure.least_side} it needs"
            for measure in PER_IMAGE
            if self._side < measure.least_side
        }
        missing.update(self._features.missing)
        described = {}
        for measure in (*PER_IMAGE, *self._features.measures):
            described[measure.name] = {key: getattr(measure, key) for key in _PRINTED}
            if measure.name in missing:
                described[measure.name]["not_measured"] = missing[measure.name]
        return described

    def _values(self, completed, task):
        with tf.device("/CPU:0"):
            values = self._graph(*(tf.constant(array[np.newaxis]) for array in (completed, task.image, task.mask)))
        return dict(zip([measure.name for measure in self._measures], values.numpy().tolist()))

    def _run(self, completed, image, mask):
        completed, image = (from_levels(tf.cast(levels, tf.float64)) for levels in (completed, image))
        mask = tf.cast(mask, tf.float64)[..., tf.newaxis]  # [1, H, W, 1]
        given = {WHOLE: (completed, image), HOLE: (completed, image, mask)}
        values = [measure.compute(*given[measure.region])[0] for measure in self._measures]
        return tf.stack([tf.cast(value, tf.float64) for value in values])
