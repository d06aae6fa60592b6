"""report.html: everything about an evaluation in one file that opens from disk, its images included."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Sequence

import numpy as np

from tf_inpaint.evaluation import ranking, table
from tf_inpaint.evaluation.sheet import cell
from tf_inpaint.io.images import encode_png


def write(folder: Path, results: dict, examples: Sequence[tuple]) -> None:
    """Writes report.html into a folder that holds the plots and run.json.

    Args:
        folder: of the output.
        results: as `evaluate` returns them.
        examples: rows of the sheet, of the input, each method and the truth.
    """
    import jinja2  # here, so that the command's usage is told at once

    loader = jinja2.PackageLoader("tf_inpaint.evaluation", "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["digits"] = lambda value, digits: f"{value:.{digits}f}"
    page = environment.get_template("report.html").render(
        **results,
        run=json.loads((folder / "run.json").read_text(encoding="utf-8")),
        embedded=lambda name: _embedded(folder / name),
        examples=[(title, _strip(results, *row)) for title, *row in examples],
        best=_best,
        sentences=ranking.sentences(results),
        **{function.__name__: function for function in (table.printed, table.ratios, table.bin_range)},
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def _best(name, metric, methods):
    """Names of the methods whose printed number is the best."""
    if len(methods) < 2 or metric["better"] not in ("higher", "lower"):
        return set()
    choose = max if metric["better"] == "higher" else min
    best = choose(methods, key=lambda method: method["results"][name]["mean"])
    number = table.printed(best, name, metric)
    return {method["name"] for method in methods if table.printed(method, name, metric) == number}


def _strip(results, images, captions):
    """(data URI, (heading, caption) of each) of images side by side: input, truth, the methods from the best on.

    What they have in common costs next to nothing where one PNG holds them all.
    """
    places = {method["name"]: place for place, method in enumerate(results["methods"], start=1)}
    ranked = [place["method"] for place in results["ranking"]["all"]]
    order = {"input": 0, "truth": -1, **{name: places[name] for name in ranked}}
    strip = np.concatenate([cell(images[place]) for place in order.values()], axis=1)
    return _data_uri(encode_png(strip)), [(name, captions[place]) for name, place in order.items()]


def _embedded(path):
    """A PNG as a data URI; nothing where there is none."""
    return _data_uri(path.read_bytes()) if path.is_file() else ""


def _data_uri(png):
    return "data:image/png;base64," + base64.b64encode(png).decode()
