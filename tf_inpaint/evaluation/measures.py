"""The table of metrics, with what is printed beside each number, and the ruler that measures completions by it."""

from __future__ import annotations

from typing import Callable, NamedTuple, Sequence

import numpy as np
import tensorflow as tf

from tf_inpaint import metrics
from tf_inpaint.evaluation.features import (
    FEATURE_DISTANCE,
    FEATURE_FID,
    FEATURE_IS,
    FID,
    KID,
    LPIPS,
    VGG,
    Features,
)
from tf_inpaint.evaluation.tasks import Task
from tf_inpaint.ops.levels import from_levels

HIGHER, LOWER, AS_TRUTH = "higher", "lower", "as the truth"
# As results files have it.
WHOLE, HOLE, BORDER, SET = "whole picture", "hole only", "border of the hole", "set of whole pictures"


class Measure(NamedTuple):
    """A metric and what is printed beside its number.

    Attributes:
        name: its row in the table.
        region: which pixels count.
        range: of pixel values, and the unit.
        formula: with c completed, t truth, m mask (1 = hole), sums over pixels and channels.
        better: `HIGHER`, `LOWER` or `AS_TRUTH`.
        compute: (completed, image) -> [B], of hole or border (completed, image, mask); None for those of `features`.
        digits: after the point, where people read it.
        least_side: of an image it can be measured of.
    """

    name: str
    region: str
    range: str
    formula: str
    better: str
    compute: Callable | None = None
    digits: int = 4
    least_side: int = 1


_PRINTED = ("region", "range", "formula", "better", "digits")
_DB, _UNIT, _PURE = "[0,1], dB", "[0,1]", "a ratio"
_LITE = "EfficientNet-Lite0 features"

MEASURES = (
    Measure(
        FEATURE_DISTANCE,
        WHOLE,
        _LITE,
        "LPIPS' form with all weights 1: at stages 1, 3, 5, 11, 16 mean over places of |f/|f| - f'/|f'||^2, summed",
        LOWER,
    ),
    Measure(
        FEATURE_FID,
        SET,
        _LITE,
        "|mu-mu'|^2 + tr(S + S' - 2 (S S')^1/2) of pooled features (not the network of published FIDs; biased upwards "
        "for few pictures: compare at equal counts)",
        LOWER,
        digits=3,
    ),
    Measure(
        KID,
        SET,
        _LITE,
        "mean k(c,c') + mean k(t,t') - 2 mean k(c,t) over all pairs of two pictures, k(x,y) = (x.y / 1280 + 1)^3 of "
        "pooled features (unbiased: may be below 0; not the network of published KIDs)",
        LOWER,
        digits=6,
    ),
    Measure(
        FEATURE_IS,
        SET,
        _LITE,
        "exp of mean KL(p(y|c) || mean of p) over the classes y of ImageNet (not the network of published Inception "
        "Scores; knows nothing of the truth, and grows with the number of pictures)",
        HIGHER,
        digits=2,
    ),
    Measure(LPIPS, WHOLE, "AlexNet or VGG16 features", "Zhang 2018, version 0.1, with its learnt weights", LOWER),
    Measure("psnr", WHOLE, _DB, "-10 log10 mean((c-t)^2), at most 100", HIGHER, metrics.psnr, 3),
    Measure("hole_psnr", HOLE, _DB, "-10 log10(hole_l2), at most 100", HIGHER, metrics.hole_psnr, 3),
    Measure(
        "ssim",
        WHOLE,
        _UNIT,
        "Wang 2004, Gaussian 11 x 11, sigma 1.5, K 0.01 and 0.03, mean of channels (tf.image.ssim)",
        HIGHER,
        metrics.ssim,
        least_side=metrics.SSIM_LEAST_SIDE,
    ),
    Measure(
        "ms_ssim",
        WHOLE,
        _UNIT,
        "Wang 2003, five scales (tf.image.ssim_multiscale)",
        HIGHER,
        metrics.ms_ssim,
        least_side=metrics.MS_SSIM_LEAST_SIDE,
    ),
    Measure("l1", WHOLE, _UNIT, "mean|c-t|", LOWER, metrics.l1),
    Measure("l2", WHOLE, _UNIT, "mean((c-t)^2)", LOWER, metrics.l2, 5),
    Measure("hole_l1", HOLE, _UNIT, "sum m|c-t| / sum m", LOWER, metrics.hole_l1),
    Measure("hole_l2", HOLE, _UNIT, "sum m(c-t)^2 / sum m", LOWER, metrics.hole_l2, 5),
    Measure("relative_l1", WHOLE, _PURE, "sum|c-t| / sum|t| (DeepFill's l1)", LOWER, metrics.relative_l1),
    Measure("relative_l2", WHOLE, _PURE, "sum((c-t)^2) / sum(t^2) (DeepFill's l2)", LOWER, metrics.relative_l2, 5),
    Measure("symmetric_l1", WHOLE, _PURE, "sum|c-t| / sum(c+t) (PEN-Net's MAE)", LOWER, metrics.symmetric_l1),
    Measure(
        "tv",
        WHOLE,
        _UNIT,
        "sum of |differences| of neighbours down and to the right / number of values (DeepFill's TV)",
        AS_TRUTH,
        lambda completed, image: metrics.total_variation(completed),
    ),
    Measure(
        "seam",
        BORDER,
        _UNIT,
        "mean|step of c| - mean|step of t| between neighbours of which one is known, one in the hole (0: as the truth; "
        "above: a visible edge)",
        AS_TRUTH,
        metrics.seam,
    ),
    Measure(
        VGG,
        WHOLE,
        "VGG16 features",
        "LPIPS without its learnt weights: at five layers of Keras' VGG16 mean over places of |f/|f| - f'/|f'||^2, "
        "summed",
        LOWER,
    ),
    Measure(
        FID,
        SET,
        "InceptionV3 features",
        "|mu-mu'|^2 + tr(S + S' - 2 (S S')^1/2) of Keras' InceptionV3 (not the network of published FIDs; biased "
        "upwards for few pictures: compare at equal counts)",
        LOWER,
        digits=2,
    ),
)


class Ruler:
    """Measures one image at a time, on the processor and in float64: batches and accelerators change nothing.

    Args:
        side: of the images.
        features: what needs a network.
    Attributes:
        metrics: names of what is measured of each image.
    """

    def __init__(self, side: int, features: Features):
        self._side, self._features = side, features
        self._measures = [measure for measure in MEASURES if measure.compute and side >= measure.least_side]
        measured = {*(measure.name for measure in self._measures), *features.per_image}
        self.metrics = [measure.name for measure in MEASURES if measure.name in measured]
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

    def described(self, count: int) -> dict[str, dict]:
        """{name: what is printed beside its number} of all metrics, with the reason of those not measured.

        Args:
            count: of the images measured.
        """
        described = {}
        for measure in MEASURES:
            described[measure.name] = {key: getattr(measure, key) for key in _PRINTED}
            why = self._features.missing.get(measure.name)
            if self._side < measure.least_side:
                why = f"pictures of {self._side} pixels are smaller than the {measure.least_side} it needs"
            if measure.region == SET and count < 2:
                why = why or "it needs two pictures at least"
            if why:
                described[measure.name]["not_measured"] = why
        return described

    def _values(self, completed, task):
        with tf.device("/CPU:0"):
            values = self._graph(*(tf.constant(array[np.newaxis]) for array in (completed, task.image, task.mask)))
        return dict(zip([measure.name for measure in self._measures], values.numpy().tolist()))

    def _run(self, completed, image, mask):
        completed, image = (from_levels(tf.cast(levels, tf.float64)) for levels in (completed, image))
        mask = tf.cast(mask, tf.float64)[..., tf.newaxis]  # [1, H, W, 1]
        of_all, of_hole = (completed, image), (completed, image, mask)
        given = {WHOLE: of_all, HOLE: of_hole, BORDER: of_hole}
        values = [measure.compute(*given[measure.region])[0] for measure in self._measures]
        return tf.stack([tf.cast(value, tf.float64) for value in values])
