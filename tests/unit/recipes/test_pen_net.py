import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.models.weights import named_weights
from tf_inpaint.ops.masks import MaskOptions, box
from tf_inpaint.recipes import PENNetRecipe

SMALL = {"width": 4, "critic_width": 4}
HOLES = MaskOptions("box", 32, 32, 8, 8)
TERMS = ["hole", "valid", "pyramid", "adversarial"]


def _recipe(**options):
    recipe = PENNetRecipe(PENNetRecipe.Options(**{**SMALL, **options}))
    recipe.build(64, 64)
    return recipe


def _batch(count=2):
    seeds = tf.constant([[5, i] for i in range(count)])
    return {
        "image": tf.stack([tf.random.stateless_uniform([64, 64, 3], seed, -1, 1) for seed in seeds]),
        "mask": tf.stack([box(seed, 64, 64, HOLES) for seed in seeds]),
    }


@pytest.mark.parametrize("gan", ["hinge", "minimax"])
def test_a_batch_is_the_mean_of_its_halves(gan):
    recipe, batch = _recipe(gan=gan), _batch(4)
    halves = [{name: values[half] for name, values in batch.items()} for half in (slice(0, 2), slice(2, 4))]
    for losses, names in ((recipe.generator_losses, TERMS), (recipe.discriminator_losses, ["critic"])):
        whole, parts = losses(batch), [losses(half) for half in halves]
        assert list(whole) == names
        for name in whole:
            np.testing.assert_allclose(whole[name], (parts[0][name] + parts[1][name]) / 2, rtol=2e-5, atol=1e-7)


def test_weights_multiply_their_terms():
    batch, doubled = (
        _batch(),
        {f"{term}_weight": 2 * getattr(PENNetRecipe.Options(), f"{term}_weight") for term in TERMS},
    )
    recipe = _recipe()
    before = recipe.generator_losses(batch)
    recipe.options = PENNetRecipe.Options(**SMALL, **doubled)
    after = recipe.generator_losses(batch)
    for term in TERMS:
        np.testing.assert_allclose(after[term], 2 * before[term], rtol=1e-5)


def test_without_an_adversarial_term_there_is_no_critic():
    recipe = _recipe(adversarial_weight=0.0)
    assert recipe.n_critic == 0 and list(recipe.generator_losses(_batch())) == TERMS[:3]


def test_losses_leave_the_critic_s_state_alone_and_an_update_moves_it_by_its_passes():
    recipe, batch = _recipe(), _batch()
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


def test_known_pixels_are_the_pictures():
    recipe, batch = _recipe(), _batch()
    completed, known = recipe.complete(batch, training=False)["completed"], 1 - batch["mask"]
    np.testing.assert_array_equal(completed * known, batch["image"] * known)


def test_impossible_sizes_are_explained():
    with pytest.raises(InputError, match="multiples of 64 for PEN-Net"):
        PENNetRecipe.check(PENNetRecipe.Options(**SMALL), (96, 64), HOLES)
    PENNetRecipe.check(PENNetRecipe.Options(**SMALL), (64, 128), HOLES)
