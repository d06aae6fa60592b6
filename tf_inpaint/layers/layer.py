"""What convolutions, normalisations and layers made of them derive from: weights that are quickly created."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar

import tensorflow as tf

_FILLED_LATER = ContextVar("whether weights that are created are filled afterwards", default=False)


@contextmanager
def filled_later():
    """Weights created meanwhile are 0: drawing the values that they begin with takes as long as creating them."""
    usual = _FILLED_LATER.set(True)
    try:
        yield
    finally:
        _FILLED_LATER.reset(usual)


class Layer(tf.keras.layers.Layer):
    """A Keras layer whose weights' names are their last words, "kernel" and the like.

    TensorFlow looks a kernel up for each new name of a variable, which takes longer than all else about it; that names
    the layers around, too, is of no use: `models.weights.named_weights` goes by attributes.
    """

    def add_weight(self, *, initializer, **kwargs):
        """Keras's."""
        with tf.name_scope(""):
            return super().add_weight(initializer="zeros" if _FILLED_LATER.get() else initializer, **kwargs)

    def make(self, channels):
        """Create all weights, for inputs [B, H, W, channels], several together; much faster than by a call."""
        self.build((None, None, None, channels))
