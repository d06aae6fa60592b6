"""Random masks as pure functions of a stateless seed, one kind a file: `MASKS[kind](seed, height, width, options)`.

Arguments are an int32 [2] seed, the image's height and width as whole numbers, and `MaskOptions`, of which a kind reads
what concerns it; the result is float32 [height, width, 1], 1 = hole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Tuple, Union

from tf_inpaint.ops.masks.blobs import shapes
from tf_inpaint.ops.masks.box import box, boxes, centre
from tf_inpaint.ops.masks.lama import MASKS_OF_LAMA
from tf_inpaint.ops.masks.noise import noise
from tf_inpaint.ops.masks.outpainting import half, outpainting
from tf_inpaint.ops.masks.strokes import brush_stroke, union
from tf_inpaint.ops.masks.turned_box import turned_box

# All kinds but "files", which belongs to `tf_inpaint.data.masks`, and "mix".
MASKS = {
    "box": box,
    "boxes": boxes,
    "centre": centre,
    "brush_stroke": brush_stroke,
    "union": union,
    "half": half,
    "outpainting": outpainting,
    "shapes": shapes,
    "noise": noise,
    "turned_box": turned_box,
    **MASKS_OF_LAMA,
}


@dataclass(frozen=True)
class MaskOptions:
    """Which holes are drawn (section `mask` of a config); sizes in pixels.

    Attributes:
        kind: "box"; "boxes", several, which may overlap; "centre", one at the image's centre; "brush_stroke", free-form
            strokes; "union" of a box and strokes (DeepFill v2); "half" of the image; "outpainting", all but the image's
            middle; "shapes", blobs like the outlines of things; "noise", blotches all over (Context Encoders' random
            regions); "turned_box", a box that is turned (PEN-Net); "lama", LaMa's strokes or boxes, as it is trained
            with, and "thin", "medium" and "thick", those of its tests, all by the image's size alone; "files", masks of
            your own; "mix" of these.
        height, width: size of a box before its random inset.
        boxes: for "boxes", least and greatest number of them.
        max_delta_height, max_delta_width: a hole is the box shrunk on each side by a whole number of pixels drawn
            uniformly from 0 .. max_delta / 2, one number per axis.
        vertical_margin, horizontal_margin: the box keeps this far from the image's border.
        mix: for kind "mix", the kinds and how often each is drawn, such as [[box, 1], [brush_stroke, 2]].
        strokes: least and greatest number of strokes.
        segments: least and greatest number of straight segments of a stroke.
        brush_width: least and greatest width of a stroke; the greatest is never quite reached.
        stroke_angle, stroke_angle_spread: degrees between a segment and the horizontal: the first, give or take up to
            the second.
        release_strokes: draw strokes exactly as release 2 does: all leaning to the right, since its random mirroring is
            never applied, and with height and width exchanged, which can leave no hole in images that are not square.
        side: which half is the hole: "left", "right", "top", "bottom", or "random".
        border: for "outpainting", fraction of each side, at either end, that is hole; below 0.5.
        shapes: least and greatest number of blobs.
        shape_radius: least and greatest radius of a blob, as fractions of the image's shorter side.
        noise_fraction: for "noise", least and greatest fraction of the image that is hole.
        turn: for "turned_box", the greatest angle in degrees; a box comes out smaller the more it is turned.
        files: for kind "files": masks as image files (white = hole): a folder, a glob, a list file, or a list of these;
            they are stretched to the size of the image. Others take the places of those that cannot be read, or have
            no hole or nothing known, up to `data.max_broken_fraction` of them.
        files_from: what of these files is the hole: "light", "dark", "alpha" (what is transparent), "colour" (all paint
            on a plain or transparent ground); "auto" finds out, and files that look like no mask count as broken.
        invert_files: what these files mark is known.
        flip_files: mirror every second of them left to right, and every second upside down.
        per_batch: True draws one hole for all images of a batch, as the releases do.
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
    boxes: Tuple[int, int] = (1, 4)
    files: Union[str, Tuple[str, ...]] = ""
    files_from: Literal["auto", "light", "dark", "alpha", "colour"] = "auto"
    invert_files: bool = False
    flip_files: bool = True
    per_batch: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that are drawn: those of a mix, or the one."""
        return tuple(kind for kind, _ in self.mix) if self.kind == "mix" else (self.kind,)

    @property
    def is_box(self) -> bool:
        """Whether every hole is a box of `height` x `width` less its inset, which a local discriminator needs."""
        return self.kind in ("box", "centre")

    @property
    def has_box(self) -> bool:
        """Whether some holes are, or contain, such a box."""
        return not {"box", "boxes", "centre", "union", "turned_box"}.isdisjoint(self.kinds)
