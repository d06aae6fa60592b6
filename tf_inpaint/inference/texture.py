"""Textures: `ops.texture.redraw` as a graph that comes in a file."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_inpaint.inference.stored import PACKAGE, StoredGraph
from tf_inpaint.ops.texture import redraw

_SIGNATURE = [tf.TensorSpec([None, None, 3], tf.uint8)] * 2 + [tf.TensorSpec([None, None], tf.bool)]
_SIDE, _HOLE = 32, np.s_[12:20, 12:20]  # of the image by which it is prepared


def redraw_graph():
    """`redraw` of arrays or tensors."""
    image, mask = np.zeros([_SIDE, _SIDE, 3], np.uint8), np.zeros([_SIDE, _SIDE], bool)
    mask[_HOLE] = True
    file, sources = PACKAGE / "ops" / "texture.graph", ["ops/texture.py", "ops/boxes.py"]
    return StoredGraph(file, sources, redraw, _SIGNATURE, [image, image, mask])
