"""Poisson blending: what is pasted takes on the colours around it and keeps its own gradients.

Around it may stand what is known, or what fast marching makes of the hole.
"""

from __future__ import annotations

import cv2
import numpy as np

from tf_inpaint.ops.holes import feather

# OpenCV takes gradients from three pixels inside of the mask on, and the values on the mask's bounding box for granted:
# the mask has to reach as far into what is known.
_REACH = 4
_BORDER = _REACH + 2
_SMALLEST = 3  # pixels a side of the box around all holes, below which OpenCV has nothing inside of it to solve for


def blend(image, predicted, mask):
    """`predicted` in the hole of `image`, without a seam.

    Args:
        image: uint8 [H, W, 3].
        predicted: uint8 [H, W, 3], around the hole too.
        mask: bool [H, W], True = hole.
    Returns:
        uint8 [H, W, 3]; known pixels are those of `image`. Without a hole, or without anything known, `predicted` is
        pasted as it is.
    Reference: Perez et al. 2003, by OpenCV's `seamlessClone`; Yeh and Chen et al. 2017, section 3.3.
    """
    hole = mask[..., np.newaxis]  # [H, W, 1]
    pasted = np.where(hole, predicted, image)
    if not mask.any() or mask.all():
        return pasted
    border = [(_BORDER, _BORDER)] * 2
    target = np.pad(pasted, [*border, (0, 0)], mode="edge")
    source = np.pad(np.ascontiguousarray(predicted), [*border, (0, 0)], mode="edge")
    reach = cv2.dilate(np.pad(mask, border).astype(np.uint8) * 255, np.ones([2 * _REACH + 1] * 2, np.uint8))
    left, top, width, height = cv2.boundingRect(reach)
    centre = (left + width // 2, top + height // 2)
    blended = cv2.seamlessClone(source, target, reach, centre, cv2.NORMAL_CLONE)
    return np.where(hole, blended[_BORDER:-_BORDER, _BORDER:-_BORDER], image)


def march(image, mask):
    """The hole filled from its rim inwards by fast marching, radius 1: uint8 [H, W, 3] of `image`, bool [H, W].

    Reference: Telea 2004, by OpenCV's `inpaint`.
    """
    return cv2.inpaint(np.ascontiguousarray(image), mask.astype(np.uint8) * 255, 1, cv2.INPAINT_TELEA)


def blend_into_marched(image, predicted, mask):
    """As `blend`, but into what `march` makes of the hole; holes too thin for OpenCV are pasted as they are.

    Reference: Iizuka et al. 2017, section 3.5, in the form of the release.
    Deviations: the release gives known pixels away too, which may move by a pixel where holes are several.
    """
    hole = mask[..., np.newaxis]  # [H, W, 1]
    pasted = np.ascontiguousarray(np.where(hole, predicted, image))
    *_, width, height = cv2.boundingRect(mask[1:-1, 1:-1].astype(np.uint8))  # OpenCV leaves out the image's rim
    if min(width, height) < _SMALLEST or mask.all():
        return pasted
    rows, columns = np.nonzero(mask)
    centre = tuple(int(at.min() + at.max()) // 2 for at in (columns, rows))
    levels = mask.astype(np.uint8) * 255  # OpenCV writes into it
    blended = cv2.seamlessClone(pasted, march(pasted, mask), levels, centre, cv2.NORMAL_CLONE)
    return np.where(hole, blended, image)


BLENDINGS = {"none": None, "feather": feather, "poisson": blend, "fast_marching": blend_into_marched}
