import numpy as np
import pytest
import tensorflow as tf
from small_recipes import BOX, make_batch, make_options, make_recipe

from tf_inpaint.errors import InputError
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes import PENNetRecipe

TERMS = ["hole", "valid", "pyramid", "adversarial"]


def test_weights_multiply_their_terms():
    batch, doubled = (
        make_batch(),
        {f"{term}_weight": 2 * getattr(PENNetRecipe.Options(), f"{term}_weight") for term in TERMS},
    )
    recipe = make_recipe("pen_net")
    before = recipe.generator_losses(batch)
    recipe.options = make_options("pen_net", **doubled)
    after = recipe.generator_losses(batch)
    for term in TERMS:
        np.testing.assert_allclose(after[term], 2 * before[term], rtol=1e-5)


def test_losses_leave_the_critic_s_state_alone_and_an_update_moves_it_by_its_passes():
    recipe, batch = make_recipe("pen_net"), make_batch()
    u = named_weights(recipe.discriminator)["encoder4.u"]
    start = u.numpy()
    recipe.discriminator_losses(batch)
    recipe.generator_losses(batch)
    np.testing.assert_array_equal(u, start)
    recipe.advance("generator")
    recipe.advance("generator")
    twice = u.numpy()
    u.assign(start)
    named_weights(recipe.discriminator)["encoder4.v"].assign(
        tf.zeros_like(named_weights(recipe.discriminator)["encoder4.v"])
    )
    recipe.advance("discriminator")  # a pass for truth, a pass for completion
    np.testing.assert_allclose(u, twice, atol=1e-6)


def test_impossible_sizes_are_explained():
    with pytest.raises(InputError, match="multiples of 64 for PEN-Net"):
        PENNetRecipe.check(make_options("pen_net"), (96, 64), BOX)
    PENNetRecipe.check(make_options("pen_net"), (64, 128), BOX)
