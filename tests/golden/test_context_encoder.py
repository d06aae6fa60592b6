"""Context Encoders against an independent implementation of the release's restated layer tables and losses."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from torch_files import hwio, nhwc

from tf_inpaint.config import OptimizerConfig
from tf_inpaint.layers import ChannelwiseDense
from tf_inpaint.models import ContextEncoderDiscriminator
from tf_inpaint.models.weights import named_weights, parameter_count
from tf_inpaint.ops.images import composite
from tf_inpaint.recipes.context_encoder import ContextEncoderRecipe, Options
from tf_inpaint.training.optimizers import Optimizers

CENTRE = Options(image_size=128, region="centre", width=8, critic_width=8, bottleneck=40)
WHOLE = replace(CENTRE, image_size=64, region="whole", overlap=0)
# file -> {overlap as the file counts it: options}
FILES = {
    "center_128": {n: replace(CENTRE, overlap=n) for n in (0, 4, 7)},
    "random_64": {0: replace(WHOLE, known_weight=1.0), 1: replace(WHOLE, known_weight=10.0)},
}
# In the centre's case some activations lie so near to a kink that weights moved by 1e-6 move the discriminator's
# gradient norm by 2e-4, as far as the two programs differ; Adam's first steps, of the learning rate each, make more
# of it.
AFTER_KINKS = {"center_128": {"terms": 1e-2, "output": 5e-2}, "random_64": {"terms": 1e-4, "output": 2e-4}}
CASES = [(file, overlap) for file, cases in FILES.items() for overlap in cases]


def _ours(name):
    layer, kind, parameter = re.fullmatch(r"(\w+?)_(conv|deconv|bn)\.(\w+)", name).groups()
    norm = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    return f"{layer}.norm.{norm[parameter]}" if kind == "bn" else f"{layer}.{parameter.replace('weight', 'kernel')}"


def _fill(model, parameters):
    weights = named_weights(model)
    if isinstance(model, ContextEncoderDiscriminator):
        parameters = {name.replace("out_", "score_"): array for name, array in parameters.items()}
    assert set(map(_ours, parameters)) == set(weights)
    for name, array in parameters.items():
        weights[_ours(name)].assign(hwio(array))
    return weights


def _mask(stored, options):
    if options.region == "whole":
        return tf.constant(nhwc(stored["mask"]).astype(np.float32))
    side, hole = options.image_size, options.image_size // 2 - 2 * options.overlap
    mask, first = np.zeros([4, side, side, 1], np.float32), (side - hole) // 2
    mask[:, first : first + hole, first : first + hole] = 1
    return tf.constant(mask)


@pytest.fixture(params=CASES, ids=[f"{file}-overlap{overlap}" for file, overlap in CASES])
def case(request, reference, arrays):
    """(arrays, their names' beginning, numbers, recipe, batch) with the stored weights."""
    file, overlap = request.param
    stored = arrays(f"context_encoder/{file}")
    numbers = json.loads((reference / "context_encoder" / f"{file}.json").read_text())
    values = next(each for each in numbers["cases"] if each["overlap"] == overlap)
    return _Case(stored, f"overlap{overlap}/", values, FILES[file][overlap], numbers)


class _Case:
    def __init__(self, stored, prefix, values, options, numbers):
        self.stored, self.prefix, self.values, self.options, self.numbers = stored, prefix, values, options, numbers
        image = tf.constant(nhwc(stored["image"]))
        mask = _mask(stored, options)
        self.batch = {"image": image, "mask": tf.broadcast_to(mask, [*image.shape[:3], 1])}

    def __getitem__(self, name):
        return self.stored[self.prefix + name]

    def recipe(self, **changes):
        recipe = ContextEncoderRecipe(replace(self.options, **changes))
        recipe.build(*self.batch["image"].shape[1:3])
        self.generator = _fill(recipe.generator, self.stored.under("G/"))
        self.discriminator = _fill(recipe.discriminator, self.stored.under("D/"))
        return recipe


def _zero_biases(recipe):
    for network in (recipe.generator, recipe.discriminator):
        for name, weight in named_weights(network).items():
            if name.endswith(".bias"):
                weight.assign(tf.zeros_like(weight))


def _distance(value, expected):
    return np.abs(np.asarray(value) - expected).max()


def test_outputs_with_running_statistics(case, agree):
    recipe, image, mask = case.recipe(), case.batch["image"], case.batch["mask"]
    assert (parameter_count(recipe.generator), parameter_count(recipe.discriminator)) == (
        case.numbers["params_G"],
        case.numbers["params_D"],
    )
    context, _ = recipe.generator.context(image * (1 - mask), mask)
    agree("Context Encoder input, absolute", _distance(context, nhwc(case["input_ctx"])), 1e-6)
    outputs = recipe.complete(case.batch, training=False)
    agree("Context Encoder output, absolute", _distance(outputs["patch"], nhwc(case["eval/G_output"])), 2e-5)
    composed = composite(outputs["predicted"], image, mask)
    agree("Context Encoder composite, absolute", _distance(composed, nhwc(case["eval/composite"])), 2e-5)
    for name, patch in (("real", recipe.generator.target(image, mask)), ("fake", outputs["patch"])):
        scores, _ = recipe.discriminator(patch)
        deviation = _distance(tf.sigmoid(scores)[:, 0], case[f"eval/D_{name}"])
        agree("Context Encoder discriminator's probabilities, absolute", deviation, 1e-5)


def test_losses_with_statistics_of_the_batch(case, agree):
    recipe, batch = case.recipe(), case.batch
    outputs = recipe.complete(batch, training=True)
    agree("Context Encoder output, absolute", _distance(outputs["patch"], nhwc(case["train/G_output"])), 2e-5)
    (critic, _), values = recipe.discriminator_losses(batch), case.values
    agree("Context Encoder loss terms, relative", abs(critic["critic"] / values["errD"] - 1), 1e-5)
    for wtl2, expected in values["wtl2"].items():
        l2_weight = float(wtl2)
        recipe = case.recipe(l2_weight=l2_weight, adversarial_weight=expected["adv_coefficient"])
        terms, _ = recipe.generator_losses(batch)
        adversarial = terms["adversarial"] / expected["adv_coefficient"]
        agree("Context Encoder loss terms, relative", abs(adversarial / values["errG"] - 1), 1e-5)
        total = sum(terms.values()) / expected["scalar_with_same_gradient"]
        agree("Context Encoder loss terms, relative", abs(total - 1), 1e-5)


def _gradients(recipe, losses, weights, batch):
    with tf.GradientTape() as tape:
        terms, statistics = losses(batch)
        total = tf.add_n(list(terms.values()))
    # A bias before a normalisation has none here and nothing but rounding there.
    gradients = tape.gradient(total, list(weights.values()), unconnected_gradients="zero")
    return dict(zip(weights, gradients)), statistics


def test_gradients(case, agree):
    recipe = case.recipe(train_bias=True)  # so that the biases, at zero, have gradients
    _zero_biases(recipe)
    for letter, losses, weights, norm in (
        ("D", recipe.discriminator_losses, case.discriminator, case.values["grad_norm_D"]),
        ("G", recipe.generator_losses, case.generator, case.values["wtl2"]["0.999"]["grad_norm_G"]),
    ):
        trained = {name: weight for name, weight in weights.items() if weight.trainable}
        gradients, _ = _gradients(recipe, losses, trained, case.batch)
        deviation = abs(tf.linalg.global_norm(list(gradients.values())) / norm - 1)
        agree("Context Encoder gradient norms, relative", deviation, 1e-3)
        for name, expected in case.stored.under(f"{case.prefix}train/grad{letter}/").items():
            name = name.replace("out_conv", "score_conv")
            distance = np.linalg.norm(gradients[_ours(name)] - hwio(expected))
            agree(
                "Context Encoder whole gradients, relative (L2)", distance / max(np.linalg.norm(expected), 1e-2), 1e-3
            )


def test_running_statistics(case, agree):
    recipe, met = case.recipe(), 0
    for which, letter in (("discriminator", "D"), ("generator", "G")):
        _, statistics = getattr(recipe, f"{which}_losses")(case.batch)
        recipe.advance(which, statistics)
        for name, expected in case.stored.under(f"{case.prefix}train/{letter}_after/").items():
            deviation, met = _distance(getattr(case, which)[_ours(name)], expected), met + 1
            agree("Context Encoder running statistics, absolute", deviation, 1e-5)
    assert met or case.prefix != "overlap0/"


@pytest.mark.parametrize("file", FILES)
def test_three_steps_of_training(reference, arrays, agree, file):
    stored = arrays(f"context_encoder/{file}")
    numbers = json.loads((reference / "context_encoder" / f"{file}.json").read_text())
    steps, values = numbers["steps"], None
    case = _Case(stored, f"overlap{steps['overlap']}/", values, FILES[file][steps["overlap"]], numbers)
    recipe = case.recipe()
    _zero_biases(recipe)
    networks = {"discriminator": case.discriminator, "generator": case.generator}
    trained = {
        which: {n: w for n, w in weights.items() if w.trainable and not n.endswith(".bias")}
        for which, weights in networks.items()
    }
    options = OptimizerConfig(
        learning_rate=2e-3, discriminator_learning_rate=2e-4, beta1=0.5, beta2=0.999, epsilon=1e-8, shared_count=False
    )
    optimizers = Optimizers(options, trained["generator"], trained["discriminator"])
    optimizers.assign_learning_rates(optimizers.learning_rates(0, len(steps["rows"])).values())
    tolerance = AFTER_KINKS[file]
    for row in steps["rows"]:
        for which in ("discriminator", "generator"):
            losses = getattr(recipe, f"{which}_losses")
            terms, _ = losses(case.batch)
            gradients, statistics = _gradients(recipe, losses, trained[which], case.batch)
            if which == "discriminator":
                expected = {"critic": row["errD_real"] + row["errD_fake"]}
            else:
                expected = {"adversarial": 0.001 * row["errG_after_D_update"]}
            for term, value in expected.items():
                what = f"Context Encoder {file} loss terms in training, relative"
                agree(what, abs(terms[term] / value - 1), tolerance["terms"])
            recipe.advance(which, statistics)
            getattr(optimizers, which).apply_gradients([(gradients[n], w) for n, w in trained[which].items()])
    patch = recipe.complete(case.batch, training=False)["patch"]
    agree(
        f"Context Encoder {file} output after three steps, absolute",
        _distance(patch, nhwc(stored["steps/final_eval_G_output_zero_conv_bias"])),
        tolerance["output"],
    )


def test_conditional_critic(arrays, agree):
    stored = arrays("context_encoder/conditional_discriminator")
    critic = ContextEncoderDiscriminator(64, width=6, conditional=True, train_bias=True)
    inputs = tf.constant(nhwc(stored["center"])), tf.constant(nhwc(stored["context"]))
    critic(inputs)
    _fill(critic, stored.under("D/"))
    for name, training in (("eval", False), ("train", True)):
        scores, _ = critic(inputs, training=training)
        deviation = _distance(tf.sigmoid(scores)[:, 0], stored[f"{name}/prob"])
        agree("Context Encoder conditional discriminator's probabilities, absolute", deviation, 1e-5)


def test_channelwise_dense(arrays, agree):
    stored = arrays("context_encoder/channelwise_fc")
    inputs = tf.constant(nhwc(stored["input"]))
    for use_bias, name in ((True, "output"), (False, "output_nobias")):
        layer = ChannelwiseDense(use_bias)
        layer.build(inputs.shape)
        layer.kernel.assign(stored["weight"])
        if use_bias:
            layer.bias.assign(stored["bias"])
        outputs = layer(inputs)
        agree("channel-wise dense layer, absolute", _distance(outputs, nhwc(stored[name])), 1e-5)
        if use_bias:
            mixed = tf.nn.conv2d(outputs, hwio(stored["conv1x1_weight"]), 1, "SAME") + stored["conv1x1_bias"]
            agree("channel-wise dense layer, absolute", _distance(mixed, nhwc(stored["output_after_conv"])), 1e-5)


@pytest.mark.parametrize(
    "options, parameters",
    [
        (Options(), (71_130_531, 2_766_529)),
        (Options(bottleneck=100, conditional=True), (7_221_231, 2_904_385)),
        (Options(region="whole", overlap=0, bottleneck=100), (7_286_959, 2_832_257)),
        (Options(image_size=64, region="whole", overlap=0), (71_064_803, 2_766_529)),
    ],
)
def test_parameter_counts(options, parameters):
    recipe = ContextEncoderRecipe(options)
    recipe.build(options.image_size, options.image_size)
    assert (parameter_count(recipe.generator), parameter_count(recipe.discriminator)) == parameters
