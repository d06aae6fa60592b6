"""The sheet: input, each method and truth side by side, of the worst, the median and the best image."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from tf_inpaint.evaluation.tasks import Task
from tf_inpaint.io.grid import image_grid

_LEAST_CELL = 160  # pixels; smaller images are enlarged by an integer factor
_GREATEST_CELL = 320  # larger ones are scaled down
_GAP, _TEXT, _FONT = 8, 20, 13
_INK, _PALE = (20, 20, 20), (110, 110, 110)


class Line(NamedTuple):
    """A row of the sheet.

    Attributes:
        rank: "worst", "median" or "best".
        task: the image.
        completed: uint8 [H, W, 3] by each method.
        psnr: of each method.
    """

    rank: str
    task: Task
    completed: Sequence[np.ndarray]
    psnr: Sequence[float]


def draw(lines: Sequence[Line], methods: Sequence[str]) -> np.ndarray:
    """The sheet.

    Args:
        lines: its rows.
        methods: names, in the order of `Line.completed`.
    Returns:
        uint8 [rows, columns, 3].
    """
    # Between two rows of images stand the captions of the upper and the title of the lower one.
    rows = [list(map(_cell, [_input(line.task), *line.completed, line.task.image])) for line in lines]
    images = image_grid(rows, gap=(2 * _TEXT + _GAP, _GAP))
    left, top = _GAP, 2 * _TEXT + _GAP
    sheet = Image.new("RGB", (images.shape[1] + 2 * _GAP, top + images.shape[0] + _TEXT + _GAP), "white")
    sheet.paste(Image.fromarray(images), (left, top))

    pen = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), _FONT)
    side = len(rows[0][0])
    lefts = [left + column * (side + _GAP) for column in range(len(methods) + 2)]
    for x, heading in zip(lefts, ["input", *methods, "truth"]):
        pen.text((x, _GAP // 2), _fitting(heading, side, font), _INK, font)
    for row, line in enumerate(lines):
        y = top + row * (side + 2 * _TEXT + _GAP)
        title = f"{line.rank} by PSNR of {methods[0]}: {line.task.name}"
        pen.text((left, y - _TEXT), _fitting(title, len(lefts) * side, font), _INK, font)
        for x, psnr in zip(lefts[1:], line.psnr):
            pen.text((x, y + side + 1), f"{psnr:.2f} dB", _PALE, font)
    return np.asarray(sheet)


def _input(task):
    return np.where(task.mask[..., np.newaxis], np.uint8(255), task.image)


def _cell(image):
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
