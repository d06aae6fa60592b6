import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from small_recipes import BOX, make_batch, make_options, make_recipe

from tf_inpaint.errors import InputError
from tf_inpaint.features.efficientnet_lite import installed
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes import DeepFillV2Recipe


def test_l1_by_hand():
    recipe, batch = make_recipe("deepfill_v2", coarse_l1_weight=3.0, l1_weight=0.5), make_batch()
    outputs = recipe.complete(batch, training=True)
    coarse, refined = (np.abs(outputs[name] - batch["image"]).mean() for name in ("coarse", "refined"))
    np.testing.assert_allclose(recipe.generator_losses(batch)["l1"], 0.5 * (3 * coarse + refined), rtol=1e-5)


def test_the_adversarial_weight_multiplies_its_term():
    recipe, batch = make_recipe("deepfill_v2"), make_batch()
    before = recipe.generator_losses(batch)["adversarial"]
    recipe.options = dataclasses.replace(recipe.options, adversarial_weight=2.0)
    np.testing.assert_allclose(recipe.generator_losses(batch)["adversarial"], 2 * before, rtol=1e-5)


def test_l1_in_the_hole_by_hand():
    recipe, batch = make_recipe("deepfill_v2", l1_weight=0.0, coarse_l1_weight=0.5, hole_l1_weight=2.0), make_batch()
    outputs, mask = recipe.complete(batch, training=True), batch["mask"].numpy()

    def in_holes(name):
        error = (np.abs(batch["image"] - outputs[name]) * mask).sum(axis=(1, 2, 3))
        return (error / (3 * mask.sum(axis=(1, 2, 3)))).mean()

    losses = recipe.generator_losses(batch)
    assert float(losses["l1"]) == 0
    np.testing.assert_allclose(losses["hole_l1"], 2 * (0.5 * in_holes("coarse") + in_holes("refined")), rtol=1e-5)


def test_losses_leave_u_alone_and_advance_moves_it_once():
    recipe, batch = make_recipe("deepfill_v2"), make_batch()
    u = named_weights(recipe.discriminator)["conv3.u"]
    before = u.numpy()
    recipe.discriminator_losses(batch)
    recipe.generator_losses(batch)
    np.testing.assert_array_equal(u, before)
    recipe.advance("discriminator")
    assert not np.array_equal(u, before)


def test_critic_sees_the_sketch_in_the_hole_alone():
    recipe, batch = make_recipe("deepfill_v2", guided=True), make_batch()
    known = {**batch, "edges": tf.maximum(batch["edges"], 1 - batch["mask"])}
    hole = {**batch, "edges": tf.maximum(batch["edges"], batch["mask"])}
    loss, same, other = (float(recipe.discriminator_losses(b)["critic"]) for b in (batch, known, hole))
    assert same == loss and other != loss


def test_diffaugment_moves_mask_and_sketch_with_the_image():
    recipe, batch = make_recipe("deepfill_v2", guided=True, augment="diffaugment"), make_batch()
    losses = recipe.discriminator_losses(batch), recipe.generator_losses(batch)
    assert all(np.isfinite(value) for terms in losses for value in terms.values())
    turned = {**batch, "seed": batch["seed"] + 1}
    assert float(recipe.discriminator_losses(turned)["critic"]) != float(losses[0]["critic"])
    hole = {**batch, "edges": tf.maximum(batch["edges"], batch["mask"])}
    assert float(recipe.discriminator_losses(hole)["critic"]) != float(losses[0]["critic"])


@pytest.mark.skipif(not installed(), reason="needs the extra `features`")
def test_what_a_trained_network_sees_may_judge_and_guide():
    options = {"discriminator": "features", "augment": "diffaugment", "perceptual_weight": 2.0}
    recipe, batch = make_recipe("deepfill_v2", **options), make_batch()
    with tf.GradientTape(persistent=True) as tape:
        terms = recipe.generator_losses(batch)
        critic = recipe.discriminator_losses(batch)["critic"]
    for term in ("adversarial", "perceptual"):
        gradients = tape.gradient(terms[term], recipe.generator.trainable_variables)
        assert any(float(tf.norm(gradient)) > 0 for gradient in gradients if gradient is not None)
    weights = recipe.discriminator.trainable_variables
    assert all(float(tf.norm(gradient)) > 0 for gradient in tape.gradient(critic, weights)) and len(weights) > 5
    assert tape.gradient(critic, recipe.generator.trainable_variables) == [None] * len(
        recipe.generator.trainable_variables
    )
    # Where nothing is missing, the completed image is the image: nothing to see, and all of it real.
    whole = {**batch, "mask": tf.zeros_like(batch["mask"])}
    assert float(recipe.generator_losses(whole)["perceptual"]) == 0
    recipe.options = dataclasses.replace(recipe.options, perceptual_weight=4.0)
    np.testing.assert_allclose(recipe.generator_losses(batch)["perceptual"], 2 * terms["perceptual"], rtol=1e-5)


@pytest.mark.parametrize(
    "options, size, sentence",
    [({}, (60, 64), "multiples of 8"), ({}, (56, 56), "at least 64"), ({"width": 6}, (64, 64), "a multiple of 4")],
)
def test_impossible_sizes_are_explained(options, size, sentence):
    with pytest.raises(InputError, match=sentence):
        DeepFillV2Recipe.check(make_options("deepfill_v2", **options), size, BOX)


def test_possible_sizes_pass():
    DeepFillV2Recipe.check(make_options("deepfill_v2"), (64, 72), BOX)
    DeepFillV2Recipe.check(make_options("deepfill_v2", padding="SAME"), (32, 32), BOX)


def test_what_convolutions_cannot_do_is_explained():
    def check(**options):
        DeepFillV2Recipe.check(make_options("deepfill_v2", **options), (64, 64), BOX)

    check(width=6, convolution="plain")
    check(guided=True, convolution="plain")
    with pytest.raises(InputError, match="options.width must be a multiple of 4"):
        check(width=6)
    with pytest.raises(InputError, match="options.guided: true is not for options.convolution partial"):
        check(guided=True, convolution="partial")
