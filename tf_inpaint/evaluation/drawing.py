"""Masks drawn in integers only, so that every machine, library version and batch size draws the same bits.

A drawing is a function (draws, size, index) -> bool [size, size], True = hole. Lengths are those of an image of 256
pixels and scale with it. Masks for training are drawn in floating point by `tf_inpaint.ops.masks`, which is quicker on
an accelerator and the same only up to rounding.
"""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

import numpy as np

from tf_inpaint.ops.lama_masks import FIRST_HEADING, HEADINGS, MOST_SEGMENTS, mask_numbers

REFERENCE_SIZE = 256  # of the image whose pixels lengths are stated in
RATIO_BINS = 6  # hole ratios 0-10, 10-20, ... 50-60 %
_LEAST_RATIO = 1  # percent, of the first bin

_BRUSH = (12, 39)  # least and greatest diameter, at 256 pixels
_STROKES, _SEGMENTS = (1, 3), (4, 11)
_ANGLE, _ANGLE_SPREAD = 72, 24  # degrees
_DEGREE = 64  # angles are integers, in 1/64 degree
_ONE = 1 << 16  # fixed point


class Draws:
    """Random integers that depend on nothing but a seed and an index: SHA-256 of "seed/index/count"."""

    def __init__(self, seed: int, index: int):
        self._key = f"{seed}/{index}"
        self._count = 0

    def below(self, limit: int) -> int:
        """An integer in 0 .. limit - 1, all as likely up to 2^-64."""
        word = hashlib.sha256(f"{self._key}/{self._count}".encode()).digest()[:8]
        self._count += 1
        return int.from_bytes(word, "big") * limit >> 64

    def between(self, least: int, greatest: int) -> int:
        """An integer in least .. greatest, both included."""
        return least + self.below(greatest - least + 1)


def square(size: int, side: int, top: int | None = None, left: int | None = None) -> np.ndarray:
    """A square hole, in the middle unless it is said where."""
    top, left = ((size - side) // 2 if at is None else at for at in (top, left))
    mask = np.zeros((size, size), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def rectangle(draws: Draws, size: int, index: int) -> np.ndarray:
    """The square of half the image's side at any place inside it, all as likely."""
    room = size - size // 2
    return square(size, size // 2, draws.between(0, room), draws.between(0, room))


def strokes(draws: Draws, size: int, index: int) -> np.ndarray:
    """Free-form strokes of a round brush, the procedure of `ops.masks.strokes` in integers.

    1 to 3 strokes of 4 to 11 segments, of a brush 12 to 39 wide at 256 pixels, heading up and down by turns at about
    72 degrees to the horizontal, mirrored at random. Lengths are a sum of twelve even numbers, which is nearly normal.

    Reference: Yu et al. 2019, section 3.5, algorithm 1, with the parameters of the release.
    """
    while True:
        mask = np.zeros((size, size), bool)
        for _ in range(draws.between(*_STROKES)):
            _zigzag(mask, draws)
        if draws.below(2):
            mask = mask[::-1]
        if draws.below(2):
            mask = mask[:, ::-1]
        if mask.any() and not mask.all():
            return np.ascontiguousarray(mask)


def ratio_bin(draws: Draws, size: int, index: int) -> np.ndarray:
    """Strokes in all directions until they cover a ratio drawn from the bin of this index; bins take turns.

    Bin b = index mod 6 holds ratios above b * 10 % (1 % for the first), up to (b + 1) * 10 %.

    Reference: Liu et al. 2018, "Image inpainting for irregular holes using partial convolutions", section 4.1, has
        these bins. Its masks are files (protocol from_files); these are drawn.
    """
    low, high = ratio_limits(index % RATIO_BINS, size)
    wanted = low + 1 + draws.below((high - low) * 4 // 5)  # below the top, so that a last stroke finds room
    mask, covered, end = np.zeros((size, size), bool), 0, None
    while covered < wanted:
        start = end or (draws.below(size), draws.below(size))
        end = _step(start, draws.below(360 * _DEGREE), _length(draws, size), size)
        segment = mask.copy()
        _segment(segment, start, end, draws.between(*_BRUSH) * size)
        count = int(segment.sum())
        if count > high:
            end = None  # begin elsewhere
        else:
            mask, covered = segment, count
            if not draws.below(8):
                end = None  # a stroke has eight segments on average
    return mask


def ratio_limits(bin_index: int, size: int) -> tuple[int, int]:
    """A bin's limits in pixels of hole: more than the first, at most the second."""
    return size * size * max(10 * bin_index, _LEAST_RATIO) // 100, size * size * 10 * (bin_index + 1) // 100


def _zigzag(mask, draws):
    """Adds one stroke of the free-form procedure."""
    size = len(mask)
    low = _ANGLE * _DEGREE - draws.below(_ANGLE_SPREAD * _DEGREE + 1)
    high = _ANGLE * _DEGREE + draws.below(_ANGLE_SPREAD * _DEGREE + 1)
    brush = draws.between(*_BRUSH)
    start = draws.below(size), draws.below(size)
    for i in range(draws.between(*_SEGMENTS)):
        angle = draws.between(low, high)
        end = _step(start, -angle if i % 2 == 0 else angle, _length(draws, size), size)
        _segment(mask, start, end, brush * size)
        start = end


def _length(draws, size):
    """Nearly normal around a = diagonal / 8 with deviation a / 2, within 0 .. 2 a; in 1/256 pixel."""
    mean = math.isqrt(2 * size * size << 16) // 8
    deviations = sum(draws.below(_ONE) for _ in range(12)) - 6 * _ONE
    return min(max(mean + (mean * deviations >> 17), 0), 2 * mean)


def _step(start, angle, length, size):
    """Where a step leads, cut off at the edge. Sines are rounded to 16 bits: no library differs by that much."""
    turn = math.pi * angle / (180 * _DEGREE)
    steps = round(math.sin(turn) * _ONE), round(math.cos(turn) * _ONE)
    return tuple(min(max(at + (length * step >> 24), 0), size - 1) for at, step in zip(start, steps))


def _segment(mask, start, end, width):
    """Adds all pixels within half a width, in 1/256 pixel, of the segment between two pixels (y, x)."""
    size = len(mask)
    reach = width // (2 * REFERENCE_SIZE) + 1
    slices, offsets = [], []
    for a, b in zip(start, end):
        first, last = max(min(a, b) - reach, 0), min(max(a, b) + reach + 1, size)
        slices.append(slice(first, last))
        offsets.append(np.arange(first, last, dtype=np.int64) - a)
    y, x = offsets[0][:, np.newaxis], offsets[1][np.newaxis]
    dy, dx = end[0] - start[0], end[1] - start[1]
    squared = dy * dy + dx * dx
    along = y * dy + x * dx
    near_start, near_end = y * y + x * x, (y - dy) ** 2 + (x - dx) ** 2
    scale, limit = 2 * REFERENCE_SIZE, width * width  # (2 * distance)^2 <= width^2, in 1/256 pixel
    beside = scale * np.abs(y * dx - x * dy) <= math.isqrt(limit * squared)  # of the root, as squares overflow
    near = scale**2 * np.minimum(near_start, near_end) <= limit
    inside = np.where((along > 0) & (along < squared), beside, near)
    mask[tuple(slices)] |= inside


class LamaMasks(NamedTuple):
    """Masks as LaMa is tested with: strokes in eight directions, now and then boxes, covering at most half.

    Attributes:
        kind: "thin", "medium" or "thick".
        side: of the image, in pixels, for which the release states lengths.
    Reference: Suvorov et al. 2022, supplementary material, and the release's configurations.
    Deviations: in integers and with our seeds; one more of a kind is drawn, instead of one of five chosen, where a mask
        covers more than half; images are cut by our protocols.
    """

    kind: str
    side: int

    def __call__(self, draws: Draws, size: int, index: int) -> np.ndarray:
        numbers = mask_numbers(self.kind, self.side)
        while True:
            mask = np.zeros((size, size), bool)
            if numbers.box_weight and draws.below(13) < 3:
                self._add_boxes(mask, draws, numbers)
            else:
                self._add_strokes(mask, draws, numbers)
            if mask.any() and 2 * mask.sum() <= size * size:
                return mask

    def _add_strokes(self, mask, draws, numbers):
        size = len(mask)
        for stroke in range(draws.between(*numbers.strokes)):
            start = draws.below(size), draws.below(size)
            for _ in range(draws.between(1, MOST_SEGMENTS)):
                angle = FIRST_HEADING + draws.below(HEADINGS)  # radians
                angle = -angle if stroke % 2 == 0 else angle
                length, width = draws.between(*numbers.lengths), draws.between(*numbers.widths)
                turn = round(math.cos(angle) * _ONE), round(math.sin(angle) * _ONE)
                end = tuple(
                    min(max(at + (length * step * size // self.side >> 16), 0), size) for at, step in zip(start, turn)
                )
                _segment(mask, start, end, (width + 1) * REFERENCE_SIZE * size // self.side)
                start = end

    def _add_boxes(self, mask, draws, numbers):
        size = len(mask)
        margin = numbers.margin * size // self.side
        for _ in range(draws.between(*numbers.boxes)):
            least, greatest = (side * size // self.side for side in numbers.box_sides)
            height, width = (draws.between(least, min(greatest, size - 2 * margin - 1)) for _ in range(2))
            top, left = (draws.between(margin, size - margin - side) for side in (height, width))
            mask[top : top + height, left : left + width] = True


def around_centre(draws: Draws, size: int, index: int) -> np.ndarray:
    """All but the middle square of three quarters of the side."""
    return ~square(size, size * 3 // 4)


DRAWINGS = {
    "around_centre": around_centre,
    **{f"lama_{kind}_{side}": LamaMasks(kind, side) for kind in ("thin", "medium", "thick") for side in (256, 512)},
    "centre": lambda draws, size, index: square(size, size // 2),
    "small_centre": lambda draws, size, index: square(size, size // 4),
    "rectangle": rectangle,
    "strokes": strokes,
    "ratio_bin": ratio_bin,
}
