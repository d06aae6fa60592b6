"""LaMa's recipe: which pass moves which statistics, and the options that its release does not have."""

import numpy as np
import pytest
import tensorflow as tf
from small_recipes import BOX, make_batch, make_options, make_recipe

from tf_inpaint.errors import InputError
from tf_inpaint.features.efficientnet_lite import installed
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes.lama import LaMaRecipe

needs_features = pytest.mark.skipif(not installed(), reason="needs the extra `features`")


@pytest.fixture(scope="module")
def recipe():
    return make_recipe("lama")


def test_an_update_moves_the_statistics_of_every_pass_and_losses_move_none(recipe):
    batch = make_batch()
    generator = named_weights(recipe.generator)["up1.norm.moving_mean"]
    discriminator = named_weights(recipe.discriminator)["conv2.norm.moving_mean"]
    for network, losses in (
        ("generator", recipe.generator_losses),
        ("discriminator", recipe.discriminator_losses),
    ):
        before = generator.numpy(), discriminator.numpy()
        _, statistics = losses(batch)
        np.testing.assert_array_equal([*generator.numpy(), *discriminator.numpy()], np.concatenate(before))
        recipe.advance(network, statistics)
        seen = statistics["generator"]["up1"]["norm"][0]
        np.testing.assert_allclose(generator, 0.9 * before[0] + 0.1 * seen, rtol=1e-5, atol=1e-6)
        real, fake = (of_pass["conv2"]["norm"][0] for of_pass in statistics["discriminator"])
        expected = 0.9 * (0.9 * before[1] + 0.1 * real) + 0.1 * fake
        np.testing.assert_allclose(discriminator, expected, rtol=1e-5, atol=1e-6)


def test_stored_statistics_are_what_a_training_normalises_by_and_stay():
    recipe, batch = make_recipe("lama", statistics="stored"), make_batch()
    (stored,) = (weight for name, weight in named_weights(recipe.generator).items() if name == "up1.norm.moving_mean")
    stored.assign(tf.ones_like(stored))
    error = np.abs(recipe.complete(batch, training=False)["predicted"] - batch["image"]) / 2
    for network, losses in (("generator", recipe.generator_losses), ("discriminator", recipe.discriminator_losses)):
        terms, statistics = losses(batch)
        recipe.advance(network, statistics)
        np.testing.assert_array_equal(stored, np.ones(stored.shape))
        if network == "generator":
            assert float(terms["l1"]) == pytest.approx(np.mean(10 * error * (1 - batch["mask"].numpy())), rel=1e-5)


def test_errors_are_of_images_from_0_to_1_and_weigh_known_and_missing_pixels(recipe):
    batch = make_batch()
    error = np.abs(recipe.complete(batch, training=True)["predicted"] - batch["image"]) / 2
    mask = batch["mask"].numpy()
    assert float(recipe.generator_losses(batch)[0]["l1"]) == pytest.approx(np.mean(10 * error * (1 - mask)), rel=1e-5)
    recipe.options = make_options("lama", l1_known_weight=2.0, l1_missing_weight=3.0)
    expected = np.mean(error * (2 * (1 - mask) + 3 * mask))
    assert float(recipe.generator_losses(batch)[0]["l1"]) == pytest.approx(expected, rel=1e-5)


def _pass_gradients(recipe, batch):
    """{path: gradient} of both networks' losses, each by its own weights."""
    found = {}
    for network, losses in (
        (recipe.generator, recipe.generator_losses),
        (recipe.discriminator, recipe.discriminator_losses),
    ):
        weights = {path: weight for path, weight in named_weights(network).items() if weight.trainable}
        with tf.GradientTape() as tape:
            terms, _ = losses(batch)
            total = tf.add_n(list(terms.values()))
        found.update(tape.gradient(total, weights))
    return found


@needs_features
@pytest.mark.parametrize("gan", ["non_saturating", "hinge"])
def test_a_discriminator_on_features_trains_the_generator_and_its_heads_alone(gan):
    recipe = make_recipe("lama", discriminator="features", gan=gan, augment="diffaugment")
    names = named_weights(recipe.discriminator)
    assert len(names) == 2 * 5 * 3 and "hidden0.kernel" in names and "score4.u" in names
    batch = make_batch()
    u = names["hidden0.u"]
    before = u.numpy()
    gradients = _pass_gradients(recipe, batch)
    np.testing.assert_array_equal(u, before)  # whatever a loss computes, it changes nothing
    assert all(gradient is not None and np.isfinite(gradient).all() for gradient in gradients.values())
    assert np.linalg.norm(gradients["hidden4.kernel"]) > 0 and np.linalg.norm(gradients["conv_out.kernel"]) > 0
    recipe.advance("discriminator", recipe.discriminator_losses(batch)[1])
    assert np.any(u.numpy() != before)


@needs_features
def test_a_perceptual_term_by_the_package_s_network():
    recipe, batch = make_recipe("lama", perceptual_weight=30.0), make_batch()
    terms, _ = recipe.generator_losses(batch)
    assert list(terms) == ["l1", "adversarial", "feature_matching", "perceptual"] and float(terms["perceptual"]) > 1
    assert float(recipe._perceptual_distance(batch["image"], batch["image"])) == 0


@needs_features
def test_completed_images_are_judged_in_their_holes_alone():
    recipe = make_recipe("lama", perceptual_weight=30.0, shown="completed", discriminator="features")
    batch = make_batch()
    whole = {**batch, "mask": tf.zeros_like(batch["mask"])}  # nothing is missing, so nothing differs
    terms = recipe.generator_losses(whole)[0]
    assert float(terms["perceptual"]) == float(terms["feature_matching"]) == 0 and float(terms["l1"]) > 0
    assert float(recipe.generator_losses(batch)[0]["perceptual"]) > 1


def test_a_perceptual_term_by_a_file_of_vgg(vgg16_file):
    recipe = make_recipe("lama", perceptual_weight=1.0, perceptual="vgg16", perceptual_file=str(vgg16_file))
    assert np.isfinite(recipe.generator_losses(make_batch())[0]["perceptual"])
    with pytest.raises(InputError, match="^options.perceptual_file: there is no file nowhere"):
        make_recipe("lama", perceptual_weight=1.0, perceptual="vgg16", perceptual_file="nowhere")


def test_edges_outside_of_the_hole_are_not_read():
    recipe, batch = make_recipe("lama", guided=True), make_batch()
    first = recipe.complete(batch, training=False)["predicted"]
    others = {**batch, "edges": batch["edges"] * batch["mask"]}
    np.testing.assert_array_equal(first, recipe.complete(others, training=False)["predicted"])
    none = {**batch, "edges": tf.zeros_like(batch["edges"])}
    assert np.abs(first - recipe.complete(none, training=False)["predicted"]).max() > 0


@pytest.mark.parametrize(
    "options, size, message",
    [
        ({}, (64, 68), "data.image_size must be multiples of 8 for LaMa of kind fourier, not "),
        ({"kind": "dilated"}, (64, 64), "data.image_size must be at least 72 pixels for LaMa of kind dilated, not "),
        ({"global_ratio": 0.3}, (64, 64), "options.global_ratio of 8 .* options.width .* 0.3 of 32 are 9"),
        ({"l1_known_weight": 0.0, "adversarial_weight": 0.0}, (64, 64), "options.l1_known_weight .* nothing to learn"),
        ({"perceptual": "resnet50", "perceptual_weight": 1.0}, (64, 64), "options.perceptual_file must name the weigh"),
    ],
)
def test_options_that_do_not_go_together(options, size, message):
    LaMaRecipe.check(make_options("lama"), (64, 64), BOX)
    with pytest.raises(InputError, match=message):
        LaMaRecipe.check(make_options("lama", **options), size, BOX)
