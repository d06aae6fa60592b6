"""What the levels 0 .. 255 of files and arrays mean, for arrays and tensors alike; no TensorFlow is imported."""

from __future__ import annotations

MASK_THRESHOLD = 127  # half of white; levels above it are a hole, or painted
EDGE_THRESHOLD = 153  # 0.6 of white, as in the release; levels above it are an edge


def from_levels(levels):
    """Levels 0 .. 255 as numbers in [-1, 1]; of tensors, floats alone."""
    return levels / 127.5 - 1.0


def to_levels(values):
    """Numbers in [-1, 1] as levels 0 .. 255, neither rounded nor clipped."""
    return (values + 1.0) * 127.5
