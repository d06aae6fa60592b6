"""Partial convolution against the published layer. There 1 is known; here 1 is a hole."""

import json

import numpy as np
import pytest
import tensorflow as tf
from torch_files import nhwc

from tf_inpaint.layers import PartialConv2D

CASES = [
    "allone_bias",
    "allzero_bias",
    "allzero_nobias",
    "dilated_k3",
    "maskb1_inputb3",
    "mc_nomask_padding",
    "mc_s1_k3",
    "mc_s2_k5_nobias",
    "mc_s2_k7_samemask",
    "nomask_padding",
    "s1_k3_b1",
    "s1_k3_nobias",
    "s1_k5_valid",
    "s2_k3",
    "s2_k5",
    "s2_k7",
    "soft_mask",
]


def _layer(stored, prefix="", features=None, **options):
    kernel = stored[prefix + "weight"].transpose(2, 3, 1, 0)
    has_bias = prefix + "bias" in stored
    layer = PartialConv2D(kernel.shape[-1], kernel.shape[0], use_bias=has_bias, **options)
    layer.build((features.shape, None))
    layer.set_weights([kernel, *([stored[prefix + "bias"]] if has_bias else [])])
    return layer


def test_every_stored_case_but_one_is_compared(reference):
    listed = {entry["file"][6:-4] for entry in json.loads((reference / "partialconv" / "index.json").read_text())}
    assert listed - set(CASES) == {"mc_s1_k3_k13"}  # kernels here are square


@pytest.mark.parametrize("case", CASES)
def test_single_layers(arrays, agree, case):
    stored = arrays(f"partialconv/pconv_{case}")
    features, multi_channel = tf.constant(nhwc(stored["input"])), bool(stored["multi_channel"])
    layer = _layer(
        stored,
        features=features,
        strides=int(stored["stride"][0]),
        dilation=int(stored["dilation"][0]),
        border=int(stored["padding"][0]),
        multi_channel=multi_channel,
    )
    if "mask" in stored:
        known = nhwc(stored["mask"])
    else:
        known = np.ones_like(features) if multi_channel else np.ones([1, *features.shape[1:3], 1], np.float32)
    with tf.GradientTape() as tape:
        tape.watch(features)
        outputs, mask = layer((features, tf.constant(1 - known)))
        objective = tf.reduce_sum(outputs * nhwc(stored["grad_output"])) if "grad_output" in stored else 0.0
    agree("partial convolution, absolute", np.abs(outputs - nhwc(stored["output"])).max(), 1e-5)
    agree("partial convolution, new mask", np.abs(1 - mask - nhwc(stored["new_mask"])).max(), 1e-6)
    expected, expected_mask = layer.compute_output_shape((features.shape, known.shape))
    assert tuple(outputs.shape) == tuple(expected) and tuple(mask.shape) == tuple(expected_mask)
    if "grad_output" in stored:
        gradients = tape.gradient(objective, [features, *layer.trainable_weights])
        names = {"grad_input": nhwc, "grad_weight": lambda w: w.transpose(2, 3, 1, 0), "grad_bias": np.asarray}
        for gradient, (name, turned) in zip(gradients, names.items()):
            deviation = np.abs(gradient - turned(stored[name])).max() / np.abs(stored[name]).max()
            agree("partial convolution, gradients, relative", deviation, 1e-5)


def test_a_chain_hands_its_mask_on(arrays, agree):
    stored = arrays("partialconv/pconv_chain")
    x, mask = tf.constant(nhwc(stored["input"])), tf.constant(1 - nhwc(stored["mask"]))
    for number in range(5):
        layer = _layer(stored, f"layer{number}/", x, strides=2, multi_channel=True)
        x, mask = layer((x, mask))
        agree("partial convolution, absolute", np.abs(x - nhwc(stored[f"layer{number}/output"])).max(), 1e-5)
        np.testing.assert_array_equal(1 - mask, nhwc(stored[f"layer{number}/mask"]))
        x = tf.nn.relu(x)


def test_a_decoder_step(arrays, agree):
    stored = arrays("partialconv/pconv_decoder_step")

    def double(array):
        return np.repeat(np.repeat(array, 2, 1), 2, 2)

    x = np.concatenate([double(nhwc(stored["features"])), nhwc(stored["skip"])], axis=-1)
    known = np.concatenate([double(nhwc(stored["features_mask"])), nhwc(stored["skip_mask"])], axis=-1)
    outputs, mask = _layer(stored, "", x, multi_channel=True)((tf.constant(x), tf.constant(1 - known)))
    agree("partial convolution, absolute", np.abs(outputs - nhwc(stored["output"])).max(), 1e-5)
    np.testing.assert_array_equal(1 - mask, nhwc(stored["new_mask"]))
