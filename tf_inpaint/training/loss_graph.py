"""The losses of a run as an image: one graph for each network, and one for the error on validation images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

_GRAPHS = (
    ("generator_loss", "generator loss"),
    ("discriminator_loss", "discriminator loss"),
    ("hole_l1", "L1 in validation holes"),
)


def loss_graph(scalars):
    """Draw what a run has logged so far.

    Args:
        scalars: path of a run's scalars.jsonl.
    Returns:
        uint8 [H, W, 3], or None while there are fewer than two lines to draw a curve through.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in Path(scalars).read_text(encoding="utf-8").splitlines()]
    curves = {name: [(line["step"], line[name]) for line in lines if name in line] for name, _ in _GRAPHS}
    graphs = [(curves[name], title) for name, title in _GRAPHS if len(curves[name]) > 1]
    if not graphs:
        return None
    figure = Figure(figsize=(4.5 * len(graphs), 3.2), dpi=100, layout="constrained")
    for axes, (points, title) in zip(figure.subplots(1, len(graphs), squeeze=False)[0], graphs):
        steps, values = np.array(points, float).T
        axes.plot(steps, values, linewidth=1, color="tab:blue")
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
