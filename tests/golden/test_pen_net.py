"""PEN-Net against its PyTorch release: attention transfer, generator, discriminator and its state, three steps of
training."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from torch_files import nhwc

from tf_inpaint.checkpoints.releases import PEN_NET
from tf_inpaint.config import OptimizerConfig
from tf_inpaint.layers import AttentionTransfer
from tf_inpaint.models import PENNetDiscriminator, PENNetGenerator
from tf_inpaint.models.weights import named_weights, parameter_count
from tf_inpaint.ops.masks.turned_box import turn_box
from tf_inpaint.recipes import PENNetRecipe
from tf_inpaint.training.optimizers import Optimizers

ATTENTION = [
    "k1_fuse",
    "k1_nofuse",
    "k1_nofuse_allhole",
    "k3_fuse",
    "k3_fuse_b2_12x20",
    "k3_fuse_thinmask",
    "k3_nofuse",
    "k3_nofuse_allhole",
    "k3_nofuse_nohole",
    "k3_nofuse_scale25",
    "k3_nofuse_softmask",
    "k3_nofuse_nomask",
]
EXTRACTS = Path(__file__).parent / "data"
NAMES = {**PEN_NET.networks["generator"], **PEN_NET.networks["discriminator"]}


def _ours(name):
    """The name of a weight here, for one of the release or of its attention layer alone."""
    return NAMES[name] if name in NAMES else NAMES[f"at_conv01.{name}"].removeprefix("at_conv01.")


def _value(name, array):
    return PEN_NET.to_ours(_ours(name), array)


def _fill(model, parameters):
    weights = named_weights(model)
    for name, array in parameters.items():
        weights[_ours(name)].assign(_value(name, array))
    return weights


def _by_recipe(recipe):
    """Arrays of a seeded recipe, which the release's program was run with too."""
    state = np.random.RandomState(recipe["seed"])
    arrays = {}
    for entry in recipe["parameters"]:
        drawn = 2 * state.random_sample(entry["shape"]) - 1
        arrays[entry["name"]] = (drawn * entry["bound"]).astype(np.float32)
        np.testing.assert_allclose(arrays[entry["name"]].sum(dtype=np.float64), entry["sum"], rtol=1e-5, atol=1e-4)
    return arrays


@pytest.mark.parametrize("case", ATTENTION)
def test_attention_transfer(arrays, agree, case):
    stored = arrays(f"pennet/atn_torch_{case}")
    low, high = nhwc(stored["x1"]), nhwc(stored["x2"])
    given = bool(stored["mask_given"])
    mask = tf.constant(nhwc(stored["mask"])) if given else tf.zeros([1, *high.shape[1:3], 1])
    layer = AttentionTransfer(int(stored["ksize"]), bool(stored["fuse"]), float(stored["softmax_scale"]))
    layer.build((low.shape, high.shape, mask.shape))
    if layer.fuse:
        _fill(layer, stored.under("w/"))
    if given:
        np.testing.assert_array_equal(layer.valid_sources(mask, high.shape[1:3]), stored["valid"])
    output = layer((tf.constant(low), tf.constant(high), mask))
    agree("PEN-Net attention transfer, absolute", np.abs(output - nhwc(stored["output"])).max(), 1e-5)
    if "attended" in stored:
        attended = layer.attend(tf.constant(low), tf.constant(high), mask)
        agree("PEN-Net attention transfer, absolute", np.abs(attended - nhwc(stored["attended"])).max(), 1e-5)


def _built(width):
    generator, plane = PENNetGenerator(width), tf.zeros([1, 64, 64, 1])
    generator((tf.zeros([1, 64, 64, 3]), plane))
    return generator


def _check_generator(generator, stored, agree):
    image, mask = nhwc(stored["image"]), nhwc(stored["mask"]).astype(np.float32)
    outputs = generator((image * (1 - mask), mask))
    agree("PEN-Net output, absolute", np.abs(outputs["predicted"] - nhwc(stored["output"])).max(), 2e-4)
    for level, picture in enumerate(outputs["pyramid"], 1):
        agree("PEN-Net pyramid, absolute", np.abs(picture - nhwc(stored[f"img{level}"])).max(), 2e-4)


@pytest.mark.parametrize("case", ["b1", "b2"])
def test_generator(arrays, agree, case):
    generator = _built(8)
    weights = arrays("pennet/generator_c8_weights")
    assert set(map(_ours, weights.names)) == set(named_weights(generator))
    _fill(generator, {name: weights[name] for name in weights.names})
    assert parameter_count(generator) == 641_546
    _check_generator(generator, arrays(f"pennet/generator_c8_256_{case}"), agree)


def test_full_width_generator(reference, arrays, agree):
    generator = _built(32)
    assert parameter_count(generator) == 10_231_538
    recipe = json.loads((reference / "pennet" / "generator_full_weights_recipe.json").read_text())
    _fill(generator, _by_recipe(recipe))
    _check_generator(generator, arrays("pennet/generator_full_256_b1"), agree)


def _check_state(weights, stored, prefix, agree):
    for name, array in stored.under(prefix).items():
        deviation = np.abs(weights[_ours(name)] - _value(name, array)).max()
        agree("PEN-Net discriminator's u and v, absolute", deviation, 1e-5)


def test_critic_and_its_state(arrays, agree):
    stored, parameters = arrays("pennet/discriminator_d16"), arrays("pennet/discriminator_d16_weights")
    critic, pictures = PENNetDiscriminator(16), nhwc(stored["input"])
    critic(pictures)
    assert parameter_count(critic) == 273_201
    weights = _fill(critic, {name: parameters[name] for name in parameters.names})

    def check(scores, name):
        agree("PEN-Net discriminator scores, absolute", np.abs(scores - nhwc(stored[name])).max(), 2e-5)

    check(critic(pictures), "logits_eval_state0")
    check(critic(pictures, iterations=2), "logits_train_pass2")  # leaves the state alone
    check(critic(pictures, training=True), "logits_train_pass1")
    _check_state(weights, stored, "state1/", agree)
    check(critic(pictures, training=True), "logits_train_pass2")
    _check_state(weights, stored, "state2/", agree)
    check(critic(pictures), "logits_eval_state2")


def test_critic_from_a_fresh_state(arrays, agree):
    stored, parameters = arrays("pennet/discriminator_d16_fresh_sigmoid"), arrays("pennet/discriminator_d16_weights")
    critic, pictures = PENNetDiscriminator(16), nhwc(stored["input"])
    critic(pictures)
    weights = _fill(critic, {**{n: parameters[n] for n in parameters.names}, **stored.under("fresh/")})
    probability = tf.sigmoid(critic(pictures, training=True))
    deviation = np.abs(probability - nhwc(stored["prob_train_pass1"])).max()
    agree("PEN-Net discriminator probabilities, absolute", deviation, 1e-5)
    _check_state(weights, stored, "after/", agree)


def test_full_width_critic(reference, arrays, agree):
    stored = arrays("pennet/discriminator_full_256_b1")
    critic, pictures = PENNetDiscriminator(), nhwc(stored["input"])
    critic(pictures)
    assert parameter_count(critic) == 4_318_401
    recipe = json.loads((reference / "pennet" / "discriminator_full_weights_recipe.json").read_text())
    _fill(critic, {**_by_recipe(recipe), **stored.under("state0/")})
    assert critic(pictures).shape == (1, 27, 27, 1)
    for name, options in (("eval_state0", {}), ("train_pass1", {"iterations": 1}), ("train_pass2", {"iterations": 2})):
        deviation = np.abs(critic(pictures, **options) - nhwc(stored[f"logits_{name}"])).max()
        agree("PEN-Net discriminator scores, absolute", deviation, 2e-5)


class BatchMeans(PENNetRecipe):
    """The release's l1 terms, divided by the hole of the whole batch."""

    @staticmethod
    def hole_l1(predicted, image, mask):
        return tf.reduce_mean(tf.abs(predicted - image) * mask) / tf.reduce_mean(mask)

    @staticmethod
    def valid_l1(predicted, image, mask):
        return BatchMeans.hole_l1(predicted, image, 1.0 - mask)


def test_three_steps_of_training(reference, arrays, agree):
    stored = arrays("pennet/train_hinge")
    run = json.loads((reference / "pennet" / "train_losses.json").read_text())["runs"][0]
    recipe = BatchMeans(BatchMeans.Options(width=4, critic_width=8))
    recipe.build(128, 128)
    networks = {
        "discriminator": _fill(recipe.discriminator, stored.under("D/")),
        "generator": _fill(recipe.generator, stored.under("G/")),
    }
    trained = {which: {n: w for n, w in weights.items() if w.trainable} for which, weights in networks.items()}
    options = OptimizerConfig(learning_rate=1e-4, beta1=0.5, beta2=0.999, epsilon=1e-8, shared_count=False)
    optimizers = Optimizers(options, trained["generator"], trained["discriminator"])
    expected = {"discriminator": ("critic",), "generator": ("hole", "valid", "pyramid", "adversarial")}
    losses = {"discriminator": recipe.discriminator_losses, "generator": recipe.generator_losses}

    for number, step in enumerate(run["steps"]):
        batch = {
            "image": tf.constant(nhwc(stored["images"][number])),
            "mask": tf.constant(nhwc(stored["masks"][number]).astype(np.float32)),
        }
        values = {
            "critic": step["dis_loss"],
            "hole": 6 * step["hole_loss"],
            "valid": step["valid_loss"],
            "pyramid": 0.5 * step["pyramid_loss"],
            "adversarial": 0.1 * step["gen_adv_loss"],
        }
        for which, terms in expected.items():
            weights = trained[which]
            with tf.GradientTape() as tape:
                found = losses[which](batch)
                total = tf.add_n(list(found.values()))
            gradients = dict(zip(weights, tape.gradient(total, list(weights.values()))))
            for term in terms:
                agree("PEN-Net loss terms over three steps, absolute", abs(found[term] - values[term]), 2e-4)
            if number == 0:
                letter = which[0].upper()
                for name, gradient in stored.under(f"step1/grad{letter}/").items():
                    distance = np.linalg.norm(gradients[_ours(name)] - _value(name, gradient))
                    norm = max(np.linalg.norm(gradient), 1e-4)
                    agree("PEN-Net whole gradients, relative (L2)", distance / norm, 1e-3)
            recipe.advance(which)
            getattr(optimizers, which).apply_gradients([(gradients[name], weights[name]) for name in weights])

    for letter, which in (("D", "discriminator"), ("G", "generator")):
        for name, array in stored.under(f"final/{letter}/").items():
            # Adam's first steps are about the learning rate times the gradient's sign, even where that is rounding.
            moved = np.abs(networks[which][_ours(name)] - _value(name, array))
            agree("PEN-Net weights after three steps, absolute (largest)", moved.max(), 6.1e-4)
            agree("PEN-Net weights after three steps, absolute (mean)", moved.mean(), 2e-5)


@pytest.mark.parametrize("config", ["celebahq", "dtd", "facade", "places2"])
def test_learning_rates(reference, config):
    from tf_inpaint.training.optimizers import learning_rate_factor

    schedule = json.loads((reference / "pennet" / "lr_schedule.json").read_text())["schedules"][config]
    every, until = int(schedule["niter"]), int(schedule["niter_steady"])
    options = OptimizerConfig(schedule="step", decay_every=every, decay_rate=0.1, decay_until=until)
    for iteration, rate, critic_rate in schedule["values"]:
        # The release decays one update before the round number; here it is the update after it.
        if (iteration % every, until > iteration) != (0, True):
            assert learning_rate_factor(options, iteration - 1, 10**6) * 1e-4 == pytest.approx(rate) == critic_rate


def _square_masks():
    file = EXTRACTS / "pennet" / "square_masks.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("case", _square_masks(), ids=lambda case: case["key"])
def test_square_masks(arrays, agree, case):
    side = case["size"]
    left = side // 2 - case["left"] if case["flip"] else case["left"]
    mask = turn_box(side, side, side // 2, side // 2, case["top"], left, case["angle"])
    differing = np.mean(mask[..., 0] != arrays("pennet/square_masks")[case["key"]][0])
    agree("PEN-Net square masks, share of differing pixels", differing, 1e-4)
