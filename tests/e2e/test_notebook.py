"""The notebook, cell by cell, without Jupyter."""

import json

import matplotlib
import pytest
from runs import ROOT

pytestmark = pytest.mark.slow


def test_every_cell_of_the_quickstart_runs(tmp_path, monkeypatch, capsys):
    notebook = json.loads((ROOT / "examples" / "quickstart.ipynb").read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] for cell in cells)  # they are not kept
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    names = {}
    for cell in cells:
        exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    mask, image = names["mask"], names["image"]
    for completed in (names["completed"], names["alone"], names["tuned"]):
        assert (completed[~mask] == image[~mask]).all() and (completed[mask] != image[mask]).mean() > 0.5
    assert (names["tuned"][mask] != names["alone"][mask]).any()
    assert "done: 4 steps" in capsys.readouterr().out
