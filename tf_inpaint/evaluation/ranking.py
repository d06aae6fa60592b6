"""Who leads in one metric, and by how much, over all images and in each bin of the hole ratio; as sentences too.

Two methods are compared on the same images, so that the error of their difference is that of paired numbers: what
makes one image harder than another for both does not count.
"""

from __future__ import annotations

from typing import Callable, Iterable

from tf_inpaint.evaluation.summary import Running, ratio_bin, rounded
from tf_inpaint.evaluation.table import bin_range


def rank(results: dict, rows: Callable[[], Iterable[dict]], metric: str) -> dict:
    """The ranking by a metric that is measured of each image.

    Args:
        results: as `evaluate` returns them.
        rows: function that gives those of the journal, from the first again.
        metric: name.
    Returns:
        "metric"; "all" and "by_hole_share", a list of it for each bin: the methods from the best on, each with its
        "method", "rank" (1, 2 ...), "mean", "behind" (how much worse than the first, 0 or more), "standard_error" of
        that difference, and "within_error": whether it is no more than that, or of a single image.
    """
    sign = -1.0 if results["metrics"][metric]["better"] == "higher" else 1.0
    names = [method["name"] for method in results["methods"]]
    bins = [ratio_bin((one["above"] + one["up_to"]) / 2) for one in results["methods"][0]["by_hole_share"]]
    means = {None: [method["results"][metric]["mean"] for method in results["methods"]]}
    for place, index in enumerate(bins):
        means[index] = [method["by_hole_share"][place]["mean"][metric] for method in results["methods"]]
    order = {key: sorted(range(len(names)), key=lambda i, of=of: sign * of[i]) for key, of in means.items()}
    behind = {(key, name): Running() for key in order for name in names}
    for row in rows():
        for key in (None, ratio_bin(row["hole_share"])):
            best = row["values"][names[order[key][0]]][metric]
            for name in names:
                behind[key, name].add(sign * (row["values"][name][metric] - best))

    def ranked(key):
        return [
            _place(number, names[i], means[key][i], behind[key, names[i]])
            for number, i in enumerate(order[key], start=1)
        ]

    by_ratio = [ranked(index) for index in bins]
    return {"metric": metric, "all": ranked(None), "by_hole_share": by_ratio}


def _place(number, name, mean, difference):
    error = difference.deviation / difference.count**0.5
    return {
        "method": name,
        "rank": number,
        "mean": mean,
        "behind": rounded(difference.mean),
        "standard_error": rounded(error),
        "within_error": difference.count < 2 or difference.mean <= error,
    }


def sentences(results: dict) -> list[str]:
    """What the ranking says, a sentence for all images and one for each bin of the hole ratio, if there are several."""
    ranking, bins = results["ranking"], results["methods"][0]["by_hole_share"]
    digits = results["metrics"][ranking["metric"]]["digits"]
    count = results["pictures"]["count"]
    said = [f"Over all {count} pictures {_said(ranking['all'], ranking['metric'], digits)}"]
    if len(bins) > 1:
        for one, places in zip(bins, ranking["by_hole_share"]):
            said.append(f"Holes of {bin_range(one)}: {_said(places, ranking['metric'], digits)}")
    return said


def _said(places, metric, digits):
    first, *others = places
    text = f"{first['method']} is best in {metric} ({first['mean']:.{digits}f})"
    if not others:
        return f"{text}: there is no other method."
    close = [place for place in others if place["within_error"]]
    clear = next((place for place in others if not place["within_error"]), None)
    if close:
        differences = ", ".join(f"{place['method']} ({_behind(place, digits)})" for place in close)
        text += f", but within the standard error of {differences}"
    if clear:
        text += f"; {clear['method']} is behind by {_behind(clear, digits)}"
    return f"{text}."


def _behind(place, digits):
    return f"{place['behind']:.{digits}f} ± {place['standard_error']:.{digits}f}"
