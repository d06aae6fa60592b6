import numpy as np
import pytest
import tensorflow as tf
from small_recipes import make_batch, make_recipe, split

from tf_inpaint.errors import InputError
from tf_inpaint.inference.inpainter import Inpainter
from tf_inpaint.models.weights import named_weights
from tf_inpaint.ops.masks import MaskOptions
from tf_inpaint.recipes.dcgan import DCGANRecipe, Options

HOLES = MaskOptions("box", 16, 10, 0, 0)


def _lively(**options):
    """Fresh weights draw grey."""
    recipe = make_recipe("dcgan", **options)
    for name, weight in named_weights(recipe.generator).items():
        if name.endswith("kernel"):
            weight.assign(10 * weight)
    return recipe


def test_codes_belong_to_examples():
    recipe, batch = _lively(), make_batch(3, 32, HOLES)
    codes = recipe.codes(batch["seed"])
    np.testing.assert_array_equal(recipe.codes(batch["seed"][1:]), codes[1:])
    assert codes.shape == (3, 8) and np.abs(codes).max() <= 1 and np.std(codes) > 0.3


def test_losses_change_nothing_and_updates_move_the_statistics_of_their_network():
    recipe, batch = _lively(), make_batch(3, 32, HOLES)
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


@pytest.mark.slow
def test_a_picture_the_generator_can_draw_is_found_from_its_known_part():
    recipe, batch = (
        _lively(search_steps=300, search_rate=0.05, prior_weight=0.0, context="uniform"),
        make_batch(2, 32, HOLES),
    )
    truth, _ = recipe.generator(recipe.codes(batch["seed"]))
    start = recipe.complete({**batch, "image": truth}, training=True)
    found = recipe.complete({**batch, "image": truth}, training=False)
    hole = batch["mask"] * tf.ones_like(truth)
    error = tf.reduce_sum(hole * tf.abs(found["predicted"] - truth)) / tf.reduce_sum(hole)
    spread = tf.reduce_sum(hole * tf.abs(truth - truth[::-1])) / tf.reduce_sum(hole)
    assert error < 0.25 * spread
    np.testing.assert_allclose(start["predicted"], truth, atol=1e-5)  # views show images of the examples' codes


def test_a_completion_does_not_depend_on_its_neighbours():
    recipe, batch = _lively(search_steps=3), make_batch(3, 32, HOLES)
    together = recipe.complete(batch, training=False)["completed"]
    alone = recipe.complete(split(batch, 1, 2), training=False)["completed"]
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)


@pytest.mark.parametrize("blending", ["poisson", "none"])
def test_any_picture_is_completed(blending):
    inpainter = Inpainter.of(_lively(search_steps=2, blending=blending))
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
