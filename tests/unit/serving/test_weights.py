"""Weights in half the bytes: what they complete is what their values complete in float32, bit for bit."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes import RECIPES
from tf_inpaint.serving.weights import keep_weights


@pytest.mark.parametrize(
    "name, precision, options",
    [
        ("deepfill_v1", "float16", {"width": 4}),
        ("deepfill_v1", "bfloat16", {"width": 4, "convolution": "partial"}),
        ("deepfill_v2", "bfloat16", {"width": 4, "guided": True}),
        ("pen_net", "float16", {"width": 4}),
        ("context_encoder", "float16", {"image_size": 32, "width": 4, "bottleneck": 8}),
        ("lama", "float16", {"width": 4, "blocks": 1}),
    ],
)
def test_arithmetic_is_in_float32(name, precision, options):
    recipe = RECIPES[name](RECIPES[name].Options(**options))
    recipe.build_generator()
    if name == "deepfill_v1":
        recipe.generator.attention.layers[0].step = 2
    copy = keep_weights(recipe, precision)
    assert tf.keras.mixed_precision.global_policy().name == "float32"
    assert {weight.dtype.name for weight in named_weights(copy.generator).values()} == {precision}

    for weight in named_weights(recipe.generator).values():
        weight.assign(tf.cast(tf.cast(weight, precision), tf.float32))
    side = recipe.generator.minimum_size
    image = tf.random.stateless_uniform([1, side, side, 3], [0, 1], -1.0, 1.0)
    mask = np.zeros([1, side, side, 1], np.float32)
    mask[:, side // 4 : side // 2, side // 4 : side // 2] = 1.0
    batch = {"image": image, "mask": mask, "edges": mask}
    for outputs, expected in (
        (copy.fill(batch), recipe.fill(batch)),
        (copy.complete(batch, training=False), recipe.complete(batch, training=False)),
    ):
        assert outputs["predicted"].dtype == tf.float32
        np.testing.assert_array_equal(outputs["predicted"], expected["predicted"])
    assert keep_weights(recipe, "float32") is recipe
    if precision == "float16":
        name, weight = list(named_weights(recipe.generator).items())[-1]
        weight.assign(tf.fill(weight.shape, 7e4))
        with pytest.raises(InputError, match=f"{name} has values too large for float16"):
            keep_weights(recipe, precision)
