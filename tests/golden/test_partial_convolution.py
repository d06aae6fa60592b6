"""Partial convolution against the published layer, its U-Net, losses and training against a program of the paper.

There 1 is known; here 1 is a hole.
"""

import json

import numpy as np
import pytest
import tensorflow as tf
from torch_files import hwio, nhwc

from tf_inpaint.layers import PartialConv2D
from tf_inpaint.losses.perceptual import feature_l1, style_l1
from tf_inpaint.losses.reconstruction import total_variation_of_image, total_variation_of_region, weighted_l1
from tf_inpaint.models import PartialConvolutionGenerator
from tf_inpaint.models.partial_convolution import standardised
from tf_inpaint.models.weights import named_weights, parameter_count
from tf_inpaint.recipes.partial_convolution import PartialConvolutionRecipe

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


# The U-Net

KINDS = {"paper": True, "code": False}  # whether the window's factor is there
OUTPUT_TOLERANCES = {"paper": 1e-3, "code": 1e-6}


def _our_name(name):
    """ "enc_2.bn.var" is enc2.norm.moving_variance here."""
    layer, part, kind = name.replace("_", "", 1).split(".")
    kinds = {"weight": "kernel", "bias": "bias", "mean": "moving_mean", "var": "moving_variance"}
    return f"{layer}.{'norm' if part == 'bn' else part}.{kinds.get(kind, kind)}"


def _image(levels):
    return tf.constant(levels / 127.5 - 1.0, tf.keras.backend.floatx())


def _hole(hole):
    return tf.constant(hole[..., np.newaxis], tf.keras.backend.floatx())


def _generator(width, depth, kind, *arrays):
    """A generator whose weights all come from dicts of arrays."""
    return _fill(PartialConvolutionGenerator(width, depth, KINDS[kind]), *arrays)


def _fill(model, *arrays):
    side = model.minimum_size
    model((tf.zeros([1, side, side, 3]), tf.zeros([1, side, side, 1])))
    weights = named_weights(model)
    theirs = {_our_name(name): hwio(array) for each in arrays for name, array in each.items()}
    assert set(theirs) == set(weights)
    for name, array in theirs.items():
        weights[name].assign(array)
    return model


def _recording(monkeypatch, model):
    """{layer: (outputs, mask)} of whatever `draw` runs meanwhile."""
    seen = {}
    for level in range(1, model.depth + 1):
        for name in (f"enc{level}", f"dec{level}"):
            layer = getattr(model, name)

            def call(inputs, training=False, name=name, call=layer.call):
                result = call(inputs, training=training)
                seen[name] = result[0]
                return result

            monkeypatch.setattr(layer, "call", call)
    return seen


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("file, depth", [("unet_w8_L7_128", 7), ("unet_w8_L8_256", 8)])
def test_u_net(arrays, agree, monkeypatch, kind, file, depth):
    stored = arrays(f"partialconv_unet/{file}")
    model = _generator(8, depth, kind, stored.under("w/"), stored.under(f"stats/{kind}/"))
    seen = _recording(monkeypatch, model)
    image, hole = _image(stored["image_u8"]), _hole(stored["hole"])
    output, _ = model.draw(standardised(image * (1 - hole)), hole)
    expected = stored["paper/output"] if kind == "paper" else stored["code/output_even"]
    found = output.numpy() if kind == "paper" else output.numpy()[:, ::2, ::2]
    agree(f"partial U-Net, {kind}, absolute", np.abs(found - nhwc(expected)).max(), OUTPUT_TOLERANCES[kind])
    for name, mean, std, known in zip(
        stored["layer_names"], stored[f"{kind}/layer_mean"], stored[f"{kind}/layer_std"], stored["layer_mask_mean"]
    ):
        features, mask = seen[name.replace("_", "")]
        np.testing.assert_allclose([np.mean(features), np.std(features)], [mean, std], rtol=2e-4, atol=1e-5 * std)
        assert np.mean(1 - mask) == pytest.approx(known, abs=1e-7)
    for name in ("enc_2", "enc_4"):
        mask = seen[name.replace("_", "")][1]
        np.testing.assert_array_equal(1 - mask, nhwc(stored[f"mask/{name}"]))
    shape = stored["mask_out_shape"]
    known = np.unpackbits(stored[f"{kind}/mask_out"])[: np.prod(shape)].reshape(shape)
    np.testing.assert_array_equal(1 - np.repeat(seen["dec1"][1], 3, axis=-1), nhwc(known))
    for name, value in stored.under(f"{kind}/layer/").items():
        features = seen[name.replace("_", "")][0][:1, ..., :4]
        deviation = np.abs(features - nhwc(value)).max() / max(1.0, np.abs(value).max())
        agree(f"partial U-Net's layers, {kind}, relative", deviation, 2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_u_net_in_training(arrays, agree, float64, kind):
    stored = arrays("partialconv_unet/unet_w8_L7_128")
    model = _generator(8, 7, kind, stored.under("w/"), stored.under(f"stats/{kind}/"))
    image, hole = _image(stored["image_u8"]), _hole(stored["hole"])
    output, statistics = model.draw(standardised(image * (1 - hole)), hole, training=True)
    deviation = np.abs(output[:, ::2, ::2] - nhwc(stored[f"{kind}/train_output_float64_even"])).max()
    agree("partial U-Net by the batch's statistics, absolute", deviation, 2e-6)  # stored in float32
    for name, expected in stored.under(f"{kind}/stats_after/").items():
        layer, _, weight = _our_name(name).split(".")
        norm = getattr(model, layer).norm
        if weight == "moving_mean":
            norm.advance(statistics[layer]["norm"])
        deviation = np.abs(getattr(norm, weight) - expected).max() / np.abs(expected).max()
        agree("partial U-Net's running statistics, relative", deviation, 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_u_net_of_full_width(arrays, reference, agree, weights_by_recipe, kind):
    stored = arrays("partialconv_unet/unet_full_L7_256")
    recipe = json.loads((reference / "partialconv_unet" / "unet_full_L7_weights_recipe.json").read_text())
    model = _generator(64, 7, kind, dict(weights_by_recipe(recipe)), stored.under(f"stats/{kind}/"))
    assert parameter_count(model) == recipe["total_parameters"] == 25_779_796
    image, hole = _image(stored["image_u8"]), _hole(stored["hole"])
    output, _ = model.draw(standardised(image * (1 - hole)), hole)
    deviation = np.abs(output[:, ::2, ::2] - nhwc(stored[f"{kind}/output_even"])).max()
    agree(f"partial U-Net, {kind}, absolute", deviation, OUTPUT_TOLERANCES[kind])
    # Without the window's factor, variances lie far below the normalisation's epsilon: nearly a constant is drawn.
    expected = stored[f"{kind}/output_mean_std"]
    np.testing.assert_allclose([np.mean(output), np.std(output)], expected, rtol=1e-4)
    assert (np.std(output) > 1) == (kind == "paper")


@pytest.mark.slow
def test_parameters_of_the_paper_s_depth():
    model = PartialConvolutionGenerator()
    model((tf.zeros([1, 256, 256, 3]), tf.zeros([1, 256, 256, 1])))
    assert parameter_count(model) == 32_859_732


# Losses and training, in float64


def _small_vgg(stored):
    """Features of standardised colours after three poolings of a network laid out as VGG16, by seeded weights."""
    weights = {name: tf.constant(hwio(array), tf.float64) for name, array in stored.under("vgg/").items()}

    def see(x):
        found = []
        for index in range(1, 8):
            x = tf.nn.conv2d(x, weights[f"conv{index}.weight"], 1, "SAME") + weights[f"conv{index}.bias"]
            x = tf.nn.relu(x)
            if index in (2, 4, 7):
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
                found.append(x)
        return found

    return see


def _relative(value, expected):
    return abs(float(value) - float(expected)) / abs(float(expected))


def test_losses(arrays, agree, float64):
    stored = arrays("partialconv_unet/loss_vgg8")
    see, image, hole = _small_vgg(stored), standardised(_image(stored["image_u8"])), _hole(stored["hole"])
    output = tf.constant(nhwc(stored["output"]))
    of_truth = see(image)
    for index, features in enumerate(of_truth, start=1):
        np.testing.assert_allclose(features[:1], nhwc(stored[f"feature_gt_{index}_first"]), rtol=1e-6, atol=1e-6)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(output)
        completed = output * hole + image * (1 - hole)
        seen = {"out": see(output), "comp": see(completed)}
        terms = {
            "valid": weighted_l1(output, image, hole, 1.0, 0.0),
            "hole": weighted_l1(output, image, hole, 0.0, 1.0),
            "prc": sum(feature_l1(features, of_truth) for features in seen.values()),
            "style": sum(style_l1(features, of_truth) for features in seen.values()),
            "tv": total_variation_of_image(completed),
            "tv_paper": total_variation_of_region(completed, hole),
        }
    for name, value in terms.items():
        agree("partial U-Net's loss terms, relative", _relative(value, stored[f"term/{name}"]), 1e-10)
        gradient = tape.gradient(value, output)
        norm = _relative(tf.norm(gradient), stored[f"grad_norm/{name}"])
        agree("partial U-Net's gradient norms of the losses, relative", norm, 1e-6)
        if f"grad/{name}" in stored:
            expected = nhwc(stored[f"grad/{name}"])
            deviation = np.abs(gradient - expected).max() / np.abs(expected).max()
            agree("partial U-Net's gradients of the losses, relative", deviation, 1e-6)
    for what, features in seen.items():
        for level, (ours, theirs) in enumerate(zip(features, of_truth), start=1):
            for name, loss in (("prc", feature_l1), ("style", style_l1)):
                deviation = _relative(loss([ours], [theirs]), stored[f"term/{name}_{what}_{level}"])
                agree("partial U-Net's loss terms, relative", deviation, 1e-10)


TERMS = {"valid": "valid", "hole": "hole", "prc": "perceptual", "style": "style", "tv": "total_variation"}


class _TorchAdam:
    """Adam whose epsilon is added after the bias correction, as the reference's program has it, and TensorFlow not."""

    def __init__(self, weights):
        self._weights = weights
        self._state = {name: (0, 0.0, 0.0) for name in weights}

    def apply(self, gradients, rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
        for name, gradient in gradients.items():
            count, first, second = self._state[name]
            count, first = count + 1, beta1 * first + (1 - beta1) * gradient
            second = beta2 * second + (1 - beta2) * gradient**2
            self._state[name] = count, first, second
            divisor = tf.sqrt(second / (1 - beta2**count)) + epsilon
            self._weights[name].assign_sub(rate * first / (1 - beta1**count) / divisor)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("run, frozen", [("as_code", "statistics"), ("gamma_beta_frozen", "all")])
def test_two_phases_of_training(arrays, agree, float64, kind, run, frozen):
    stored = arrays("partialconv_unet/trajectory_w8_L5")
    given = {"width": 8, "depth": 5, "window_factor": KINDS[kind], "total_variation": "image"}
    recipe = PartialConvolutionRecipe(PartialConvolutionRecipe.Options(**given, fine_tune_from=2, frozen=frozen))
    see = _small_vgg(arrays("partialconv_unet/loss_vgg8"))
    recipe.features = lambda image: see(standardised(image))
    _fill(recipe.generator, stored.under("w/"), stored.under(f"stats/{kind}/"))
    weights = named_weights(recipe.generator)
    trained = {name: weight for name, weight in weights.items() if weight.trainable}
    start = {name: weight.numpy() for name, weight in trained.items()}
    optimizer = _TorchAdam(trained)
    scale = {term: getattr(recipe.options, f"{term}_weight") for term in TERMS.values()}
    phases = recipe.phases
    assert [phase.first_step for phase in phases] == [0, 2] and list(phases[1].updates) == ["generator"]

    def make(phase):
        learning = {name: weight for name, weight in trained.items() if name not in phase.frozen}

        @tf.function(autograph=False)
        def update(batch):
            with tf.GradientTape() as tape:
                terms, statistics = phase.losses["generator"](batch)
                total = tf.add_n(list(terms.values()))
            gradients = tape.gradient(total, learning)
            recipe.advance("generator", statistics)
            return terms, total, gradients

        return update

    updates = [make(phase) for phase in phases]
    names = [_our_name(name) for name in stored["names"]]
    for step, phase in enumerate(stored["phase"]):
        batch = {"image": _image(stored["image_u8"][step]), "mask": _hole(stored["hole"][step])}
        terms, total, gradients = updates[phase - 1](batch)
        optimizer.apply(gradients, 2e-4 if phase == 1 else 5e-5)
        expected = dict(zip(stored["term_names"], stored[f"{kind}/{run}/terms"][step]))
        for theirs, ours in TERMS.items():
            deviation = _relative(terms[ours] / scale[ours], expected[theirs])
            agree("partial U-Net's terms over four updates, relative", deviation, 1e-6)
        agree("partial U-Net's loss over four updates, relative", _relative(total, expected["total"]), 1e-6)
        if step in (0, 2):
            for name, norm in zip(names, stored[f"{kind}/{run}/grad_norm_update{step + 1}"]):
                assert np.isnan(norm) == (name not in gradients)
                if not np.isnan(norm):
                    deviation = _relative(tf.norm(gradients[name]), norm)
                    agree("partial U-Net's gradient norms, relative", deviation, 1e-6)
    for name, change in zip(names, stored[f"{kind}/{run}/change_l2"]):
        deviation = _relative(np.linalg.norm(weights[name] - start[name]), change)
        agree("partial U-Net's changes after four updates, relative", deviation, 1e-6)
    for state in ("final", "stats_after"):
        for name, value in stored.under(f"{kind}/{run}/{state}/").items():
            deviation = np.abs(weights[_our_name(name)] - hwio(value)).max() / np.abs(value).max()
            agree("partial U-Net after four updates, relative", deviation, 1e-6)
