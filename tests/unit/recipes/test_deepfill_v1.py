import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from small_recipes import BOX, make_batch, make_options, make_recipe

from tf_inpaint.errors import InputError
from tf_inpaint.features.efficientnet_lite import installed
from tf_inpaint.losses.reconstruction import total_variation
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes import DeepFillV1Recipe

needs_features = pytest.mark.skipif(not installed(), reason="needs the extra `features`")
GENERATOR_TERMS = ["l1", "autoencoder", "adversarial_global", "adversarial_local"]


def test_weights_multiply_their_terms():
    recipe, batch = make_recipe("deepfill_v1"), make_batch()
    before = {**recipe.generator_losses(batch), **recipe.discriminator_losses(batch)}
    changes = {
        "l1_weight": ["l1"],
        "autoencoder_weight": ["autoencoder"],
        "adversarial_weight": ["adversarial_global", "adversarial_local"],
        "penalty_weight": ["penalty_global", "penalty_local"],
        "global_weight": ["critic_global", "adversarial_global"],
    }
    for option, terms in changes.items():
        recipe.options = make_options("deepfill_v1")
        doubled = 2 * getattr(recipe.options, option)
        recipe.options = dataclasses.replace(recipe.options, **{option: doubled})
        after = {**recipe.generator_losses(batch), **recipe.discriminator_losses(batch)}
        for name in before:
            factor = 2 if name in terms else 1
            np.testing.assert_allclose(after[name], factor * before[name], rtol=1e-4, atol=1e-7, err_msg=name)


def test_critics_see_the_mask_if_told():
    channels = {
        seen: named_weights(make_recipe("deepfill_v1", gan_with_mask=seen).discriminator) for seen in (False, True)
    }
    for critic in ("global_critic", "local_critic"):
        assert channels[False][f"{critic}.conv1.kernel"].shape[2] == 3
        assert channels[True][f"{critic}.conv1.kernel"].shape[2] == 4


def test_without_attention_the_weights_are_the_same_and_there_are_no_offsets():
    plain, without = make_recipe("deepfill_v1"), make_recipe("deepfill_v1", attention="none")
    assert list(named_weights(without.generator)) == list(named_weights(plain.generator))
    batch = make_batch()
    outputs = without.complete(batch, training=False)
    assert "offsets" not in outputs and outputs["predicted"].shape == batch["image"].shape
    for one, other in zip(without.generator.weights, plain.generator.weights):
        one.assign(other)
    assert np.abs(without.complete(batch, False)["predicted"] - plain.complete(batch, False)["predicted"]).max() > 1e-6


def test_coarse_pretraining_trains_the_coarse_network_alone():
    recipe, batch = make_recipe("deepfill_v1", pretrain_coarse=True), make_batch()
    assert recipe.n_critic == 0
    weights = named_weights(recipe.generator)
    with tf.GradientTape() as tape:
        losses = recipe.generator_losses(batch)
        loss = sum(losses.values())
    assert list(losses) == ["l1", "autoencoder"]
    trained = {name for name, g in zip(weights, tape.gradient(loss, list(weights.values()))) if g is not None}
    assert trained == {name for name in weights if name.startswith("coarse.")}
    outputs = recipe.complete(batch, training=False)
    np.testing.assert_array_equal(outputs["predicted"], outputs["coarse"])


def test_random_numbers_belong_to_examples():
    recipe, batch = make_recipe("deepfill_v1"), make_batch(4)
    together = recipe.interpolation(batch)
    alone = recipe.interpolation({"seed": batch["seed"][2:3]})
    for all_of_them, one in zip(together, alone):
        assert all_of_them[2] == one[0]
    assert np.all(together[0] != together[1])


@pytest.mark.parametrize(
    "options, size, holes, sentence",
    [
        ({}, (60, 64), BOX, "multiples of 8"),
        ({}, (56, 56), BOX, "at least 64"),
        ({"local_patch": (96, 32)}, (64, 64), BOX, "larger than the image"),
        ({"local_patch": (16, 16)}, (64, 64), BOX, "discount 'distance'"),
    ],
)
def test_impossible_sizes_are_explained(options, size, holes, sentence):
    with pytest.raises(InputError, match=sentence):
        DeepFillV1Recipe.check(make_options("deepfill_v1", **options), size, holes)


def test_possible_sizes_pass():
    DeepFillV1Recipe.check(make_options("deepfill_v1"), (64, 72), BOX)
    DeepFillV1Recipe.check(make_options("deepfill_v1", padding="SAME"), (32, 32), BOX)


def _seen_by_vgg(image):
    """A stand-in for VGG's four layers, the second of which is compared as it is."""
    layers = [tf.nn.avg_pool2d(image * number, 8, 8, "VALID") for number in (1, 2, 3, 4)]
    return layers[1:2], layers


def test_terms_of_the_completed_picture():
    weights = {"perceptual_weight": 2.0, "style_weight": 3.0, "total_variation_weight": 5.0}
    recipe, batch = make_recipe("deepfill_v1"), make_batch()
    assert recipe.features is None  # and no VGG where no loss needs it
    plain = recipe.generator_losses(batch)
    recipe.options = dataclasses.replace(recipe.options, **weights)
    recipe.features = _seen_by_vgg
    with tf.GradientTape() as tape:
        losses = recipe.generator_losses(batch)
        total = losses["perceptual"] + losses["style"] + losses["total_variation"]
    assert set(losses) == {*GENERATOR_TERMS, "perceptual", "style", "total_variation"}
    completed = recipe.complete(batch, training=True)["completed"]
    pooled = tf.nn.avg_pool2d(completed, 8, 8, "VALID"), tf.nn.avg_pool2d(batch["image"], 8, 8, "VALID")
    expected = 2.0 * tf.reduce_mean(tf.square(2 * (pooled[0] - pooled[1])))
    np.testing.assert_allclose(losses["perceptual"], expected, rtol=1e-5)
    np.testing.assert_allclose(losses["total_variation"], 5 * total_variation(completed, batch["mask"]), rtol=1e-5)
    ours, truth = (tf.einsum("bhwc,bhwd->bcd", seen, seen) / (8 * 8 * 3) for seen in pooled)
    frobenius = tf.reduce_mean(tf.reduce_sum(tf.square(ours - truth), axis=[1, 2]))
    np.testing.assert_allclose(losses["style"], 3.0 * frobenius * (1 + 2**4 + 3**4 + 4**4), rtol=1e-4)
    for name in GENERATOR_TERMS:
        np.testing.assert_allclose(losses[name], plain[name], rtol=1e-6)
    gradients = tape.gradient(total, recipe.generator.trainable_variables)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_without_reconstruction_there_are_no_such_terms():
    recipe, batch = make_recipe("deepfill_v1", l1_weight=0.0, autoencoder_weight=0.0), make_batch()
    with tf.GradientTape() as tape:
        losses = recipe.generator_losses(batch)
        loss = sum(losses.values())
    assert list(losses) == ["adversarial_global", "adversarial_local"]
    assert all(gradient is not None for gradient in tape.gradient(loss, recipe.generator.trainable_variables))
    only = make_recipe(
        "deepfill_v1", l1_weight=0.0, autoencoder_weight=0.0, total_variation_weight=1.0, pretrain_coarse=True
    )
    assert list(only.generator_losses(batch)) == ["total_variation"]


@pytest.mark.parametrize("options", [{"pretrain_coarse": True}, {"adversarial_weight": 0.0}])
def test_without_an_adversarial_term_there_is_no_critic(options):
    recipe = make_recipe("deepfill_v1", **options)
    assert recipe.n_critic == 0 and list(recipe.generator_losses(make_batch())) == ["l1", "autoencoder"]


@pytest.mark.parametrize("options", [{"pretrain_coarse": True}, {"adversarial_weight": 0.0}])
def test_a_generator_that_learns_nothing_is_refused(options):
    options = make_options("deepfill_v1", l1_weight=0.0, autoencoder_weight=0.0, **options)
    with pytest.raises(InputError, match="options.l1_weight and all other weights.*nothing to learn"):
        DeepFillV1Recipe.check(options, (64, 64), BOX)


@needs_features
@pytest.mark.parametrize("terms", [{"perceptual"}, {"style"}, {"perceptual", "style"}])
def test_perceptual_and_style_terms_by_the_package_s_network(terms):
    weights = {f"{term}_weight": 1.0 for term in terms}
    recipe, batch = make_recipe("deepfill_v1", perceptual="efficientnet_lite0", **weights), make_batch()
    losses = recipe.generator_losses(batch)
    assert set(losses) - {*GENERATOR_TERMS} == terms and all(float(losses[term]) > 0 for term in terms)
    content, style = recipe.features(batch["image"])
    assert [features.shape[1:] for features in content] == [[16, 16, 24]]
    assert [features.shape[1:] for features in style] == [[32, 32, 16], [16, 16, 24], [8, 8, 40], [4, 4, 112]]
    nothing_missing = recipe.generator_losses({**batch, "mask": tf.zeros_like(batch["mask"])})
    assert all(float(nothing_missing[term]) == 0 for term in terms)


def test_vgg_is_loaded_with_the_weights_and_its_file_must_be_there():
    with pytest.raises(InputError, match="options.perceptual_file: there is no file nowhere.h5"):
        make_recipe("deepfill_v1", style_weight=1.0, perceptual_file="nowhere.h5")
