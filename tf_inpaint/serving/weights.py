"""Networks run with other weights than their own, such as ones kept in half the bytes."""

from __future__ import annotations

from contextlib import contextmanager

import tensorflow as tf


@contextmanager
def replaced_weights(model, replacements):
    """While this lasts, the layers of `model` compute with tensors in place of some of their variables.

    For tracing a graph that shall not refer to the model's own variables.

    Args:
        model: a built Keras model whose sublayers are attributes.
        replacements: {id of a tf.Variable: tensor of its shape, of the type the layers compute in}.
    Raises:
        ValueError: if a variable belongs to no attribute of any layer.
    """
    kept = []
    try:
        for layer in _layers(model):
            for name, value in list(vars(layer).items()):
                key = id(value if isinstance(value, tf.Variable) else getattr(value, "value", None))
                if key in replacements:
                    kept.append((layer, name, value))
                    vars(layer)[name] = replacements[key]
        if len(kept) < len(replacements):
            missing = len(replacements) - len(kept)
            raise ValueError(
                f"`replacements` must be of variables that layers hold. Received: {missing} that none holds"
            )
        yield
    finally:
        for layer, name, value in kept:
            vars(layer)[name] = value


def _layers(layer, seen=None):
    """A layer and all layers within, each once."""
    seen = set() if seen is None else seen
    if id(layer) not in seen:
        seen.add(id(layer))
        yield layer
        for name, child in list(vars(layer).items()):
            if not name.startswith("_") and isinstance(child, tf.keras.layers.Layer):
                yield from _layers(child, seen)
