"""The numbers of LaMa's masks: strokes or boxes, by kind and by the image's side; no TensorFlow is imported."""

from __future__ import annotations

from typing import NamedTuple, Tuple

MOST_SEGMENTS = 5  # of a stroke
HEADINGS = 4  # of a segment: 0.01 and 0, 1, 2 or 3 radians
FIRST_HEADING = 0.01
FULL_TURN = 2 * 3.1415926  # as the release has it


class MaskNumbers(NamedTuple):
    """What masks of a kind are drawn from, in pixels; ends of ranges are included.

    Attributes:
        box_weight: how often boxes are drawn, relative to strokes.
        strokes: least and greatest number of strokes.
        widths, lengths: of a segment.
        boxes: least and greatest number of boxes.
        box_sides: of a box, as far as the image has room.
        margin: that boxes keep from the image's border.
    """

    box_weight: float
    strokes: Tuple[int, int]
    widths: Tuple[int, int]
    lengths: Tuple[int, int]
    boxes: Tuple[int, int] = (1, 1)
    box_sides: Tuple[int, int] = (1, 1)
    margin: int = 0

    @property
    def box_fraction(self):
        """How many masks are of boxes."""
        return self.box_weight / (1.0 + self.box_weight)

    def scaled(self, factor):
        """For images `factor` times as large."""

        def of(pixels, least=1):
            return max(least, int(pixels * factor + 0.5))

        pairs = {name: tuple(map(of, getattr(self, name))) for name in ("widths", "lengths", "box_sides")}
        return self._replace(margin=of(self.margin, 0), **pairs)


# The number of strokes is up to one more than the release's configurations say.
_NUMBERS = {
    "lama": {256: MaskNumbers(1.0, (1, 6), (5, 104), (10, 209), (1, 4), (30, 150), 10)},
    "thin": {
        256: MaskNumbers(0.0, (4, 51), (5, 14), (10, 49)),
        512: MaskNumbers(0.0, (4, 71), (5, 24), (10, 109)),
    },
    "medium": {
        256: MaskNumbers(0.3, (4, 6), (5, 54), (10, 109), (1, 5), (10, 50)),
        512: MaskNumbers(0.3, (4, 11), (5, 104), (10, 209), (1, 5), (30, 150)),
    },
    "thick": {
        256: MaskNumbers(0.3, (1, 6), (5, 104), (10, 209), (1, 3), (30, 150), 10),
        512: MaskNumbers(0.3, (1, 6), (5, 254), (10, 459), (1, 4), (30, 300), 10),
    },
}
LAMA_KINDS = tuple(_NUMBERS)


def mask_numbers(kind, side):
    """`MaskNumbers` of a kind for images whose shorter side is this.

    Those of 256 and 512 pixels are the release's; between them and beyond, lengths scale with the side.

    Reference: Suvorov et al. 2022, section 2.4 and the release's configurations.
    """
    of_sizes = _NUMBERS[kind]
    base = max((size for size in of_sizes if size <= side), default=min(of_sizes))
    return of_sizes[base].scaled(side / base)
