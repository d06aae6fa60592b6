"""Weights by name: the path of attributes that leads to them, the same on both Keras generations."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.sublayers import children, sublayers


def named_weights(model):
    """Every weight of a built model under its attribute path, such as "coarse.conv1.kernel".

    Args:
        model: a built layer or model whose sublayers are public attributes.
    Returns:
        dict of tf.Variable, in the order of construction.
    Raises:
        ValueError: if the model is not built, or two of its weights would share a name.
    """
    found = {}
    for path, layer in sublayers(model):
        inherited = {id(weight) for child in children(layer).values() for weight in child.weights}
        for weight in layer.weights:
            if id(weight) not in inherited:
                found[path + weight.name.split("/")[-1].split(":")[0]] = _tf_variable(weight)
    if not found or len(found) != len(model.weights):
        raise ValueError(
            "`model` must be built, and its layers public attributes. "
            f"Received: {model.name} with {len(model.weights)} weights, of which {len(found)} have a name"
        )
    return found


def parameter_count(model):
    """Number of scalars in all trained weights of a built model."""
    return sum(int(tf.size(weight)) for weight in named_weights(model).values() if weight.trainable)


def _tf_variable(weight):
    """Keras 3 wraps the tf.Variable, Keras 2 hands it out."""
    return weight if isinstance(weight, tf.Variable) else weight.value
