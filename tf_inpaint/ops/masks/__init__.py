"""Random holes as pure functions of a stateless seed: (seed, height, width, options) -> [H, W, 1], 1 = hole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Tuple, Union

import tensorflow as tf

from tf_inpaint.ops.masks.blobs import blobs
from tf_inpaint.ops.masks.noise import noise_region
from tf_inpaint.ops.masks.strokes import strokes
from tf_inpaint.ops.masks.turned_boxes import turned_box as draw_turned_box


@dataclass(frozen=True)
class MaskOptions:
    """Which holes are drawn (section `mask` of a config); sizes in pixels.

    Attributes:
        kind: "box"; "centre", the same at the picture's centre; "brush_stroke", free-form strokes; "union" of a box and
            strokes (DeepFill v2); "half" of the picture; "outpainting", all but the picture's middle; "shapes",
            blobs like the outlines of things; "noise", blotches all over (Context Encoders' random regions);
            "turned_box", a box that is turned (PEN-Net); "files", masks of your own; "mix" of these.
        height, width: size of the box before its random inset.
        max_delta_height, max_delta_width: the hole is the box shrunk on each side by a whole number of pixels drawn
            uniformly from 0 .. max_delta / 2, one number per axis.
        vertical_margin, horizontal_margin: the box keeps this far from the picture's edge.
        mix: for kind "mix", the kinds and how often each is drawn, such as [[box, 1], [brush_stroke, 2]].
        strokes: least and greatest number of strokes.
        segments: least and greatest number of straight segments of a stroke.
        brush_width: least and greatest width of a stroke; the greatest is never quite reached.
        stroke_angle, stroke_angle_spread: degrees between a segment and the horizontal: the first, give or take up to
            the second.
        release_strokes: draw strokes exactly as release 2 does: all leaning to the right, since its random mirroring is
            never applied, and with height and width exchanged, which can leave no hole in pictures that are not square.
        side: which half is the hole: "left", "right", "top", "bottom", or "random".
        border: for "outpainting", share of each side, at either end, that is hole; below 0.5.
        shapes: least and greatest number of blobs.
        shape_radius: least and greatest radius of a blob, as shares of the picture's shorter side.
        noise_fraction: for "noise", least and greatest fraction of the image that is hole.
        turn: for "turned_box", the greatest angle in degrees; a box comes out smaller the more it is turned.
        files: for kind "files": masks as pictures (white = hole): a folder, a glob, a list file, or a list of these;
            they are stretched to the size of the picture. Others take the places of those that cannot be read, or have
            no hole or nothing known, up to `data.max_broken_fraction` of them.
        invert_files: the holes of these files are black.
        flip_files: mirror every second of them left to right, and every second upside down.
        per_batch: True draws one hole for all pictures of a batch, as the releases do.
    """

    kind: str = "box"
    height: int = 128
    width: int = 128
    max_delta_height: int = 32
    max_delta_width: int = 32
    vertical_margin: int = 0
    horizontal_margin: int = 0
    mix: Tuple[Tuple[str, float], ...] = ()
    strokes: Tuple[int, int] = (1, 3)
    segments: Tuple[int, int] = (4, 11)
    brush_width: Tuple[float, float] = (12.0, 40.0)
    stroke_angle: float = 72.0
    stroke_angle_spread: float = 24.0
    release_strokes: bool = False
    side: Literal["random", "left", "right", "top", "bottom"] = "random"
    border: float = 0.25
    shapes: Tuple[int, int] = (1, 3)
    shape_radius: Tuple[float, float] = (0.1, 0.3)
    noise_fraction: Tuple[float, float] = (0.2, 0.3)
    turn: int = 45
    files: Union[str, Tuple[str, ...]] = ""
    invert_files: bool = False
    flip_files: bool = True
    per_batch: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that are drawn: those of a mix, or the one."""
        return tuple(kind for kind, _ in self.mix) if self.kind == "mix" else (self.kind,)

    @property
    def is_box(self) -> bool:
        """Whether every hole is a box of `height` x `width` (less its inset), as the release's local critic assumes."""
        return self.kind in ("box", "centre")

    @property
    def has_box(self) -> bool:
        """Whether some holes are, or contain, such a box."""
        return not {"box", "centre", "union", "turned_box"}.isdisjoint(self.kinds)


def _inset_box(seed, height, width, top, left, options):
    """The box at (top, left), shrunk on each side by a random whole number of pixels per axis."""
    seeds = tf.random.experimental.stateless_split(seed, 2)
    inset_h = _uniform_integer(seeds[0], options.max_delta_height // 2 + 1)
    inset_w = _uniform_integer(seeds[1], options.max_delta_width // 2 + 1)
    rows = tf.range(height)[:, tf.newaxis]
    columns = tf.range(width)[tf.newaxis, :]
    inside = (
        (rows >= top + inset_h)
        & (rows < top + options.height - inset_h)
        & (columns >= left + inset_w)
        & (columns < left + options.width - inset_w)
    )
    return tf.cast(inside, tf.float32)[:, :, tf.newaxis]  # [H, W, 1]


def _uniform_integer(seed, count):
    """A whole number in 0 .. count - 1."""
    return tf.random.stateless_uniform([], seed, 0, count, dtype=tf.int32)


def box(seed, height, width, options: MaskOptions):
    """A box drawn uniformly inside the margins, shrunk by a random inset.

    Args:
        seed: int32 [2], stateless.
        height, width: of the picture, at least as large as box and margins.
        options: sizes; the box's last possible row and column are never drawn, as in the release (for 128 of 256
            pixels, top and left are below 128), except where it is the only one.
    Returns:
        mask: float32 [height, width, 1], 1 = hole.
    Reference: Yu et al. 2018, release 1.0.0 (statistics of the reference masks).
    Deviations: none.
    """
    seeds = tf.random.experimental.stateless_split(seed, 3)
    top_range = max(height - 2 * options.vertical_margin - options.height, 1)
    left_range = max(width - 2 * options.horizontal_margin - options.width, 1)
    top = options.vertical_margin + _uniform_integer(seeds[0], top_range)
    left = options.horizontal_margin + _uniform_integer(seeds[1], left_range)
    return _inset_box(seeds[2], height, width, top, left, options)


def centre(seed, height, width, options: MaskOptions):
    """The box of `box` at the picture's centre; with both `max_delta` 0 it does not depend on the seed."""
    top, left = (height - options.height) // 2, (width - options.width) // 2
    return _inset_box(seed, height, width, top, left, options)


def brush_stroke(seed, height, width, options: MaskOptions):
    """Free-form strokes (see `ops.strokes`); arguments and result as `box`."""
    return strokes(
        seed,
        height,
        width,
        count=options.strokes,
        segments=options.segments,
        brush_width=options.brush_width,
        angle=options.stroke_angle,
        angle_spread=options.stroke_angle_spread,
        as_released=options.release_strokes,
    )


def union(seed, height, width, options: MaskOptions):
    """What `box` or `brush_stroke` or both cover; arguments and result as `box`.

    Reference: Yu et al. 2019, in the form of release 2.
    """
    seeds = tf.random.experimental.stateless_split(seed, 2)
    return tf.maximum(box(seeds[0], height, width, options), brush_stroke(seeds[1], height, width, options))


def half(seed, height, width, options: MaskOptions):
    """The half of the picture that `options.side` names; arguments and result as `box`."""
    left = tf.tile(tf.range(width)[tf.newaxis, :, tf.newaxis] < width // 2, [height, 1, 1])
    top = tf.tile(tf.range(height)[:, tf.newaxis, tf.newaxis] < height // 2, [1, width, 1])
    halves = {"left": left, "right": ~left, "top": top, "bottom": ~top}
    if options.side == "random":
        return tf.cast(tf.stack(list(halves.values()))[_uniform_integer(seed, len(halves))], tf.float32)
    return tf.cast(halves[options.side], tf.float32)


def outpainting(seed, height, width, options: MaskOptions):
    """All but the middle of the picture: `options.border` of each side is hole at either end.

    Arguments and result as `box`; the seed is not used. At least a pixel stays known.
    """
    known = tf.ones([1, 1], tf.bool)
    for axis, length in ((0, height), (1, width)):
        edge = min(round(options.border * length), (length - 1) // 2)
        place = tf.range(length)
        known &= tf.expand_dims((place >= edge) & (place < length - edge), 1 - axis)
    return tf.cast(~known, tf.float32)[:, :, tf.newaxis]


def shapes(seed, height, width, options: MaskOptions):
    """Smooth random blobs, of the size of things in pictures (see `ops.shapes`); arguments and result as `box`."""
    return blobs(seed, height, width, count=options.shapes, radius=options.shape_radius)


def noise(seed, height, width, options: MaskOptions):
    """Blotches all over the picture (see `ops.regions`); arguments and result as `box`."""
    return noise_region(seed, height, width, options.noise_fraction)


def turned_box(seed, height, width, options: MaskOptions):
    """A box anywhere, turned by a whole number of degrees (see `ops.turned_boxes`); arguments and result as `box`."""
    seeds = tf.random.experimental.stateless_split(seed, 3)
    top = _uniform_integer(seeds[0], height - options.height + 1)
    left = _uniform_integer(seeds[1], width - options.width + 1)
    angle = _uniform_integer(seeds[2], options.turn + 1)
    return draw_turned_box(height, width, options.height, options.width, top, left, angle)


# All kinds but "files", which belongs to `tf_inpaint.data.masks`, and "mix".
MASKS = {
    "box": box,
    "centre": centre,
    "brush_stroke": brush_stroke,
    "union": union,
    "half": half,
    "outpainting": outpainting,
    "shapes": shapes,
    "noise": noise,
    "turned_box": turned_box,
}
