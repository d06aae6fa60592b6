"""Images laid out in rows and columns, to be looked at together."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_GAP = 4  # pixels between cells
_INK = 60  # level of titles


def image_grid(
    rows: Sequence[Sequence[np.ndarray]], gap: int | tuple[int, int] = _GAP, background: int = 255
) -> np.ndarray:
    """Lays images out on a plain background, each at the top left of its cell.

    Args:
        rows: of uint8 [h, w] or uint8 [h, w, C], alike in channels; cells are as large as the largest image, and rows
            may be of different lengths.
        gap: pixels between cells; or (between rows, between columns).
        background: level of gaps and of what images leave free.
    Returns:
        uint8 [H, W] or uint8 [H, W, C].
    """
    down, across = gap if isinstance(gap, tuple) else (gap, gap)
    images = [image for row in rows for image in row]
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    shape = [len(rows) * (height + down) - down, max(map(len, rows)) * (width + across) - across]
    canvas = np.full([*shape, *images[0].shape[2:]], background, np.uint8)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            top, left = i * (height + down), j * (width + across)
            canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    return canvas


def titled_grid(rows: Mapping[str, Sequence[np.ndarray]]) -> np.ndarray:
    """An `image_grid` with the title of each row on its left.

    Args:
        rows: title -> uint8 [h, w, 3] each.
    Returns:
        uint8 [H, W, 3].
    """
    font, grid = ImageFont.load_default(), image_grid(list(rows.values()))
    boxes = [font.getbbox(title) for title in rows]
    margin = max(right for _, _, right, _ in boxes) + 2 * _GAP
    sheet = Image.new("RGB", (margin + grid.shape[1], grid.shape[0]), "white")
    sheet.paste(Image.fromarray(grid), (margin, 0))
    pen, pitch = ImageDraw.Draw(sheet), (grid.shape[0] + _GAP) / len(rows)
    for index, (title, (_, _, right, bottom)) in enumerate(zip(rows, boxes)):
        pen.text((margin - _GAP - right, index * pitch + (pitch - _GAP - bottom) / 2), title, (_INK,) * 3, font)
    return np.asarray(sheet)
