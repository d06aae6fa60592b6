"""Partial convolutions' recipe: what fine-tuning freezes, and what a trained network sees."""

import numpy as np
import pytest
from small_recipes import BOX, make_batch, make_options, make_recipe

from tf_inpaint.errors import InputError
from tf_inpaint.features.efficientnet_lite import installed
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes.partial_convolution import PartialConvolutionRecipe

needs_features = pytest.mark.skipif(not installed(), reason="needs the extra `features`")


def test_there_is_one_network_and_one_phase_unless_fine_tuning_is_asked_for():
    recipe = make_recipe("partial_convolution")
    assert set(recipe.networks) == {"generator"} and recipe.discriminator_losses(make_batch()) == {}
    (phase,) = recipe.phases
    assert list(phase.updates) == ["generator"] and not phase.frozen


@pytest.mark.parametrize("frozen", ["all", "statistics"])
def test_fine_tuning_freezes_the_encoder_s_normalisation_and_no_other(frozen):
    recipe, batch = make_recipe("partial_convolution", fine_tune_from=3, frozen=frozen), make_batch()
    whole, tuning = recipe.phases
    assert (whole.first_step, tuning.first_step) == (0, 3)
    names = named_weights(recipe.generator)
    of_encoder = {name for name in names if name.startswith("enc") and ".norm." in name}
    assert tuning.frozen == (of_encoder if frozen == "all" else set())
    assert len(of_encoder) == 4 * (recipe.options.depth - 1)
    _, statistics = tuning.losses["generator"](batch)
    assert set(statistics) == {"dec2", "dec3", "dec4"}
    before = {name: weight.numpy() for name, weight in names.items()}
    recipe.advance("generator", statistics)
    moved = {name for name, weight in names.items() if np.any(weight.numpy() != before[name])}
    assert moved == {name for name in names if name.startswith("dec") and ".norm.moving" in name}


@needs_features
def test_perceptual_and_style_terms_by_the_package_s_network():
    recipe, batch = make_recipe("partial_convolution", perceptual_weight=0.05, style_weight=120.0), make_batch()
    terms, _ = recipe.generator_losses(batch)
    assert list(terms) == ["valid", "hole", "perceptual", "style", "total_variation"]
    assert all(np.isfinite(value) and value > 0 for value in terms.values())
    assert [features.shape[1] for features in recipe.features(batch["image"])] == [32, 16, 8]


def test_a_perceptual_term_by_a_file_of_vgg(vgg16_file):
    options = {"perceptual": "vgg16", "perceptual_file": str(vgg16_file), "perceptual_weight": 1.0}
    recipe, batch = make_recipe("partial_convolution", **options), make_batch()
    assert "style" not in recipe.generator_losses(batch)[0]
    assert [features.shape[1] for features in recipe.features(batch["image"])] == [32, 16, 8]
    with pytest.raises(InputError, match="^options.perceptual_file: there is no file nowhere"):
        make_recipe("partial_convolution", **{**options, "perceptual_file": "nowhere"})


def test_what_stands_in_the_hole_has_no_influence():
    recipe, batch = make_recipe("partial_convolution"), make_batch()
    image, mask = batch["image"], batch["mask"]
    one, other = (recipe.generator((pixels, mask))["predicted"] for pixels in (image * (1 - mask), image))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "options, size, message",
    [
        ({}, (64, 72), "data.image_size must be multiples of 16 for partial convolutions of options.depth 4, not "),
        ({"valid_weight": 0.0, "hole_weight": 0.0, "total_variation_weight": 0.0}, (64, 64), "nothing to learn"),
    ],
)
def test_options_that_do_not_go_together(options, size, message):
    PartialConvolutionRecipe.check(make_options("partial_convolution"), (64, 64), BOX)
    with pytest.raises(InputError, match=message):
        PartialConvolutionRecipe.check(make_options("partial_convolution", **options), size, BOX)
