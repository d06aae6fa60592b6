"""The sheet: images side by side in rows, with headings, titles and captions."""

from __future__ import annotations

from typing import Sequence

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from tf_inpaint.io.grid import image_grid

_LEAST_CELL = 160  # pixels; smaller images are enlarged by an integer factor
_GREATEST_CELL = 320  # larger ones are scaled down
_GAP, _TEXT, _FONT = 8, 20, 13
_INK, _PALE = (20, 20, 20), (110, 110, 110)


def draw(rows: Sequence[tuple], headings: Sequence[str]) -> np.ndarray:
    """The sheet.

    Args:
        rows: of (title, images uint8 [H, H, 3], captions), an image and a caption for each heading.
        headings: of the columns.
    Returns:
        uint8 [rows, columns, 3].
    """
    # Between two rows of images stand the captions of the upper and the title of the lower one.
    images = image_grid([list(map(cell, row)) for _, row, _ in rows], gap=(2 * _TEXT + _GAP, _GAP))
    left, top = _GAP, 2 * _TEXT + _GAP
    sheet = Image.new("RGB", (images.shape[1] + 2 * _GAP, top + images.shape[0] + _TEXT + _GAP), "white")
    sheet.paste(Image.fromarray(images), (left, top))

    pen = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), _FONT)
    side = len(cell(rows[0][1][0]))
    lefts = [left + column * (side + _GAP) for column in range(len(headings))]
    for x, heading in zip(lefts, headings):
        pen.text((x, _GAP // 2), _fitting(heading, side, font), _INK, font)
    for index, (title, _, captions) in enumerate(rows):
        y = top + index * (side + 2 * _TEXT + _GAP)
        pen.text((left, y - _TEXT), _fitting(title, len(lefts) * side, font), _INK, font)
        for x, caption in zip(lefts, captions):
            pen.text((x, y + side + 1), caption, _PALE, font)
    return np.asarray(sheet)


def cell(image: np.ndarray) -> np.ndarray:
    """An image uint8 [H, H, 3] at the size it is shown: no smaller than people see, no larger than they need."""
    side = image.shape[0]
    if side > _GREATEST_CELL:
        return np.asarray(Image.fromarray(image).resize((_GREATEST_CELL,) * 2, Image.LANCZOS))
    factor = -(-_LEAST_CELL // side) if side < _LEAST_CELL else 1
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _fitting(text, width, font):
    """Text cut so that it fits."""
    while len(text) > 4 and font.getlength(text) > width:
        text = text[:-4] + "..."
    return text
