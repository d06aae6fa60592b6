"""Holes as arrays: grown, and what is predicted in them brought to the colours around; no TensorFlow is imported."""

from __future__ import annotations

import cv2
import numpy as np

MOST_GROWTH = 1000


def grown(mask, pixels):
    """A mask with so many pixels, 0 to `MOST_GROWTH`, more on each side: bool [H, W].

    Raises:
        ValueError: if that is no such number.
    """
    if isinstance(pixels, bool) or not isinstance(pixels, (int, np.integer)) or not 0 <= pixels <= MOST_GROWTH:
        raise ValueError(f"holes grow by 0 to {MOST_GROWTH} pixels. Received: {pixels!r}")
    if not pixels:
        return mask
    return cv2.distanceTransform(np.uint8(255) * ~mask, cv2.DIST_L2, 5) <= pixels if mask.any() else mask


def feather(image, predicted, mask, width=16):
    """`predicted` in the hole of `image`, whose rim takes on the colours beside it.

    What a prediction is off by at the nearest known pixels fades out over `width` pixels into the hole.

    Args:
        image, predicted: uint8 [H, W, 3], the latter around the hole too.
        mask: bool [H, W], True = hole.
    Returns:
        uint8 [H, W, 3]; known pixels are those of `image`.
    """
    if not mask.any() or mask.all():
        return np.where(mask[..., np.newaxis], predicted, image)
    off = np.where(mask[..., np.newaxis], 0.0, image.astype(np.float32) - predicted).astype(np.float32)
    known, size = (~mask).astype(np.float32), (7, 7)  # single pixels would leave streaks
    weight = np.maximum(cv2.blur(known, size, borderType=cv2.BORDER_REFLECT), 1e-6)[..., np.newaxis]
    off = cv2.blur(off, size, borderType=cv2.BORDER_REFLECT) / weight
    away, nearest = cv2.distanceTransformWithLabels(
        np.uint8(255) * mask, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    beside = np.zeros((nearest.max() + 1, 3), np.float32)
    beside[nearest[~mask]] = off[~mask]
    fading = np.maximum(0.0, 1.0 - away / width)[..., np.newaxis]
    levels = np.clip(np.rint(predicted + fading * beside[nearest]), 0, 255).astype(np.uint8)
    return np.where(mask[..., np.newaxis], levels, image)
