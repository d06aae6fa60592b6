from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from small_recipes import make_batch, make_options, make_recipe

from tf_inpaint.config import load_config
from tf_inpaint.errors import InputError
from tf_inpaint.models.weights import named_weights
from tf_inpaint.ops.masks import MaskOptions
from tf_inpaint.recipes.context_encoder import ContextEncoderRecipe

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
CENTRE = {"region": "centre"}
BOX = {"region": "box", "code": "channelwise", "overlap": 0, "hole_fill": (255, 255, 255)}
WHOLE = {"region": "whole", "overlap": 0, "known_weight": 1.0}
HOLES = {
    "centre": MaskOptions("centre", 12, 12, 0, 0),
    "box": MaskOptions("box", 16, 16, 0, 0),
    "whole": MaskOptions("noise"),
}
SMALL = {**BOX, "hole": (8, 12)}
HOLES_OF_SMALL = MaskOptions("box", 8, 12, 0, 0)
VARIANTS = pytest.mark.parametrize("options", [CENTRE, BOX, WHOLE, SMALL], ids=[*HOLES, "small"])


def _batch(options):
    return make_batch(4, 32, _holes(options))


def _holes(options):
    return HOLES_OF_SMALL if "hole" in options else HOLES[options["region"]]


@VARIANTS
def test_prediction_lies_at_its_region_and_the_rest_is_what_was_seen(options):
    recipe, batch = make_recipe("context_encoder", **options), _batch(options)
    ContextEncoderRecipe.check(recipe.options, (32, 32), _holes(options))
    outputs = recipe.complete(batch, training=False)
    size = recipe.generator.target_size
    assert outputs["patch"].shape == (4, size, size, 3) and outputs["predicted"].shape == (4, 32, 32, 3)
    np.testing.assert_allclose(recipe.generator.target(outputs["predicted"], batch["mask"]), outputs["patch"])
    known = (batch["mask"] == 0).numpy()[..., 0]
    np.testing.assert_array_equal(outputs["completed"].numpy()[known], batch["image"].numpy()[known])
    assert np.abs(outputs["completed"].numpy()[~known] - batch["image"].numpy()[~known]).max() > 0.1


@VARIANTS
def test_what_lies_in_the_hole_is_not_seen(options):
    recipe, batch = make_recipe("context_encoder", **options), _batch(options)
    other = {**batch, "image": tf.where(batch["mask"] > 0, 0.5, batch["image"])}
    one, two = (recipe.complete(each, training=False)["predicted"] for each in (batch, other))
    np.testing.assert_array_equal(one, two)
    context, _ = recipe.generator.context(batch["image"], batch["mask"])
    hole = batch["mask"].numpy()[..., 0] > 0
    np.testing.assert_allclose(
        np.unique(context.numpy()[hole], axis=0), [np.array(recipe.options.hole_fill) / 127.5 - 1], rtol=1e-6
    )


@VARIANTS
def test_losses_change_nothing_and_an_update_moves_the_statistics_it_is_of(options):
    recipe, batch = make_recipe("context_encoder", **options), _batch(options)
    generator, critic = (
        named_weights(network)["dec1.norm.moving_mean" if network is recipe.generator else "c2.norm.moving_variance"]
        for network in (recipe.generator, recipe.discriminator)
    )
    before = generator.numpy(), critic.numpy()
    terms, statistics = recipe.discriminator_losses(batch)
    (_, of_generator) = recipe.generator_losses(batch)
    np.testing.assert_array_equal([*generator.numpy(), *critic.numpy()], np.concatenate(before))
    assert set(terms) == {"critic"}
    recipe.advance("discriminator", statistics)
    assert (generator.numpy() == before[0]).all() and (critic.numpy() != before[1]).any()
    (_, real), (_, fake) = (of_pass["c2"] for of_pass in statistics)
    np.testing.assert_allclose(critic, 0.9 * (0.9 * before[1] + 0.1 * real) + 0.1 * fake, rtol=1e-5)
    recipe.advance("generator", of_generator)
    np.testing.assert_allclose(generator, 0.1 * of_generator["dec1"][0], rtol=1e-5)


def test_the_frame_counts_more_in_the_squared_error():
    recipe, batch = make_recipe("context_encoder"), _batch(CENTRE)
    terms, _ = recipe.generator_losses(batch)
    patch = recipe.complete(batch, training=True)["patch"]
    squared = np.square(patch - batch["image"][:, 8:24, 8:24])
    weights = np.full([16, 16, 1], 10.0)
    weights[2:14, 2:14] = 1.0
    np.testing.assert_allclose(terms["l2"], 0.999 * np.mean(weights * squared), rtol=1e-5)


def test_a_conditional_critic_sees_the_surroundings():
    recipe, batch = make_recipe("context_encoder", conditional=True), _batch(CENTRE)
    other = {**batch, "image": tf.concat([batch["image"][:, :4] * 0.5, batch["image"][:, 4:]], axis=1)}
    one, two = (recipe._judge(batch["image"][:, 8:24, 8:24], each)[0] for each in (batch, other))
    assert np.abs(one - two).max() > 1e-4


def test_biases_act_in_training_only_where_they_are_trained():
    batch = _batch(CENTRE)
    for train_bias in (False, True):
        recipe = make_recipe("context_encoder", train_bias=train_bias)
        patches = []
        for value in (0.0, 0.3):
            named_weights(recipe.generator)["out.bias"].assign(tf.fill([3], value))
            patches.append(recipe.complete(batch, training=True)["patch"])
        assert (np.abs(patches[1] - patches[0]).max() > 0.1) == train_bias


def test_the_region_around_a_smaller_hole_is_seen():
    recipe, batch = make_recipe("context_encoder", **SMALL), _batch(SMALL)
    context = recipe.preview(batch)["context"].numpy()
    known = batch["mask"].numpy()[..., 0] == 0
    np.testing.assert_array_equal(context[known], batch["image"].numpy()[known])
    assert (~known).sum() == 4 * 8 * 12 and (context[~known] == 1).all()


def test_a_smaller_hole_is_the_masks_unless_the_options_say_another():
    load = partial(load_config, CONFIGS / "cifar10_context_encoder.yml")
    assert load().options.hole == (0, 0)
    assert load(["mask.height=8", "mask.width=12"]).options.hole == (8, 12)
    assert load(["mask.width=12", "options.region=whole"]).options.hole == (0, 0)
    for changes in (["mask.height=20"], ["mask.height=8", "options.hole=[0, 12]"]):
        with pytest.raises(InputError, match="needs its holes: mask.kind box, height 16 and width 1[26] .or smaller"):
            load(changes)


def test_the_papers_form_is_alexnet_and_learns_by_the_hole_alone():
    options = {"form": "paper", "image_size": 227, **WHOLE, "known_weight": 0.0, "adversarial_weight": 0.0}
    holes = MaskOptions("centre", 96, 96, 0, 0)
    recipe, batch = make_recipe("context_encoder", **options), make_batch(1, 227, holes)
    ContextEncoderRecipe.check(recipe.options, (227, 227), holes)
    assert recipe.discriminator is None and recipe.n_critic == 0
    sizes = {name: int(np.prod(weight.shape)) for name, weight in named_weights(recipe.generator).items()}
    assert sum(size for name, size in sizes.items() if name.startswith("conv")) == 2_334_080  # AlexNet's five layers
    assert sizes["channelwise.kernel"] == 256 * 6**4
    assert recipe.generator._decoder.layers["up5"](tf.zeros([1, 81, 81, 32]))[0].shape[1] - 4 == 161
    terms, _ = recipe.generator_losses(batch)
    predicted = recipe.complete(batch, training=True)["predicted"]
    error = np.square(predicted - batch["image"])[0, 65:161, 65:161].sum() / (227 * 227 * 3)
    assert list(terms) == ["l2"]
    np.testing.assert_allclose(terms["l2"], 0.999 * error, rtol=1e-4)


@pytest.mark.parametrize(
    "changes, size, holes, message",
    [
        ({"image_size": 48}, 48, HOLES["centre"], "options.image_size must be a power of 2, at least 32, not 48"),
        ({}, 64, HOLES["centre"], "data.image_size must be options.image_size, 32 x 32, not .64, 64."),
        ({"overlap": 8}, 32, HOLES["centre"], "options.overlap must leave a hole in 16 pixels, not 8"),
        ({}, 32, HOLES["box"], "needs its holes: mask.kind centre, height 12 and width 12"),
        ({"region": "box"}, 32, HOLES["box"], "with region box it must be 0"),
        ({"region": "whole"}, 32, HOLES["whole"], "overlap 0, hole .0, 0., conditional false"),
        ({"region": "box", "overlap": 0, "hole": (20, 8)}, 32, HOLES["box"], "at most 16 pixels high and wide"),
        ({"form": "paper"}, 32, HOLES["whole"], "image_size 227, region whole and adversarial_weight 0"),
    ],
)
def test_options_that_do_not_go_together(changes, size, holes, message):
    with pytest.raises(InputError, match=message):
        ContextEncoderRecipe.check(make_options("context_encoder", **changes), (size, size), holes)
