import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.inference.inpainter import Inpainter
from tf_inpaint.models.weights import named_weights
from tf_inpaint.ops.masks import MaskOptions
from tf_inpaint.recipes.dcgan import DCGANRecipe, Options

SMALL = {"image_size": 32, "code_size": 8, "width": 4, "critic_width": 4}


def _recipe(**options):
    recipe = DCGANRecipe(Options(**{**SMALL, **options}))
    recipe.build(32, 32)
    # Fresh weights draw grey: livelier ones.
    for name, weight in named_weights(recipe.generator).items():
        if name.endswith("kernel"):
            weight.assign(10 * weight)
    return recipe


def _batch(count=3):
    seeds = tf.constant([[5, i] for i in range(count)])
    images = tf.stack([tf.random.stateless_uniform([32, 32, 3], seed, -1, 1) for seed in seeds])
    mask = np.zeros([count, 32, 32, 1], np.float32)
    mask[:, 8:24, 10:20] = 1
    return {"image": images, "mask": tf.constant(mask), "seed": seeds}


def test_codes_belong_to_examples():
    recipe, batch = _recipe(), _batch()
    codes = recipe.codes(batch["seed"])
    np.testing.assert_array_equal(recipe.codes(batch["seed"][1:]), codes[1:])
    assert codes.shape == (3, 8) and np.abs(codes).max() <= 1 and np.std(codes) > 0.3


def test_losses_change_nothing_and_updates_move_the_statistics_of_their_network():
    recipe, batch = _recipe(), _batch()
    running = [named_weights(recipe.generator)["project_norm.moving_mean"]]
    running.append(named_weights(recipe.discriminator)["down2.norm.moving_mean"])
    before = [each.numpy() for each in running]
    terms, of_critic = recipe.discriminator_losses(batch)
    assert set(terms) == {"critic"}
    terms, of_generator = recipe.generator_losses(batch)
    assert set(terms) == {"adversarial"}
    for weight, value in zip(running, before):
        np.testing.assert_array_equal(weight, value)
    recipe.advance("generator", of_generator)
    assert (running[0].numpy() != before[0]).any() and (running[1].numpy() == before[1]).all()
    recipe.advance("discriminator", of_critic)
    assert (running[1].numpy() != before[1]).any()


def test_a_picture_the_generator_can_draw_is_found_from_its_known_part():
    recipe, batch = _recipe(search_steps=300, search_rate=0.05, prior_weight=0.0, context="uniform"), _batch(2)
    truth, _ = recipe.generator(recipe.codes(batch["seed"]))
    start = recipe.complete({**batch, "image": truth}, training=True)
    found = recipe.complete({**batch, "image": truth}, training=False)
    hole = batch["mask"] * tf.ones_like(truth)
    error = tf.reduce_sum(hole * tf.abs(found["predicted"] - truth)) / tf.reduce_sum(hole)
    spread = tf.reduce_sum(hole * tf.abs(truth - truth[::-1])) / tf.reduce_sum(hole)
    assert error < 0.25 * spread
    np.testing.assert_allclose(start["predicted"], truth, atol=1e-5)  # views show pictures of the examples' codes


def test_a_completion_does_not_depend_on_its_neighbours():
    recipe, batch = _recipe(search_steps=3), _batch()
    together = recipe.complete(batch, training=False)["completed"]
    alone = recipe.complete({name: values[1:2] for name, values in batch.items()}, training=False)["completed"]
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)


@pytest.mark.parametrize("blending", ["poisson", "none"])
def test_any_picture_is_completed(blending):
    inpainter = Inpainter.of(_recipe(search_steps=2, blending=blending))
    image = np.random.default_rng(0).integers(0, 256, (2, 50, 71, 3), np.uint8)
    mask = np.zeros([2, 50, 71], bool)
    mask[:, 10:30, 20:50] = True
    completed = inpainter.complete(image, mask)
    assert completed.shape == image.shape
    np.testing.assert_array_equal(completed[~mask], image[~mask])
    assert (completed[mask] != image[mask]).mean() > 0.9


def test_options_that_do_not_go_together():
    with pytest.raises(InputError, match="options.image_size must be a power of 2, at least 16, not 24"):
        DCGANRecipe.check(Options(image_size=24), (24, 24), MaskOptions())
    with pytest.raises(InputError, match="data.image_size must be options.image_size, 64 x 64"):
        DCGANRecipe.check(Options(), (128, 128), MaskOptions())
