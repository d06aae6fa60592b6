"""The layers within a layer, by the path of attributes that leads to them: the same on both Keras generations."""

from __future__ import annotations

import tensorflow as tf


def children(layer):
    """The layers that are public attributes of a layer, by name, in the order of construction."""
    return {
        name: value
        for name, value in vars(layer).items()
        if not name.startswith("_") and isinstance(value, tf.keras.layers.Layer)
    }


def sublayers(layer, path=""):
    """(path, layer) of a layer, then of all within: "", "coarse.", "coarse.conv1." and so on."""
    yield path, layer
    for name, child in children(layer).items():
        yield from sublayers(child, f"{path}{name}.")
