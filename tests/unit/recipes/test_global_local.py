"""Global and Local's recipe: its phases, and what the discriminators are shown."""

import numpy as np
import pytest
import tensorflow as tf
from small_recipes import BOX, make_batch, make_options, make_recipe

from tf_inpaint.errors import InputError
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes.global_local import GlobalLocalRecipe


@pytest.fixture(scope="module")
def recipe():
    return make_recipe("global_local", completion_steps=3, discriminator_steps=2)


def test_three_phases(recipe):
    first, second, third = recipe.phases
    assert [phase.first_step for phase in recipe.phases] == [0, 3, 5]
    assert [list(phase.updates) for phase in (first, second)] == [["generator"], ["discriminator"]]
    assert list(third.updates) == ["discriminator", "generator"]
    batch = make_batch()
    assert list(first.losses["generator"](batch)[0]) == ["l2"]
    assert list(third.losses["generator"](batch)[0]) == ["l2", "adversarial"]


def test_without_discriminators_there_is_one_phase():
    (phase,) = make_recipe("global_local", adversarial_weight=0.0).phases
    assert list(phase.updates) == ["generator"] and list(phase.losses["generator"](make_batch())[0]) == ["l2"]


def test_holes_are_of_the_mean_colour_and_the_error_is_theirs(recipe):
    batch = make_batch()
    image, mask = batch["image"], batch["mask"]
    error = np.square((recipe.complete(batch, training=True)["predicted"] - image) / 2) * mask
    terms, statistics = recipe.completion_losses(batch)
    assert float(terms["l2"]) == pytest.approx(np.mean(error), rel=1e-5)
    outputs = [recipe.generator((pixels, mask))["predicted"] for pixels in (image * (1 - mask), image)]
    np.testing.assert_array_equal(*outputs)
    before = named_weights(recipe.generator)["conv1.norm.moving_mean"].numpy()
    recipe.advance("generator", statistics)
    seen = statistics["generator"]["conv1"]["norm"][0]
    np.testing.assert_allclose(
        named_weights(recipe.generator)["conv1.norm.moving_mean"], 0.9 * before + 0.1 * seen, rtol=1e-5
    )


def test_true_patches_lie_anywhere_in_the_image_and_belong_to_their_example(recipe):
    seeds = tf.constant([[5, index] for index in range(200)])
    batch = {"image": tf.zeros([200, 64, 64, 3]), "seed": seeds}
    corners = recipe.true_patches(batch).numpy()
    assert corners.shape == (200, 2) and corners.min() == 0 and corners.max() == 32
    assert len(np.unique(corners[:, 0])) > 25 and np.any(corners[:, 0] != corners[:, 1])
    alone = {"image": batch["image"][7:8], "seed": seeds[7:8]}
    np.testing.assert_array_equal(recipe.true_patches(alone)[0], corners[7])


def test_the_discriminators_judge_the_image_and_the_patch(recipe):
    image = make_batch()["image"]
    patch = image[:, :32, :32]
    scores, _ = recipe.discriminator((image, patch))
    assert scores.shape == (2, 1)
    for other in ((tf.zeros_like(image), patch), (image, tf.zeros_like(patch))):
        assert np.all(recipe.discriminator(other)[0] != scores)


@pytest.mark.parametrize(
    "options, size, message",
    [
        ({}, (64, 66), "data.image_size must be multiples of 4 for Global and Local, not "),
        ({"local_patch": (96, 96)}, (64, 64), "options.local_patch .96, 96. is larger than the image"),
        ({"l2_weight": 0.0, "adversarial_weight": 0.0}, (64, 64), "nothing to learn"),
        ({"l2_weight": 0.0}, (64, 64), "options.completion_steps must be 0 with options.l2_weight: 0"),
    ],
)
def test_options_that_do_not_go_together(options, size, message):
    GlobalLocalRecipe.check(make_options("global_local"), (64, 64), BOX)
    with pytest.raises(InputError, match=message):
        GlobalLocalRecipe.check(make_options("global_local", **options), size, BOX)
