"""Edges of images: Canny's, relative to the image, and lines of one pixel from a map of likely edges.

Lengths in pixels are for images of 256 pixels on their shorter side, and grow with it. No TensorFlow here.
"""

from __future__ import annotations

import cv2
import numpy as np

from tf_inpaint.ops.levels import EDGE_THRESHOLD

LEVEL = EDGE_THRESHOLD / 255  # brighter is a line
FRACTION = 0.08  # of an image, its steepest pixels, where Canny's lines may begin
SMOOTHING = 2.0  # pixels
SMALLEST = 12  # pixels

# (y, x) from the north clockwise: bits 0 .. 7 of a neighbourhood.
_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
_REFERENCE_SIDE = 256
_REACH = 40  # pixels to every side, with whose steepness that of a pixel is compared
_LEAST_CONTRAST = 8.0  # levels; fainter steps are noise


def canny_edges(rgb, fraction=FRACTION, smoothing=SMOOTHING, smallest=SMALLEST):
    """Canny's edges, relative to the image, so that dark and faint ones have lines too.

    Steepness is divided by the root of what is usual around, or a face before a bright window would have a contour but
    no eyes. A line begins among the pixels that are steepest then, and goes on at 0.4 of that.

    Args:
        rgb: uint8 [H, W, 3].
        fraction: in (0, 1), of the pixels, that count as steepest.
        smoothing: > 0, deviation of the blur; more leaves only what is large.
        smallest: lines of fewer pixels are left out.
    Returns:
        edges: uint8 [H, W], 255 on lines, which are one pixel wide, 0 elsewhere.
    Reference: Canny 1986, by OpenCV.
    """
    scale = _scale(rgb)
    deviation = max(smoothing * scale, 0.7)
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY).astype(np.float32)
    blurred = cv2.GaussianBlur(grey, (0, 0), deviation)
    slopes = [cv2.Sobel(blurred, cv2.CV_32F, *order, borderType=cv2.BORDER_REPLICATE) for order in ((1, 0), (0, 1))]
    steepness = np.hypot(*slopes)
    # A step of c levels has the slope c / (sqrt(2 pi) deviation) after the blur; Sobel's weights add up to 8.
    least = 8 * _LEAST_CONTRAST / (np.sqrt(2 * np.pi) * deviation)
    usual = np.sqrt(cv2.blur(steepness**2, (2 * round(_REACH * scale) + 1,) * 2) + least**2)
    relative = np.where(steepness < least, np.float32(0), usual**-0.5)
    steepness *= relative
    # OpenCV takes whole numbers, here as large as they can be, lest a broad blur leave only a few different ones.
    unit = (steepness.max() or 1.0) / np.iinfo(np.int16).max
    across, down = ((slope * relative / unit).astype(np.int16) for slope in slopes)
    high = np.quantile(steepness, 1.0 - fraction) / unit
    edges = cv2.Canny(across, down, 0.4 * high, high, L2gradient=True)
    return _without_specks(edges, round(smallest * scale))


def thin_edges(likelihood, level=LEVEL, smallest=SMALLEST):
    """Lines one pixel wide from a map of likely edges.

    Args:
        likelihood: float [H, W] in [0, 1].
        level: what is above becomes a line (0.6 in the paper).
        smallest: lines of fewer pixels are left out.
    Returns:
        edges: uint8 [H, W], 255 on lines.
    Deviations: the paper only thresholds; lines are thinned here, since users draw thin ones.
    """
    edges = np.where(thin(likelihood > level), np.uint8(255), np.uint8(0))
    return _without_specks(edges, round(smallest * _scale(likelihood)))


def thin(edges):
    """Wears edges away from their four sides by turns until they are one pixel wide.

    What hangs together (also over corners) still does, holes stay holes, nothing vanishes.

    Args:
        edges: bool [H, W].
    Returns:
        bool [H, W].
    Reference: Rosenfeld 1975, "A characterization of parallel thinning algorithms". The better known one of Zhang and
        Suen loses diagonals and blocks two pixels wide.
    """
    padded = np.pad(edges, 1).astype(np.uint8)
    height, width = edges.shape
    inner, *around = (padded[1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in ((0, 0), *_AROUND))
    changed = True
    while changed:
        changed = False
        for side in (0, 4, 2, 6):  # north, south, east, west
            border = np.nonzero(inner > around[side])
            neighbours = sum(neighbour[border] << bit for bit, neighbour in enumerate(around))
            worn = tuple(index[_SPARE[neighbours]] for index in border)
            inner[worn] = 0
            changed = changed or worn[0].size > 0
    return inner.astype(bool)


def _spare():
    """bool [256]: the neighbourhoods without whose middle all neighbours still hang together, but for ends of lines."""
    bits = (np.arange(256)[:, np.newaxis] >> np.arange(8)) & 1
    empty = 1 - bits
    groups = sum(empty[:, i] * (1 - empty[:, i + 1] * empty[:, (i + 2) % 8]) for i in (0, 2, 4, 6))  # Yokoi's number
    return (groups == 1) & (bits.sum(axis=1) > 1)


_SPARE = _spare()


def _without_specks(edges, smallest):
    """uint8 [H, W] of 0 and 255 without connected lines of fewer pixels."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(edges, connectivity=8)
    keep = statistics[:, cv2.CC_STAT_AREA] >= smallest
    return np.where(keep[labels], edges, np.uint8(0))


def _scale(image):
    return min(image.shape[:2]) / _REFERENCE_SIDE
