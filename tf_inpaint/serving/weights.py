"""The weights of an exported model: a recipe's, or a copy of them in half the bytes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.models.weights import named_weights


class _KeptAs(tf.keras.mixed_precision.Policy):
    """Weights of one type, which layers read as float32, and arithmetic in float32."""

    def __init__(self, precision):
        super().__init__("float32")
        self._precision = precision

    @property
    def variable_dtype(self):
        return self._precision


def keep_weights(recipe, precision):
    """A recipe that completes with weights of a type, in float32 arithmetic.

    Args:
        recipe: a recipe whose generator is built.
        precision: "bfloat16" or "float16", of which a copy is made; or "float32", which the recipe has itself.
    Raises:
        InputError: if a weight is too large for it.
    """
    if precision == "float32":
        return recipe
    usual = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(_KeptAs(precision))
    try:
        copy = type(recipe)(recipe.options)
        copy.build_generator()
    finally:
        tf.keras.mixed_precision.set_global_policy(usual)
    weights = named_weights(copy.generator)
    for name, weight in named_weights(recipe.generator).items():
        kept = tf.cast(weight, precision)
        if not np.isfinite(tf.cast(kept, tf.float32)).all():
            raise InputError(f"{name} has values too large for {precision}: keep float32 or bfloat16")
        weights[name].assign(kept)
    copy.generator.margin, copy.generator.keeps_levels = recipe.generator.margin, recipe.generator.keeps_levels
    if recipe.generator.attention:
        for layer, original in zip(copy.generator.attention.layers, recipe.generator.attention.layers):
            layer.max_memory = original.max_memory
            if hasattr(original, "step"):
                layer.step = original.step
    return copy


def weights_module(recipe):
    """A tf.Module that holds the generator's weights and nothing else, to be saved with its signatures."""
    module = tf.Module(name="served")
    module.weights = list(named_weights(recipe.generator).values())
    return module
