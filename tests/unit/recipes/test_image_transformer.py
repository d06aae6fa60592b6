"""Image Transformer's recipe: what is drawn, what it hangs on, what does not go together."""

import numpy as np
import pytest
import tensorflow as tf
from small_recipes import BOX, make_batch, make_options, make_recipe

from tf_inpaint import Inpainter
from tf_inpaint.errors import InputError
from tf_inpaint.models.image_transformer import ImageTransformerGenerator
from tf_inpaint.ops.local_attention import along_rows, attend
from tf_inpaint.ops.masks import MaskOptions
from tf_inpaint.recipes.image_transformer import ImageTransformerRecipe

HOLE = MaskOptions("box", 2, 2, 0, 0)


@pytest.fixture(scope="module")
def recipe():
    return make_recipe("image_transformer")


def _drawing(recipe, mask):
    """Function of an image to what is drawn in the hole."""

    def drawn(image):
        return recipe.complete({"image": image, "mask": mask}, training=False)["completed"] * mask

    return tf.function(drawn, autograph=False, reduce_retracing=True)


def test_a_draw_hangs_on_seed_and_temperature_and_on_what_comes_before(recipe):
    batch = make_batch(1, 8, HOLE)
    image, mask = batch["image"].numpy(), batch["mask"]
    draw = _drawing(recipe, mask)
    drawn = draw(image)
    assert np.any(drawn != _drawing(recipe.drawing(1), mask)(image))
    rows, columns = np.nonzero(mask[0, ..., 0])
    before, after = image.copy(), image.copy()
    before[:, rows.min(), columns.min() - 1] *= -1
    after[:, rows.max() + 1 :] = 0
    after[:, rows.max(), columns.max() + 1 :] = 0
    np.testing.assert_array_equal(draw(after), drawn)
    cold = make_recipe("image_transformer", temperature=0.0)
    for layer in (cold.generator.outputs_layer, cold.generator.embedding):  # untrained, they hardly tell inputs apart
        for weight in layer.weights:
            weight.assign(tf.random.stateless_normal(weight.shape, [1, 2]))
    draw = _drawing(cold, mask)
    assert np.any(draw(before) != draw(image))


def test_bits_are_those_of_all_values_whatever_the_hole_and_are_measured_too(recipe):
    batch = make_batch(2, 8, HOLE)
    bits = float(recipe.generator_losses(batch)["bits_per_dim"])
    assert 7.5 < bits < 8.5  # 256 levels, nearly alike
    other = {**batch, "mask": tf.ones_like(batch["mask"])}
    assert float(recipe.generator_losses(other)["bits_per_dim"]) == bits
    of_each = recipe.measure(batch)["validation_bits_per_dim"]
    assert of_each.shape == (2,) and np.mean(of_each) == pytest.approx(bits, rel=1e-5)


def test_dropout_is_the_example_s():
    recipe, batch = make_recipe("image_transformer", dropout=0.5), make_batch(2, 8, HOLE)
    bits = [float(recipe.generator_losses(each)["bits_per_dim"]) for each in (batch, batch)]
    other = float(recipe.generator_losses({**batch, "seed": batch["seed"] + 1})["bits_per_dim"])
    assert bits[0] == bits[1] != other
    alone = recipe._bits({"image": batch["image"][1:]}, batch["seed"][1:])
    np.testing.assert_allclose(recipe._bits(batch, batch["seed"])[1:], alone, rtol=1e-5)


def test_samples_are_several_completions_of_any_image(recipe):
    inpainter = Inpainter.of(recipe)
    image, hole = np.random.default_rng(0).integers(0, 256, (11, 9, 3), np.uint8), np.zeros([11, 9], bool)
    hole[4:6, 3:5] = True
    samples = inpainter.samples(image, hole, 2)
    np.testing.assert_array_equal(samples[0], inpainter.complete(image, hole))
    assert np.any(samples[0] != samples[1])
    np.testing.assert_array_equal(samples[:, ~hole], [image[~hole]] * 2)
    with pytest.raises(InputError, match="draws nothing at random"):
        Inpainter.of(make_recipe("pix2pix")).samples(image, hole, 2)


@pytest.mark.parametrize(
    "options, size, message",
    [
        ({}, (16, 16), "data.image_size must be options.image_size, 8 x 8, not "),
        ({"heads": 3}, (8, 8), "options.width must be a multiple of 4 and, as options.attention_width, of opt"),
        ({"attention": "local_2d"}, (8, 8), "options.query_shape must divide a grid of 8 x 24, not be 8 x 16"),
        ({"position": "learned", "max_length": 20}, (8, 8), "options.max_length must be at least 24, not 20"),
    ],
)
def test_options_that_do_not_go_together(options, size, message):
    ImageTransformerRecipe.check(make_options("image_transformer"), (8, 8), BOX)
    with pytest.raises(InputError, match=message):
        ImageTransformerRecipe.check(make_options("image_transformer", **options), size, BOX)


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"image_size": 64, "position": "learned"}, "`max_length` must be at least 192. Received: 96"),
        ({"heads": 3, "width": 8}, "`width` must be a multiple of 4 and.* of `heads`. Received: 8 and 8 with 3"),
        ({"heads": 4, "attention_width": 6}, "Received: 128 and 6 with 4"),
    ],
)
def test_what_does_not_go_together_is_said_by_the_model_too(arguments, said):
    with pytest.raises(ValueError, match=said):
        ImageTransformerGenerator(**arguments)


def test_attention_in_16_bits_is_that_of_32():
    q, k, v = (tf.random.stateless_normal([1, 2, 24, 4], [seed, 0]) for seed in range(3))
    neighbourhood = along_rows(24, 8)
    halves = attend(*(tf.cast(each, tf.float16) for each in (q, k, v)), neighbourhood)
    np.testing.assert_allclose(tf.cast(halves, tf.float32), attend(q, k, v, neighbourhood), atol=1e-2)
