"""The table of metrics measured of each completion, with what is printed beside each number."""

from __future__ import annotations

from typing import Callable, NamedTuple

from tf_inpaint import metrics

HIGHER, LOWER, AS_TRUTH = "higher", "lower", "as the truth"
WHOLE, HOLE, SET = "whole picture", "hole only", "set of whole pictures"


class Measure(NamedTuple):
    """A metric and what is printed beside its number.

    Attributes:
        name: its row in the table.
        region: which pixels count.
        range: of pixel values, and the unit.
        formula: with c completed, t truth, m mask (1 = hole), sums over pixels and channels.
        better: `HIGHER`, `LOWER` or `AS_TRUTH`.
        compute: (completed, image) -> [B], of the hole (completed, image, mask); None for those of `features`.
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


_DB, _UNIT, _PURE = "[0,1], dB", "[0,1]", "a ratio"

PER_IMAGE = (
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
)
