"""Plots of an evaluation, by matplotlib without a screen: metrics against hole ratio, training curves."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tf_inpaint.evaluation.table import bin_range

# At most, of those measured.
_SHOWN = ("feature_distance", "psnr", "hole_psnr", "ssim", "hole_l1", "relative_l1", "vgg_distance")
_CURVES = (
    ("generator_loss", "generator's loss"),
    ("discriminator_loss", "critic's loss"),
    ("hole_l1", "validation: hole_l1"),
    ("psnr", "validation: PSNR, dB"),
)
_COLUMNS = 2
_LEGEND_COLUMNS, _LEGEND_ROW = 6, 0.3  # inches
_MARKERS = "osD^vPX*<>"


def draw_by_ratio(path, results: dict) -> None:
    """Metrics against hole ratio, a line for each method; bars where all holes are of one size.

    Args:
        path: of the PNG.
        results: as `evaluate` returns them.
    """
    shown = [name for name in _SHOWN if name in results["methods"][0]["results"]][:4]
    figure, axes = _panels(len(shown))
    bins = results["methods"][0]["by_hole_share"]
    for axis, name in zip(axes, shown):
        metric = results["metrics"][name]
        (_lines if len(bins) > 1 else _bars)(axis, results, name)
        axis.set_title(f"{name} ({metric['region']}, {metric['range']}; {metric['better']} is better)", fontsize=9)
    _save(figure, axes, path)


def _lines(axis, results, name):
    bins = results["methods"][0]["by_hole_share"]
    for method, marker in zip(results["methods"], itertools.cycle(_MARKERS)):
        heights = [ratio_bin["mean"][name] for ratio_bin in method["by_hole_share"]]
        axis.plot(range(len(bins)), heights, marker=marker, markersize=5, label=method["name"])
    labels = [f"{bin_range(ratio_bin)}\n{ratio_bin['count']} pictures" for ratio_bin in bins]
    axis.set_xticks(range(len(bins)), labels, fontsize=7)
    axis.set_xlabel("hole, share of the picture", fontsize=8)
    axis.grid(alpha=0.3)


def _bars(axis, results, name):
    methods = results["methods"]
    means = [method["results"][name]["mean"] for method in methods]
    errors = [method["results"][name]["standard_error"] for method in methods]
    bars = axis.barh(range(len(methods)), means, xerr=errors, color=[f"C{i}" for i in range(len(methods))], height=0.6)
    axis.bar_label(bars, [f"{mean:.{results['metrics'][name]['digits']}f}" for mean in means], padding=3, fontsize=8)
    axis.margins(x=0.15)
    axis.set_yticks(range(len(methods)), [method["name"] for method in methods], fontsize=8)
    axis.invert_yaxis()
    ratio = results["masks"]["share_mean"]
    axis.set_xlabel(f"holes cover {ratio:.0%}; whiskers: standard error of the mean", fontsize=8)


def draw_training(path, runs: dict) -> None:
    """Training curves of the runs that have any.

    Args:
        path: of the PNG; not written where there are none.
        runs: {name: run folder, or any other place of a checkpoint}.
    """
    scalars = {name: read_scalars(Path(folder)) for name, folder in runs.items()}
    scalars = {name: lines for name, lines in scalars.items() if lines}
    shown = [(key, title) for key, title in _CURVES if any(key in line for lines in scalars.values() for line in lines)]
    if not shown:
        Path(path).unlink(missing_ok=True)  # of an earlier evaluation
        return
    figure, axes = _panels(len(shown))
    for axis, (key, title) in zip(axes, shown):
        for name, lines in scalars.items():
            points = [(line["step"], line[key]) for line in lines if isinstance(line.get(key), (int, float))]
            if points:
                axis.plot(*zip(*points), label=name, linewidth=1.2)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("step", fontsize=8)
        axis.grid(alpha=0.3)
    _save(figure, axes, path)


def read_scalars(folder: Path) -> list[dict]:
    """The lines of a run folder's scalars.jsonl, none where it has none; a torn last line is passed over."""
    places = (folder / "scalars.jsonl", folder.parent / "scalars.jsonl")  # `folder` may be its checkpoints
    file = next((place for place in places if place.is_file()), None)
    lines = []
    for text in file.read_text(encoding="utf-8").splitlines() if file else ():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and "step" in line:
            lines.append(line)
    return lines


def _panels(count):
    rows = -(-count // _COLUMNS)
    figure = Figure(figsize=(10, 0.5 + 2.9 * rows), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).flatten()
    for axis in axes[count:]:
        axis.set_visible(False)
    for axis in axes:
        axis.tick_params(labelsize=8)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    return figure, axes[:count]


def _save(figure, axes, path):
    """Writes a figure, with one legend for all its panels below them."""
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels())}
    rows = -(-len(handles) // _LEGEND_COLUMNS)
    if rows:
        figure.legend(
            list(handles.values()), list(handles), loc="lower center", ncol=_LEGEND_COLUMNS, fontsize=9, frameon=False
        )
    figure.tight_layout(rect=(0, rows * _LEGEND_ROW / figure.get_figheight(), 1, 1))
    figure.savefig(path, metadata={"Software": None})
