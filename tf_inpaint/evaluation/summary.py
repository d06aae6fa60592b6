"""Statistics over images, streamed in their order: the same sums whatever the batches were."""

from __future__ import annotations

import math
from array import array
from typing import Iterable, Sequence

BINS = 10  # of the hole ratio: above 0 up to 10 %, above 10 up to 20 % ...
DIGITS = 10  # significant, of what is written


class Running:
    """Count, mean, deviation, least and greatest of numbers that come one by one (Welford), in float64."""

    def __init__(self):
        self.count, self.mean, self._squares = 0, 0.0, 0.0
        self.least, self.greatest = math.inf, -math.inf

    def add(self, value: float) -> None:
        """Counts one more."""
        self.count += 1
        difference = value - self.mean
        self.mean += difference / self.count
        self._squares += difference * (value - self.mean)
        self.least, self.greatest = min(self.least, value), max(self.greatest, value)

    @property
    def deviation(self) -> float:
        """The standard deviation of the numbers, 0 for a single one."""
        return math.sqrt(self._squares / (self.count - 1)) if self.count > 1 else 0.0


class Summary:
    """What the rows of a journal come to.

    Args:
        rows: as `Journal.rows` gives them.
        methods: names.
        metrics: names.
    Attributes:
        count: images.
        total: {(method, metric): Running}.
        by_ratio: {(bin, method, metric): Running}.
        ratio: Running of the hole ratios.
        truth_tv: Running of the total variation of the truths.
        indices: of the images that count, in order.
        indices_by_ratio: {bin: those of its images}.
    """

    def __init__(self, rows: Iterable[dict], methods: Sequence[str], metrics: Sequence[str]):
        self.methods, self.metrics = list(methods), list(metrics)
        self.total = {(method, metric): Running() for method in methods for metric in metrics}
        self.by_ratio: dict[tuple, Running] = {}
        self.ratio, self.truth_tv = Running(), Running()
        self.indices = array("l")
        self.indices_by_ratio: dict[int, array] = {}
        self._ranking = array("d")
        for row in rows:
            self._add(row)
        self.count = self.ratio.count

    def _add(self, row):
        ratio = row["hole_share"]
        self.ratio.add(ratio)
        self.truth_tv.add(row["truth_tv"])
        self.indices.append(row["number"])
        self.indices_by_ratio.setdefault(ratio_bin(ratio), array("l")).append(row["number"])
        self._ranking.append(row["values"][self.methods[0]][self.metrics[0]])
        for method, metric in self.total:
            value = row["values"][method][metric]
            self.total[method, metric].add(value)
            self.by_ratio.setdefault((ratio_bin(ratio), method, metric), Running()).add(value)

    def bins(self) -> list[int]:
        """The bins of the hole ratio that hold images."""
        return sorted(self.indices_by_ratio)

    def of(self, method: str) -> dict:
        """What results.json holds of a method: "results" over all images, "by_hole_share" in bins."""
        results = {}
        for metric in self.metrics:
            total = self.total[method, metric]
            results[metric] = {
                "mean": rounded(total.mean),
                "deviation": rounded(total.deviation),
                "standard_error": rounded(total.deviation / total.count**0.5),
            }
        by_ratio = []
        for index in self.bins():
            means = {metric: rounded(self.by_ratio[index, method, metric].mean) for metric in self.metrics}
            count = self.by_ratio[index, method, self.metrics[0]].count
            by_ratio.append({"above": index / BINS, "up_to": (index + 1) / BINS, "count": count, "mean": means})
        return {"results": results, "by_hole_share": by_ratio}

    def ranked(self, higher: bool) -> dict[str, int]:
        """Indices of the images that are worst, median and best of the first method by the first metric.

        Args:
            higher: values of the metric are better.
        """
        sign = 1.0 if higher else -1.0
        order = sorted(range(self.count), key=lambda place: (sign * self._ranking[place], place))
        picks = {"worst": order[0], "median": order[self.count // 2], "best": order[-1]}
        return {rank: self.indices[place] for rank, place in picks.items()}


def ratio_bin(ratio: float) -> int:
    """The bin of a hole ratio: above b / 10, up to (b + 1) / 10."""
    return max(math.ceil(round(ratio * BINS, 9)) - 1, 0)


def rounded(value: float) -> float:
    """A number as it is written."""
    return float(f"{value:.{DIGITS}g}")
