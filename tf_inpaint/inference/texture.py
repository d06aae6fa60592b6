"""`ops.texture.redraw` as a graph that is soon ready: read from a file, and prepared while others are written down.

    python -m tf_inpaint.inference.texture    # writes the file again, after its sources have changed

Writing the graph down takes Python ten times as long as reading it. Where the sources are not those that the file was
made of, it is written down all the same, so that it is never another function.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from tf_inpaint.ops import boxes, texture

FILE = Path(texture.__file__).with_suffix(".graph")
_SIGNATURE = [tf.TensorSpec([None, None, 3], tf.uint8)] * 2 + [tf.TensorSpec([None, None], tf.bool)]
_SIDE, _HOLE = 32, np.s_[12:20, 12:20]  # of the image by which it is prepared


class Redraw:
    """`ops.texture.redraw` of arrays or tensors."""

    def __init__(self):
        self._lock = threading.Lock()
        self._graph = self._preparing = None

    def __call__(self, image, completed, mask):
        with self._lock:
            self._graph = self._graph or _read() or _written_down()
        arguments = (tf.convert_to_tensor(each, spec.dtype) for each, spec in zip((image, completed, mask), _SIGNATURE))
        (redrawn,) = self._graph(*arguments)
        return redrawn

    def prepare(self):
        """Let TensorFlow make the graph ready meanwhile, once a process."""
        if self._preparing is None:
            self._preparing = threading.Thread(target=self._draw_something, name="texture")  # which Python waits for
            self._preparing.start()

    def _draw_something(self):
        image, mask = np.zeros([_SIDE, _SIDE, 3], np.uint8), np.zeros([_SIDE, _SIDE], bool)
        mask[_HOLE] = True
        with contextlib.suppress(tf.errors.OpError):  # of memory, say, which whoever completes is told of
            self(image, image, mask)


def write() -> None:
    """Writes the file."""
    definition = _written_down().graph.as_graph_def()
    FILE.write_bytes(_digest() + zlib.compress(definition.SerializeToString(deterministic=True), 9))


def _written_down():
    """As a function of tensors to a list of one."""
    redraw = tf.function(lambda *arguments: [texture.redraw(*arguments)], input_signature=_SIGNATURE, autograph=False)
    return redraw.get_concrete_function()


def _read():
    """The same from the file; None where that was made of other sources, or is of no use."""
    try:
        stored = FILE.read_bytes()
        if not stored.startswith(_digest()):
            return None
        definition = tf.compat.v1.GraphDef.FromString(zlib.decompress(stored[len(_digest()) :]))
        places = [node.name for node in definition.node if node.op == "Placeholder"]
        imported = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(definition, name=""), [])
        return imported.prune([f"{name}:0" for name in places], [f"{definition.node[-1].name}:0"])
    except (OSError, ValueError, zlib.error, DecodeError, tf.errors.OpError):  # of a TensorFlow to come, maybe
        return None


def _digest():
    """Of what the graph is made of."""
    sources = b"".join(Path(module.__file__).read_bytes() for module in (texture, boxes))
    return hashlib.sha256(sources.replace(b"\r\n", b"\n")).digest()


if __name__ == "__main__":
    write()
