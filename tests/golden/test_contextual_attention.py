"""Contextual attention, values, offsets and gradients, against the original operation (contextual_attention.npz)."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.layers import ContextualAttention

# How far the best key must lead for its offset to be the same after other rounding.
DECIDED = 1e-3
SIZES = [
    f"sizes_{sizes}_fuse{fuse}{mask}"
    for sizes, masks in (
        ("f16x16_b16x24_rate1", [""]),
        ("f16x24_b24x16_rate2", [""]),
        ("f16x16_b12x12_rate2", ["", "_mask"]),
    )
    for fuse in (0, 1)
    for mask in masks
]


@pytest.fixture(scope="module")
def reference_attention(arrays):
    return arrays("contextual_attention")


@pytest.mark.parametrize("number", range(17))
def test_same_size(reference_attention, number):
    settings = json.loads(str(reference_attention["cases_json"]))[number]
    case = f"case{number:02d}/"
    foreground = tf.constant(reference_attention[case + "f"])
    stored = reference_attention.under(case)
    background = tf.constant(stored.get("b", stored["f"]))
    mask = tf.constant(stored.get("mask", np.zeros([1, *foreground.shape[1:3], 1], np.float32)))
    layer = ContextualAttention(
        rate=settings["rate"], softmax_scale=settings["softmax_scale"], propagation=settings["fuse"]
    )

    with tf.GradientTape() as tape:
        tape.watch([foreground, background])
        output, offsets = layer((foreground, background, mask))
        objective = tf.reduce_sum(output * stored.get("cotangent", 0.0))

    # Values reach 6; float32 rounding under a softmax of scale 10 is relative to them.
    np.testing.assert_allclose(output, stored["y"], atol=1e-5 * max(1.0, np.abs(stored["y"]).max()))
    decided = stored["offset_gap"] > DECIDED
    np.testing.assert_array_equal(offsets.numpy()[decided], stored["offsets"][decided])
    if "cotangent" in stored:
        for gradient, name in zip(tape.gradient(objective, [foreground, background]), ("grad_f", "grad_b")):
            np.testing.assert_allclose(np.linalg.norm(gradient), stored[name + "_norm"], rtol=1e-4)
            if name in stored:
                np.testing.assert_allclose(gradient, stored[name], atol=1e-4 * np.abs(stored[name]).max())


@pytest.mark.parametrize("case", SIZES)
def test_background_of_another_size(reference_attention, case):
    foreground = reference_attention[f"{case}/f"]
    stored = reference_attention.under(f"{case}/")
    mask = stored.get("mask", np.zeros([1, *stored["b"].shape[1:3], 1], np.float32))
    layer = ContextualAttention(rate=int(case.split("rate")[1][0]), propagation="fuse1" in case)
    output, _ = layer((foreground, stored["b"], mask))
    np.testing.assert_allclose(output, stored["y"], atol=1e-5)
