"""Holes from mask files: what in a file is the hole, and whether the file looks like a mask at all. No TensorFlow here.

A mask has two levels, or nearly: JPEG's ringing and soft brushes stay masks. A layer with transparency is paint. What
looks like neither is refused or warned of in a sentence that says what was seen and which option decides.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tf_inpaint.errors import InputError
from tf_inpaint.io.images import NEAR, PIXEL_LIMIT, ImageFile, mask_levels, read_image
from tf_inpaint.ops.levels import MASK_THRESHOLD

MASK_SOURCES = ("auto", "light", "dark", "alpha", "colour")

_MOST_COVERED = 0.9  # of the pixels by a hole that somebody meant
_SETTLED = 0.9  # of the pixels have one of two colours: a mask
_SOFT = 0.65  # of the pixels, at least, in a mask of a soft brush
_FEW_COLOURS = 16  # a map of painted regions has no more
_STROKE = 0.002  # of the pixels: paint that somebody meant
_NO_MASK = "a photograph where a mask is expected? --mask_from light, dark, alpha or colour says what is the hole"


class Holes(NamedTuple):
    """What a mask file marks.

    Attributes:
        marked: bool [H, W], True = hole.
        warning: a sentence that follows the file's name, or None.
    """

    marked: np.ndarray
    warning: str | None = None


def read_holes(path, mask_from: str = "auto", pixel_limit: int = PIXEL_LIMIT) -> Holes:
    """The holes that a mask file marks.

    Args:
        path, pixel_limit: as in `read_image`.
        mask_from: "light" takes levels above half, "dark" those below, "alpha" what is transparent, "colour" all paint,
            of whatever colour, on the ground that is the most frequent colour, or on transparency; "auto" finds out
            which of light, or of paint on transparency, and refuses what looks like no mask.
    Raises:
        InputError: as `read_image`; if there is no transparency to go by; or if the file looks like no mask.
    """
    image = read_image(path, pixel_limit)
    try:
        return holes_of(image, mask_from)
    except ValueError as error:
        raise InputError(f"the mask {'' if isinstance(path, bytes) else f'{path} '}{error}") from error


def strange_cover(marked: np.ndarray) -> str | None:
    """What is strange about how much a mask, bool [H, W], marks; it follows the file's name. None where nothing is."""
    cover = marked.mean()
    if cover == 0:
        return "marks no hole"
    if cover == 1:
        return "covers the whole image and leaves nothing to complete it from"
    return f"covers {cover:.0%} of the image: inverted?" if cover > _MOST_COVERED else None


def holes_of(image: ImageFile, mask_from: str = "auto") -> Holes:
    """`read_holes` of an image that was read; a ValueError continues a sentence that begins with the file's name."""
    layered = image.alpha is not None and image.alpha.min() != image.alpha.max()
    if mask_from == "auto":
        return _of_layer(image) if layered else _of_levels(image.rgb)
    if mask_from == "alpha":
        if not layered:
            raise ValueError("has no transparent part, which --mask_from alpha takes for the hole")
        return Holes(image.alpha <= MASK_THRESHOLD)
    if mask_from == "colour":
        return Holes(image.alpha > image.alpha.max() // 2 if layered else _off_ground(image.rgb))
    light = image.rgb.max(axis=2) > MASK_THRESHOLD
    opaque = image.alpha > MASK_THRESHOLD if layered else True
    return Holes((light if mask_from == "light" else ~light) & opaque)


def _of_layer(image) -> Holes:
    """Of a file whose transparency varies."""
    rgb, alpha = image.rgb, image.alpha
    if alpha.max() <= MASK_THRESHOLD:
        most = alpha.max() / 255
        raise ValueError(f"is translucent: its paint covers {most:.0%} at most; --mask_from colour takes it")
    painted = rgb[alpha > MASK_THRESHOLD]  # [N, 3]
    low, high = painted.min(axis=0).astype(int), painted.max(axis=0)
    warning = None
    faint = np.count_nonzero((alpha > NEAR) & (alpha <= MASK_THRESHOLD))
    if faint > 0.5 * len(painted):
        warning = f"has {faint:,} pixels of faint paint, which count as known: --mask_from colour may take them"
    if (high - low <= 2 * NEAR).all():
        return Holes(alpha > MASK_THRESHOLD, warning)
    counts = _colours(painted)
    if np.sort(counts)[-_FEW_COLOURS:].sum() < _SETTLED * len(painted):
        share = np.mean(alpha <= MASK_THRESHOLD)
        raise ValueError(
            f"is a photograph of which {share:.0%} are transparent: --mask_from alpha takes that for the hole, "
            "--mask_from colour the rest"
        )
    if np.ptp(painted.astype(int), axis=1).max() > 2 * NEAR:  # colours: no black that could mean "not here"
        return Holes(alpha > MASK_THRESHOLD, warning)
    marked = mask_levels(image) > MASK_THRESHOLD
    if not marked.all():
        warning = "is a layer of light and dark paint, of which the dark counts as known: --mask_from colour takes both"
    return Holes(marked, warning)


def _of_levels(rgb) -> Holes:
    """Of a file without transparency."""
    levels = rgb.max(axis=2)  # [H, W]
    marked = levels > MASK_THRESHOLD
    counts = np.bincount(levels.ravel(), minlength=256)
    seen, size = np.flatnonzero(counts), levels.size
    if len(seen) > 1 and seen[-1] <= MASK_THRESHOLD:
        what = "holds 0 and 1: its" if list(seen) == [0, 1] else "is dark all over: its"
        raise ValueError(
            f"{what} largest level is {seen[-1]}, and a hole is above {MASK_THRESHOLD}: save it with 255 for the hole, "
            "or add --mask_from colour"
        )
    grey = (rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 0] == rgb[..., 2]).all()
    if len(seen) == 1 or grey and len(seen) == 2:
        return Holes(marked)
    if grey:
        poles = [_mode(counts, 0, MASK_THRESHOLD + 1), _mode(counts, MASK_THRESHOLD + 1, 256)]
        near = [counts[max(0, pole - NEAR) : pole + NEAR + 1].sum() for pole in poles if pole is not None]
        settled, black_and_white = sum(near) / size, None not in poles and poles[0] < 32 and poles[1] > 223
        if settled < _SOFT:
            raise ValueError(f"has {len(seen)} levels, of which no two stand out: {_NO_MASK}")
        if settled < _SETTLED and not black_and_white:
            return Holes(marked, f"has {1 - settled:.0%} of its pixels between its two levels: {_NO_MASK}")
        return Holes(marked)
    return _of_colours(rgb, marked)


def _of_colours(rgb, marked) -> Holes:
    counts = _colours(rgb)
    frequent = np.argsort(counts)[::-1][:_FEW_COLOURS]
    settled = counts[frequent].sum() / marked.size
    if settled < _SETTLED:
        raise ValueError(f"has {np.count_nonzero(counts):,} colours, none of them paint on a plain ground: {_NO_MASK}")
    sides = [np.where(_brightness() > MASK_THRESHOLD, counts, 0), np.where(_brightness() > MASK_THRESHOLD, 0, counts)]
    light, dark = (_bin_colour(int(np.argmax(side))) for side in sides)
    # Paint that counts as known: frequent dark colours off the line from the ground to the paint, where soft rims lie.
    missed = [
        int(index)
        for index in frequent
        if sides[1][index] > _STROKE * marked.size and _off_line(_bin_colour(int(index)), dark, light) > 3 * NEAR
    ]
    if missed:
        shade = ", ".join("({:.0f}, {:.0f}, {:.0f})".format(*_bin_colour(index)) for index in missed[:3])
        return Holes(
            marked,
            f"has dark paint, about {shade}, which counts as known: --mask_from colour takes paint of any colour",
        )
    return Holes(marked)


def _off_ground(rgb) -> np.ndarray:
    """bool [H, W]: what differs from the most frequent colour; of a few exact colours, by however little."""
    packed = rgb.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    values, counts = np.unique(packed, return_counts=True)
    ground = values[np.argmax(counts)]
    if len(values) <= _FEW_COLOURS:
        return packed != ground
    ground = np.array([ground >> 16, ground >> 8 & 255, ground & 255], np.int16)
    return np.abs(rgb - ground).max(axis=2) > 4 * NEAR


def _mode(counts, first, end):
    """The most frequent level of first .. end - 1; None where none occurs."""
    return first + int(np.argmax(counts[first:end])) if counts[first:end].any() else None


def _colours(rgb):
    """How often colours occur, in steps of 8 levels: int [32768]."""
    steps = rgb.reshape(-1, 3) >> 3
    index = steps[:, 0].astype(np.int32) << 10 | steps[:, 1].astype(np.int32) << 5 | steps[:, 2]
    return np.bincount(index, minlength=32768)


def _bin_colour(index):
    return np.array([index >> 10, index >> 5 & 31, index & 31]) * 255 / 31


def _brightness():
    """The brightest channel of each step of `_colours`."""
    index = np.arange(32768)
    return np.max([index >> 10, index >> 5 & 31, index & 31], axis=0) * 8 + 7


def _off_line(colour, first, last):
    """How far a colour lies from the line between two others."""
    along = last - first
    place = np.clip(np.dot(colour - first, along) / max(1.0, np.dot(along, along)), 0, 1)
    return np.abs(colour - first - place * along).max()
