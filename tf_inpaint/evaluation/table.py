"""Results as text: the table of the terminal, JSON and CSV files."""

from __future__ import annotations

import csv
import json
import textwrap
from pathlib import Path
from typing import Iterable, Sequence

_WIDTH = 110


def terminal_table(results: dict) -> str:
    """The table people read: a metric a row, a method a column, region and range beside each, formulas below."""
    methods = [method["name"] for method in results["methods"]]
    heading = ["metric", "better", "region", "range", *methods]
    rows, formulas = [], []
    for name, metric in results["metrics"].items():
        numbers = [printed(method, name, metric) for method in results["methods"]]
        if "not_measured" in metric:
            numbers = [f"not measured: {metric['not_measured']}"]
        rows.append([name, metric["better"], metric["region"], metric["range"], *numbers])
        formulas.append((name, metric["formula"]))
    measured = [row for row in rows if len(row) == len(heading)]
    widths = [max(len(row[i]) for row in [heading, *measured]) for i in range(len(heading))]
    for i in range(4):
        widths[i] = max(widths[i], *(len(row[i]) for row in rows))
    lines = [*headline(results), "", _line(heading, widths), "  ".join("-" * width for width in widths)]
    lines += [_line(row, widths) for row in rows]
    lines += ["", "c completed, t truth, m mask (1 = hole); means over pictures of:"]
    longest = max(len(name) for name, _ in formulas)
    for name, formula in formulas:
        lines += textwrap.wrap(
            f"{name:<{longest}}  {formula}", _WIDTH, initial_indent="  ", subsequent_indent=" " * (longest + 4)
        )
    lines.append(f"tv of the truths: {results['truth']['tv']:.4f}")
    lines += [f"not compared: {name}: {why}" for name, why in results["missing_methods"].items()]
    return "\n".join(lines)


def headline(results: dict) -> list[str]:
    """What was evaluated, in lines."""
    protocol, pictures, masks = results["protocol"], results["pictures"], results["masks"]
    left_out = len(pictures["left_out"])
    count = f"{pictures['count']} picture{'s' * (pictures['count'] != 1)}"
    if left_out:
        count += f" of {pictures['count'] + left_out}: {left_out} left out"
    return [
        f"{count}, {protocol['size']} x {protocol['size']}, protocol {protocol['name']}",
        f"  fitted: {protocol['fit']}",
        f"  holes:  {protocol['holes']}; {masks['origin']}; {ratios(masks)}",
        f"  SHA-256 of the masks:    {masks['sha256']}",
        f"  SHA-256 of the pictures: {pictures['sha256']}",
    ]


def ratios(masks: dict) -> str:
    """How much of the images is hole, in words."""
    text = f"{masks['share_mean']:.1%} of the picture"
    if masks["share_least"] < masks["share_greatest"]:
        text += f" on average, {masks['share_least']:.1%} to {masks['share_greatest']:.1%}"
    return text


def printed(method: dict, name: str, metric: dict) -> str:
    """A method's number as people read it, or "" where it was not measured."""
    if "not_measured" in metric:
        return ""
    return f"{method['results'][name]['mean']:.{metric['digits']}f}"


def bins_table(results: dict, metric: str) -> str:
    """One metric by hole ratio: a method a column; "" where all holes are of one bin, or it is not measured."""
    methods = results["methods"]
    bins = methods[0]["by_hole_share"]
    if len(bins) < 2 or "not_measured" in results["metrics"][metric]:
        return ""
    digits = results["metrics"][metric]["digits"]
    heading = [f"{metric} by hole share", "pictures", *(method["name"] for method in methods)]
    rows = []
    for first, *columns in zip(bins, *(method["by_hole_share"] for method in methods)):
        means = [f"{column['mean'][metric]:.{digits}f}" if metric in column["mean"] else "" for column in columns]
        rows.append([bin_range(first), str(first["count"]), *means])
    widths = [max(len(row[i]) for row in [heading, *rows]) for i in range(len(heading))]
    return "\n".join(_line(row, widths, left=1) for row in [heading, *rows])


def bin_range(ratio_bin: dict) -> str:
    """A bin of hole ratios in words."""
    return f"{100 * ratio_bin['above']:.0f}-{100 * ratio_bin['up_to']:.0f} %"


def write_files(folder: Path, results: dict, rows: Iterable[dict], metrics: Sequence[str]) -> None:
    """Writes results.json and the CSV files.

    Args:
        results: as `evaluate` returns them.
        rows: of the journal.
        metrics: those in the rows.
    """
    text = json.dumps(results, indent=2, ensure_ascii=False) + "\n"
    (folder / "results.json").write_text(text, encoding="utf-8")
    _write_csv(folder / "results.csv", _of_methods(results))
    _write_csv(folder / "per_image.csv", _of_images(rows, [method["name"] for method in results["methods"]], metrics))


def _of_methods(results):
    """A line for each method and metric, with what belongs beside the number."""
    beside = ("region", "range", "better", "formula")
    spread = ("mean", "deviation", "standard_error")
    yield ["method", "metric", *spread, "pictures", *beside, "not_measured"]
    for method in results["methods"]:
        for name, metric in results["metrics"].items():
            values = method["results"].get(name, {})
            numbers = [*(values.get(key, "") for key in spread), results["pictures"]["count"]]
            yield [method["name"], name, *numbers, *map(metric.get, beside), metric.get("not_measured", "")]


def _of_images(rows, methods, metrics):
    """A line for each image and method."""
    about = ("picture", "hole_share", "mask_sha256")
    yield [*about, "method", *metrics]
    for row in rows:
        for method in methods:
            yield [*map(row.get, about), method, *map(row["values"][method].get, metrics)]


def _write_csv(path, lines):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)


def _line(cells, widths, left=4):
    """A line of cells, the first few aligned to the left, numbers to the right."""
    padded = (f"{cell:{'<' if i < left else '>'}{width}}" for i, (cell, width) in enumerate(zip(cells, widths)))
    return "  ".join(padded).rstrip()
