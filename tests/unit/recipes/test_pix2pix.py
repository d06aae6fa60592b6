"""pix2pix's recipe: dropout, the innermost position, what the networks see."""

import numpy as np
import pytest
import tensorflow as tf
from small_recipes import BOX, make_batch, make_options, make_recipe

from tf_inpaint.errors import InputError
from tf_inpaint.ops.masks import MaskOptions
from tf_inpaint.recipes.pix2pix import Pix2PixRecipe

HOLES = MaskOptions("box", 16, 16, 0, 0)


@pytest.fixture(scope="module")
def recipe():
    return make_recipe("pix2pix")


def test_dropout_in_training_is_the_example_s_and_otherwise_never_changes(recipe):
    generator, shape, seeds = recipe.generator, (4, 4, 8), make_batch(2, 32, HOLES)["seed"]
    kept = generator.kept(3, shape, seeds).numpy()
    np.testing.assert_array_equal(generator.kept(3, shape, seeds[1:]), kept[1:])
    assert np.any(kept[0] != kept[1]) and np.any(kept != generator.kept(4, shape, seeds))
    always = generator.kept(3, shape, None)
    np.testing.assert_array_equal(always, generator.kept(3, shape, None))
    assert 0.4 < kept.mean() < 0.6 and 0.4 < always.mean() < 0.6
    batch = make_batch(2, 32, HOLES)
    other = {**batch, "seed": batch["seed"] + 1}
    for training in (True, False):
        one, two = (recipe.complete(each, training)["predicted"] for each in (batch, other))
        assert np.any(one != two) is np.bool_(training)


@pytest.mark.parametrize("norm", [True, False])
def test_of_one_image_nothing_passes_the_innermost_layer_unless_it_is_not_normalised(norm):
    recipe = make_recipe("pix2pix", bottleneck_norm=norm)
    inner = recipe.generator.encoder_5
    assert (inner.norm is not None) is norm
    x = tf.random.stateless_uniform([2, 2, 2, 32], [1, 2])
    alone = [inner(x[index : index + 1], training=True)[0] for index in range(2)]
    assert np.all(alone[0] == alone[1]) == norm
    assert np.any(inner(x, training=True)[0] != tf.concat(alone, 0)) == norm


def test_the_hole_is_painted_and_the_discriminator_sees_what_the_generator_saw(recipe):
    batch = make_batch(2, 32, HOLES)
    image, mask = batch["image"], batch["mask"]
    context = recipe.generator.context(*recipe.inputs(batch))
    np.testing.assert_array_equal(context, np.where(mask > 0, 1.0, image))
    scores = recipe.discriminator((context, image))
    assert scores.shape == (2, 2, 2, 1)
    assert np.any(scores != recipe.discriminator((image, image)))


@pytest.mark.parametrize(
    "options, size, message",
    [
        ({"image_size": 48}, (48, 48), "options.image_size must be a power of 2, at least 32, not 48"),
        ({}, (64, 64), "data.image_size must be options.image_size, 32 x 32, not "),
        ({"l1_weight": 0.0, "adversarial_weight": 0.0}, (32, 32), "nothing to learn"),
    ],
)
def test_options_that_do_not_go_together(options, size, message):
    Pix2PixRecipe.check(make_options("pix2pix"), (32, 32), BOX)
    with pytest.raises(InputError, match=message):
        Pix2PixRecipe.check(make_options("pix2pix", **options), size, BOX)
