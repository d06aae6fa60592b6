"""Textures: `ops.texture.redraw` as a graph that comes in a file, and the memory that it takes."""

from __future__ import annotations

import cv2
import numpy as np
import tensorflow as tf

from tf_inpaint.inference.stored import PACKAGE, StoredGraph
from tf_inpaint.ops.texture import MOST_PIXELS, REACH, redraw

_SIGNATURE = [tf.TensorSpec([None, None, 3], tf.uint8)] * 2 + [tf.TensorSpec([None, None], tf.bool)]
_JOINED = 97  # side of what joins holes that may be drawn together
_BYTES_PER_TARGET = 3600  # patch that touches a hole, at the largest size at which patches are searched; measured
_BYTES_PER_PIXEL = 180  # of what is looked at for a hole; measured
_SIDE, _HOLE = 32, np.s_[12:20, 12:20]  # of the image by which it is prepared


def redraw_graph():
    """`redraw` of arrays or tensors."""
    image, mask = np.zeros([_SIDE, _SIDE, 3], np.uint8), np.zeros([_SIDE, _SIDE], bool)
    mask[_HOLE] = True
    file, sources = PACKAGE / "ops" / "texture.graph", ["ops/texture.py", "ops/boxes.py"]
    return StoredGraph(file, sources, redraw, _SIGNATURE, [image, image, mask])


def redrawing_memory(mask: np.ndarray) -> float:
    """About how many bytes `redraw` takes for a mask, bool [H, W], beside the program; a little more than measured."""
    size, reach = mask.shape, _JOINED // 2
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    mask = mask[max(0, top - reach) : top + height + reach, max(0, left - reach) : left + width + reach]
    near = cv2.dilate(mask.astype(np.uint8), np.ones([_JOINED] * 2, np.uint8))
    needed = 0.0
    for left, top, width, height, _ in cv2.connectedComponentsWithStats(near)[2][1:]:  # one after the other
        side = max(REACH, 2 * (max(width, height) - _JOINED + 1))
        pixels, times = float(np.prod(np.minimum(side, size))), 1
        while pixels > MOST_PIXELS * times**2:
            times *= 2
        hole = mask[top : top + height, left : left + width].astype(np.uint8)
        touched = cv2.dilate(hole, np.ones([6 * times + 1] * 2, np.uint8))  # by patches of 7 x 7, shrunk so many times
        targets = np.count_nonzero(touched) / times**2
        needed = max(needed, _BYTES_PER_TARGET * targets + _BYTES_PER_PIXEL * pixels)
    return needed
