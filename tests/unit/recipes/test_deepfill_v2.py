import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.models.weights import named_weights
from tf_inpaint.ops.masks import MaskOptions, box
from tf_inpaint.recipes import DeepFillV2Recipe

SMALL = {"width": 8, "critic_width": 4}
HOLES = MaskOptions("box", 32, 32, 8, 8)


def _recipe(**options):
    recipe = DeepFillV2Recipe(DeepFillV2Recipe.Options(**{**SMALL, **options}))
    recipe.build(64, 64)
    return recipe


def _batch(count=2):
    seeds = tf.constant([[5, i] for i in range(count)])
    return {
        "image": tf.stack([tf.random.stateless_uniform([64, 64, 3], seed, -1, 1) for seed in seeds]),
        "mask": tf.stack([box(seed, 64, 64, HOLES) for seed in seeds]),
        "edges": tf.stack([tf.round(tf.random.stateless_uniform([64, 64, 1], seed)) for seed in seeds]),
        "seed": seeds,
    }


@pytest.mark.parametrize("guided", [False, True])
def test_a_batch_is_the_mean_of_its_halves(guided):
    """So that two devices with half the batch each do what one does with all of it."""
    recipe, batch = _recipe(guided=guided), _batch(4)
    halves = [{name: values[half] for name, values in batch.items()} for half in (slice(0, 2), slice(2, 4))]
    for losses, names in ((recipe.generator_losses, ["l1", "adversarial"]), (recipe.discriminator_losses, ["critic"])):
        whole, parts = losses(batch), [losses(half) for half in halves]
        assert list(whole) == names
        for name in whole:
            np.testing.assert_allclose(whole[name], (parts[0][name] + parts[1][name]) / 2, rtol=2e-5, atol=1e-7)


def test_l1_by_hand():
    recipe, batch = _recipe(coarse_l1_weight=3.0, l1_weight=0.5), _batch()
    outputs = recipe.complete(batch, training=True)
    coarse, refined = (np.abs(outputs[name] - batch["image"]).mean() for name in ("coarse", "refined"))
    np.testing.assert_allclose(recipe.generator_losses(batch)["l1"], 0.5 * (3 * coarse + refined), rtol=1e-5)


def test_the_adversarial_weight_multiplies_its_term():
    recipe, batch = _recipe(), _batch()
    before = recipe.generator_losses(batch)["adversarial"]
    recipe.options = dataclasses.replace(recipe.options, adversarial_weight=2.0)
    np.testing.assert_allclose(recipe.generator_losses(batch)["adversarial"], 2 * before, rtol=1e-5)


def test_l1_in_the_hole_by_hand():
    recipe, batch = _recipe(l1_weight=0.0, coarse_l1_weight=0.5, hole_l1_weight=2.0), _batch()
    outputs, mask = recipe.complete(batch, training=True), batch["mask"].numpy()

    def in_holes(name):
        error = (np.abs(batch["image"] - outputs[name]) * mask).sum(axis=(1, 2, 3))
        return (error / (3 * mask.sum(axis=(1, 2, 3)))).mean()

    losses = recipe.generator_losses(batch)
    assert float(losses["l1"]) == 0
    np.testing.assert_allclose(losses["hole_l1"], 2 * (0.5 * in_holes("coarse") + in_holes("refined")), rtol=1e-5)


def test_without_adversarial_weight_there_is_no_critic_update():
    recipe = _recipe(adversarial_weight=0.0)
    assert recipe.n_critic == 0 and list(recipe.generator_losses(_batch())) == ["l1"]


def test_losses_leave_u_alone_and_advance_moves_it_once():
    recipe, batch = _recipe(), _batch()
    u = named_weights(recipe.discriminator)["conv3.u"]
    before = u.numpy()
    recipe.discriminator_losses(batch)
    recipe.generator_losses(batch)
    np.testing.assert_array_equal(u, before)
    recipe.advance("discriminator")
    assert not np.array_equal(u, before)


def test_critic_losses_leave_the_generator_alone():
    recipe, batch = _recipe(), _batch()
    with tf.GradientTape() as tape:
        loss = sum(recipe.discriminator_losses(batch).values())
    assert all(g is None for g in tape.gradient(loss, list(named_weights(recipe.generator).values())))


def test_critic_sees_the_sketch_in_the_hole_alone():
    recipe, batch = _recipe(guided=True), _batch()
    known = {**batch, "edges": tf.maximum(batch["edges"], 1 - batch["mask"])}
    hole = {**batch, "edges": tf.maximum(batch["edges"], batch["mask"])}
    loss, same, other = (float(recipe.discriminator_losses(b)["critic"]) for b in (batch, known, hole))
    assert same == loss and other != loss


def test_known_pixels_are_the_pictures():
    recipe, batch = _recipe(), _batch()
    completed, known = recipe.complete(batch, training=False)["completed"], 1 - batch["mask"]
    np.testing.assert_array_equal(completed * known, batch["image"] * known)


@pytest.mark.parametrize(
    "options, size, sentence",
    [({}, (60, 64), "multiples of 8"), ({}, (56, 56), "at least 64"), ({"width": 6}, (64, 64), "a multiple of 4")],
)
def test_impossible_sizes_are_explained(options, size, sentence):
    with pytest.raises(InputError, match=sentence):
        DeepFillV2Recipe.check(DeepFillV2Recipe.Options(**{**SMALL, **options}), size, HOLES)


def test_possible_sizes_pass():
    DeepFillV2Recipe.check(DeepFillV2Recipe.Options(**SMALL), (64, 72), HOLES)
    DeepFillV2Recipe.check(DeepFillV2Recipe.Options(**SMALL, padding="SAME"), (32, 32), HOLES)


@pytest.mark.parametrize("convolution", ["plain", "partial"])
def test_other_convolutions_are_trained_alike(convolution):
    recipe, batch = _recipe(convolution=convolution, width=2), _batch()
    with tf.GradientTape() as tape:
        losses = recipe.generator_losses(batch)
        loss = sum(losses.values())
    assert list(losses) == ["l1", "adversarial"]
    for gradient in tape.gradient(loss, recipe.generator.trainable_variables):
        assert np.isfinite(gradient).all()


def test_what_convolutions_cannot_do_is_explained():
    def check(**options):
        DeepFillV2Recipe.check(DeepFillV2Recipe.Options(**{**SMALL, **options}), (64, 64), HOLES)

    check(width=6, convolution="plain")
    check(guided=True, convolution="plain")
    with pytest.raises(InputError, match="options.width must be a multiple of 4"):
        check(width=6)
    with pytest.raises(InputError, match="options.guided: true is not for options.convolution partial"):
        check(guided=True, convolution="partial")
