"""Inpainter: any size, known pixels kept, a mask for every image, checkpoints of both kinds."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from runs import write_run
from small_recipes import make_recipe

from tf_inpaint.checkpoints import DEFAULT_WEIGHTS, WITH_ATTENTION
from tf_inpaint.checkpoints.load import to_release_arrays
from tf_inpaint.errors import InputError
from tf_inpaint.inference.graph import KerasEngine
from tf_inpaint.inference.inpainter import TEXTURES, Inpainter
from tf_inpaint.inference.large import boxes_apart, complete_resized
from tf_inpaint.inference.memory import memory_needed
from tf_inpaint.inference.refinement import Refinement, Settings, refined_memory
from tf_inpaint.io.images import read_image, write_png
from tf_inpaint.layers.precision import set_precision
from tf_inpaint.models.weights import named_weights
from tf_inpaint.ops.holes import grown
from tf_inpaint.ops.images import to_float
from tf_inpaint.predict import command as predict
from tf_inpaint.recipes import RECIPES

RNG = np.random.default_rng(0)
BOTH = 2  # graphs: the one that completes, the one of all outputs


@pytest.fixture(scope="module", autouse=True)
def _seed():
    """Once: with every seed TensorFlow forgets what it made of the graphs that these tests share."""
    tf.keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def recipe():
    """A narrow net whose predictions differ visibly from place to place."""
    tf.keras.utils.set_random_seed(1)
    recipe = RECIPES["deepfill_v1"](RECIPES["deepfill_v1"].Options(width=4))
    recipe.generator((tf.zeros([1, 64, 64, 3]), tf.zeros([1, 64, 64, 1])))
    for name, weight in named_weights(recipe.generator).items():
        weight.assign(weight * (1.2 if name.endswith("kernel") else 1.0))
    return recipe


@pytest.fixture(scope="module")
def inpainter(recipe):
    return Inpainter.of(recipe)


@pytest.fixture(scope="module")
def rough(recipe):
    """The same with all of the residuals."""
    return Inpainter.of(recipe, residuals=1.0)


def test_a_fourier_block_adds_few_operations_to_the_graph():
    """Preparing them is most of what a first completion takes."""
    Recipe, counts = RECIPES["lama"], []
    for blocks in (1, 2):
        recipe = Recipe(Recipe.Options(width=4, blocks=blocks, perceptual_weight=0.0))
        recipe.build_generator()
        counts.append(len(KerasEngine(recipe)._fill.get_concrete_function().graph.get_operations()))
    assert counts[1] - counts[0] <= 260


@pytest.mark.parametrize("name", RECIPES)
def test_networks_of_any_size_use_no_operation_that_keeps_memory_for_each_size(name):
    """TensorFlow keeps a buffer for each size that conv2d_transpose has seen: 150 MiB for 150 of up to 200 pixels."""
    recipe = make_recipe(name)
    if recipe.generator.fixed_size is not None:
        pytest.skip("its network sees one size")
    graph = KerasEngine(recipe)._complete.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    operations = {node.op for node in nodes}
    assert "Conv2D" in operations and "Conv2DBackpropInput" not in operations


def _example(height, width, hole=None):
    """(image, mask); without another one, the hole touches the lower right corner, where padding is added."""
    mask = np.zeros((height, width), bool)
    mask[hole or np.s_[height // 2 :, width // 3 :]] = True
    return RNG.integers(0, 256, (height, width, 3), np.uint8), mask


def _image(height, width):
    return _example(height, width)[0]


def _difference(levels, others):
    return np.abs(levels.astype(int) - others)


def _roughness(image):
    return _difference(image[1:], image[:-1]).mean()


@pytest.mark.parametrize("height, width", [(64, 64), (100, 75), (257, 511), (512, 680), (5, 9)])
def test_any_size_and_known_pixels_bit_for_bit(inpainter, height, width):
    image, mask = _example(height, width)
    outputs = inpainter.outputs(image, mask)
    assert outputs["predicted"].shape == image.shape and outputs["predicted"].dtype == np.float32
    for name in ("completed", "coarse", "attention"):
        assert outputs[name].shape == image.shape and outputs[name].dtype == np.uint8
    for name in ("completed", "coarse"):
        np.testing.assert_array_equal(outputs[name][~mask], image[~mask])
        assert (outputs[name][mask] != image[mask]).mean() > 0.9


def test_what_lies_in_the_hole_is_never_seen(inpainter):
    image, mask = _example(64, 64)
    other = np.where(mask[..., np.newaxis], 255 - image, image)
    np.testing.assert_array_equal(inpainter.complete(image, mask), inpainter.complete(other, mask))


def test_three_images_with_three_masks_are_three_runs(inpainter):
    images = np.stack([_image(72, 80) for _ in range(3)])
    masks = np.stack([np.roll(_example(72, 80)[1], 20 * i, axis=1) for i in range(3)])
    together = inpainter.outputs(images, masks)
    for i in range(3):
        alone = inpainter.outputs(images[i], masks[i])
        np.testing.assert_allclose(together["predicted"][i], alone["predicted"], atol=1e-5)
        assert _difference(together["completed"][i], alone["completed"]).max() <= 1


def test_the_hole_is_rounded_not_truncated(inpainter):
    image, mask = _example(64, 64)
    outputs = inpainter.outputs(image, mask)
    expected = np.rint(np.clip((outputs["predicted"] + 1) * 127.5, 0, 255))
    np.testing.assert_array_equal(outputs["completed"][mask], expected[mask])


def test_padding_is_symmetric_below_and_to_the_right(inpainter):
    image, mask = _example(67, 90, np.s_[20:50, 10:70])
    padding = [(0, 5), (0, 6)]
    padded = np.pad(image, [*padding, (0, 0)], mode="symmetric")
    expected = inpainter.outputs(padded, np.pad(mask, padding, mode="symmetric"))
    for name, value in inpainter.outputs(image, mask).items():
        np.testing.assert_array_equal(value, expected[name][:67, :90], name)


def test_where_a_hole_reaches_the_border_the_mirror_image_lies_beyond(inpainter, recipe):
    image, mask = _example(80, 64, np.s_[:30, 20:64])
    padding = [(16, 0), (0, 16)]
    padded = {"image": np.pad(image, [*padding, (0, 0)], "symmetric"), "mask": np.pad(mask, padding, "symmetric")}
    batch = {"image": to_float(padded["image"][np.newaxis]), "mask": np.float32(padded["mask"][np.newaxis, ..., None])}
    expected = recipe.complete(batch, training=False)["predicted"][0, 16:, :64]
    np.testing.assert_allclose(inpainter.outputs(image, mask)["predicted"], expected, atol=2e-5)


def test_an_unpadded_image_is_what_the_recipe_says(inpainter, recipe):
    image, mask = _example(64, 72, np.s_[20:50, 10:60])
    batch = {"image": to_float(image[np.newaxis]), "mask": mask[np.newaxis, ..., np.newaxis].astype(np.float32)}
    expected = recipe.complete(batch, training=False)["predicted"][0]
    np.testing.assert_allclose(inpainter.outputs(image, mask)["predicted"], expected, atol=2e-5)


def test_masks_are_bool_or_uint8_above_127_and_one_may_serve_all(inpainter):
    image, mask = _example(64, 64)
    images = np.stack([image, _image(64, 64)])
    expected = inpainter.complete(images, np.stack([mask, mask]))
    np.testing.assert_array_equal(inpainter.complete(images, mask), expected)
    np.testing.assert_array_equal(inpainter.complete(images, np.where(mask, 128, 127).astype(np.uint8)), expected)
    nothing = np.zeros((64, 64), np.uint8)
    np.testing.assert_array_equal(inpainter.complete(images, nothing), images)


def test_one_trace_serves_every_size_and_batch(inpainter):
    for shape in ((64, 64), (72, 80), (80, 64)):
        inpainter.complete(*_example(*shape))
    inpainter.complete(np.stack([_image(64, 64)] * 2), _example(64, 64)[1])
    assert inpainter.graphs <= BOTH


def test_completing_draws_the_holes_as_the_whole_is_drawn(inpainter):
    images, masks = np.stack([_image(200, 300), _image(200, 300)]), np.zeros((2, 200, 300), bool)
    masks[0, 20:60, 10:30] = masks[1, 40:70, 30:60] = True
    expected = inpainter.outputs(images, masks)["completed"].astype(int)
    outputs = inpainter.outputs(images, masks, all_outputs=False)
    assert set(outputs) == {"completed"}
    assert np.abs(outputs["completed"] - expected).max() <= 1 and (outputs["completed"] == expected).mean() > 0.999
    together = inpainter.outputs_together([(*pair, None) for pair in zip(images, masks)], all_outputs=False)
    np.testing.assert_array_equal([each["completed"] for each in together], outputs["completed"])


def test_images_of_one_padded_size_go_together(inpainter):
    sizes = [(66, 75), (72, 80), (65, 73)]
    examples = [(*_example(*size, np.s_[20:50, 10:60]), None) for size in sizes]
    assert {inpainter.joint_size(mask) for _, mask, _ in examples} == {(72, 80)}
    assert inpainter.joint_size(_example(66, 75)[1]) is None, "continued from its own border"
    mirrored = _example(66, 75, np.s_[20:62, 10:60])[1]
    assert inpainter.joint_size(mirrored) is None, "its mirror image ends at the border of what has been padded"
    for (image, mask, _), outputs in zip(examples, inpainter.outputs_together(examples)):
        alone = inpainter.outputs(image, mask)
        assert set(outputs) == set(alone)
        np.testing.assert_array_equal(outputs["completed"][~mask], image[~mask])
        for name in ("completed", "coarse"):
            assert outputs[name].shape == image.shape
            assert _difference(outputs[name], alone[name]).max() <= 1
    assert inpainter.graphs <= BOTH
    with pytest.raises(ValueError, match="`examples` must share a `joint_size`"):
        inpainter.outputs_together([*examples, (*_example(64, 64), None)])
    assert Inpainter(inpainter.engine, strategy="crop").joint_size(examples[0][1]) is None


def test_holes_grow_and_are_blended_by_the_call(inpainter):
    image, mask = np.random.default_rng(0).integers(0, 256, (2, 60, 70, 3), np.uint8), np.zeros((60, 70), bool)
    mask[20:30, 30:44] = True
    larger = np.stack([grown(mask, 5)] * 2)
    plain, together = inpainter.complete(image, larger), inpainter.complete(image, mask, grow=5)
    np.testing.assert_array_equal(together, plain)
    feathered = inpainter.complete(image, mask, grow=5, blending="feather")
    np.testing.assert_array_equal(feathered[~larger], image[~larger])
    assert (feathered[larger] != plain[larger]).any()
    np.testing.assert_array_equal(inpainter.complete(image, mask, grow=5), plain)  # of the call alone
    for wrong in (-1, 1001, 2.5):
        with pytest.raises(ValueError, match="holes grow by 0 to 1000 pixels. Received: "):
            inpainter.complete(image, mask, grow=wrong)
    with pytest.raises(ValueError, match="`blending` must be one of none, feather, poisson, fast_marching. Received: "):
        inpainter.complete(image, mask, blending="sharp")


def test_no_more_go_together_than_memory_allows(recipe):
    counts = []
    for megabytes in (1, 950, 1100, 1500, 16000):
        inpainter = Inpainter.of(recipe, max_memory=megabytes << 20)
        counts.append(inpainter.most_at_once(512, 512, 8))
        assert inpainter.memory(512, 512, counts[-1]) <= inpainter.engine.max_memory or counts[-1] == 1
        assert inpainter.memory(512, 512, counts[-1] + 1) > inpainter.engine.max_memory or counts[-1] == 8
    assert counts[0] == 1 < counts[1] < 8 == counts[-1] and counts == sorted(counts)


@pytest.mark.parametrize("precision, fraction", [("mixed_bfloat16", 0.95), ("mixed_float16", 0.999)])
def test_in_16_bits_levels_hardly_change(recipe, inpainter, precision, fraction):
    image, mask = _example(64, 80)
    expected = inpainter.complete(image, mask)
    try:
        completed = Inpainter.of(recipe, precision=precision).complete(image, mask)
    finally:
        set_precision(recipe.generator, "float32")
    difference = _difference(completed, expected)[mask]
    assert 0 < difference.max() <= 8 and np.mean(difference <= 2) > fraction


def test_attention_is_shown_in_blocks_at_the_size_of_the_image(inpainter):
    attention = inpainter.outputs(*_example(72, 80))["attention"]
    np.testing.assert_array_equal(attention, attention[::8, ::8].repeat(8, 0).repeat(8, 1))


@pytest.mark.parametrize(
    "image, mask, said",
    [
        (np.zeros((64, 64, 3), np.float32), np.zeros((64, 64), bool), "`image` must be uint8"),
        (np.zeros((64, 64), np.uint8), np.zeros((64, 64), bool), "`image` must be uint8"),
        (np.zeros((64, 64, 4), np.uint8), np.zeros((64, 64), bool), "`image` must be uint8"),
        (np.zeros((0, 64, 3), np.uint8), np.zeros((0, 64), bool), "`image` must be uint8"),
        (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 63), bool), r"`mask` must be \[H, W\]"),
        (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 1), bool), r"`mask` must be \[H, W\]"),
        (np.zeros((2, 64, 64, 3), np.uint8), np.zeros((3, 64, 64), bool), r"`mask` must be \[H, W\]"),
        (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.float32), "`mask` must be bool or uint8"),
        (np.zeros((64, 64, 3), np.uint8), np.ones((64, 64), np.uint8), "pass one of 0 and 1 as bool"),
    ],
)
def test_wrong_arrays_are_refused(inpainter, image, mask, said):
    with pytest.raises(ValueError, match=f"{said}.*Received: "):
        inpainter.complete(image, mask)


def test_edges_are_refused_by_a_model_that_takes_none(inpainter):
    with pytest.raises(ValueError, match="`edges`.*Received: "):
        inpainter.complete(*_example(64, 64), edges=np.zeros((64, 64), np.uint8))


def test_too_many_pixels_are_a_sentence(inpainter):
    limited = Inpainter(inpainter.engine, max_pixels=64 * 64)
    limited.complete(*_example(64, 64))
    with pytest.raises(InputError, match="1080 x 64 pixels are more than the limit of 4096; raise max_pixels"):
        limited.complete(*_example(64, 1080))


def test_too_little_memory_is_a_sentence_with_an_estimate(recipe):
    inpainter = Inpainter.of(recipe, max_memory="1G")  # enough in test_attention_in_chunks_gives_the_same_image
    with pytest.raises(InputError, match=r"2 images of 3000 x 4000 pixels would take about .* more than the 1.0 GiB"):
        inpainter.complete(np.zeros((2, 4000, 3000, 3), np.uint8), np.ones((4000, 3000), bool))
    with pytest.raises(InputError, match="a number of bytes such as 8G"):
        Inpainter.of(recipe, max_memory="much")


def test_small_holes_are_estimated_to_take_less_up_to_holes_everywhere():
    recipe = RECIPES["deepfill_v1"](RECIPES["deepfill_v1"].Options())
    inpainter, mask = Inpainter.of(recipe), np.zeros((2, 2048, 3072), bool)
    needed = []
    for side in (1, 200, 1000, 2000, 4000):
        mask[1, :side, -side:] = True
        needed.append(inpainter.memory(2048, 3072, 1, mask))
    assert needed == sorted(set(needed))
    assert needed[0] < 0.75 * needed[-1] and needed[-1] == inpainter.memory(2048 + 32, 3072 + 32)
    scarce = Inpainter.of(recipe, max_memory=needed[0] + 1)
    with pytest.raises(InputError, match="raise max_memory"):
        scarce.complete(np.zeros((2048, 3072, 3), np.uint8), mask[1])


@pytest.fixture
def _unlimited(recipe):
    """The recipe's attention as it was, after a test that limits it."""
    attention = recipe.generator.refinement.attention
    before = attention.max_memory
    yield
    attention.max_memory = before


@pytest.mark.usefixtures("_unlimited")
def test_attention_in_chunks_gives_the_same_image(recipe, inpainter):
    image, mask = _example(80, 104)
    expected = inpainter.outputs(image, mask)
    scarce = Inpainter.of(recipe, max_memory="1G")
    recipe.generator.refinement.attention.max_memory = 1.0
    ours = scarce.outputs(image, mask)
    np.testing.assert_allclose(ours["predicted"], expected["predicted"], atol=5e-5)
    assert (ours["attention"] == expected["attention"]).mean() > 0.98, "keys that score alike may change places"


def test_cropped_it_sees_what_is_around_the_hole_alone(inpainter):
    image, mask = _example(400, 600, np.s_[100:150, 520:600])
    outputs = Inpainter(inpainter.engine, strategy="crop").outputs(image, mask)
    part = slice(0, 253), slice(432, 600)  # 256 x 256 around the hole, as far as there is an image
    expected = inpainter.outputs(image[part], mask[part])
    for name, value in outputs.items():
        np.testing.assert_array_equal(value[part], expected[name], name)
    np.testing.assert_array_equal(outputs["completed"][~mask], image[~mask])
    assert (outputs["attention"][300:] == 255).all()


@pytest.mark.slow
def test_resized_a_large_hole_is_predicted_small_and_enlarged_with_detail_of_the_image_as_it_is(inpainter, rough):
    image, mask = _example(600, 520, np.s_[50:500, 100:450])
    resizing = Inpainter(inpainter.engine, strategy="resize")
    batch = resizing.outputs(np.stack([image, image]), np.stack([mask, mask[::-1]]))
    outputs = {name: value[0] for name, value in batch.items()}
    assert all(outputs[name].shape == image.shape for name in ("completed", "coarse", "attention", "predicted"))
    plain = outputs["completed"]
    detailed = Inpainter(rough.engine, strategy="resize").outputs(image, mask)["completed"]
    for completed in (plain, detailed):
        np.testing.assert_array_equal(completed[~mask], image[~mask])
    assert (plain[mask] != image[mask]).mean() > 0.9
    inside = np.s_[100:450, 150:400]
    assert _roughness(plain[inside]) < 0.6 * _roughness(image[inside]), "enlarged is smooth"
    assert _roughness(detailed[inside]) > 1.5 * _roughness(plain[inside])


@pytest.mark.slow
@pytest.mark.parametrize("height, width", [(64, 80), (100, 75), (160, 264)])
def test_residuals_change_the_hole_alone_and_alike_with_everything_else(inpainter, rough, height, width):
    _, mask = _example(height, width, np.s_[height // 4 : height // 2, width // 3 : width // 2])
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    completed = rough.complete(image, mask)
    np.testing.assert_array_equal(completed[~mask], image[~mask])
    plain = inpainter.outputs(image, mask)
    assert _difference(completed, plain["completed"])[mask].mean() > 5
    whole = rough.outputs(image, mask)
    assert whole.keys() == plain.keys()
    np.testing.assert_allclose(whole["predicted"], plain["predicted"], atol=1e-4)
    assert (_difference(whole["completed"], completed) <= 1).mean() > 0.95, "keys alike may change places"
    assert [each.keys() for each in rough.outputs_together([(image, mask, None)])] == [plain.keys()]
    together = rough.complete(np.stack([image, image]), np.stack([mask, mask[::-1]]))
    assert (_difference(together[0], completed) <= 1).mean() > 0.95


def test_coarse_attention_changes_the_hole_alone(recipe, inpainter):
    image, mask = _example(72, 88, np.s_[30:50, 40:60])
    exact = inpainter.complete(image, mask)
    try:
        coarse = Inpainter.of(recipe, residuals=0.5, attention="coarse").complete(image, mask)
    finally:
        Inpainter.of(recipe)  # the recipe's networks keep it
    np.testing.assert_array_equal(coarse[~mask], image[~mask])
    assert np.any(coarse[mask] != exact[mask])


def test_coarse_attention_is_for_models_that_match_patches(recipe):
    with pytest.raises(ValueError, match="`attention` must be one of exact, coarse. Received: 'fine'"):
        Inpainter.of(recipe, attention="fine")
    for name in ("pen_net", "lama"):
        with pytest.raises(InputError, match="matches no patches.*leave out attention coarse, or take the weights"):
            Inpainter.of(make_recipe(name), attention="coarse")


def test_residuals_are_for_models_that_match_patches(recipe):
    for strength in (-0.1, 1.1):
        with pytest.raises(InputError, match=f"residuals is a strength, 0 to 1, not {strength}"):
            Inpainter.of(recipe, residuals=strength)
    for options in ({"attention": "none"}, {"pretrain_coarse": True}):
        other = RECIPES["deepfill_v1"](RECIPES["deepfill_v1"].Options(width=4, **options))
        with pytest.raises(InputError, match="matches no patches.*leave out residuals, or take the weights photos_v1"):
            Inpainter.of(other, residuals=0.5)


def test_automatically_huge_holes_alone_are_resized(inpainter):
    auto, exact, resize = (
        Inpainter(inpainter.engine, strategy=strategy, trained_size=16) for strategy in ("auto", "exact", "resize")
    )
    images, masks = RNG.integers(0, 256, (3, 72, 96, 3), np.uint8), np.zeros((3, 72, 96), bool)
    masks[0, 10:60, 20:70] = True  # 50 of 16 pixels, thicker than twice
    masks[1, 10:42, 20:80] = True  # 32 across, and longer
    assert [auto.strategy_for(mask) for mask in masks] == ["resize", "exact", "exact"]
    assert (exact.strategy_for(masks[0]), auto.joint_size(masks[0])) == ("exact", None)
    drawn = auto.complete(images, masks)
    for index, other in enumerate((resize, exact, exact)):
        np.testing.assert_allclose(drawn[index], other.complete(images[index], masks[index]), atol=1)
    assert not np.array_equal(drawn[0], exact.complete(images[0], masks[0]))


def test_automatically_lama_sees_of_large_images_what_is_around_the_hole():
    recipe = make_recipe("lama", blocks=1)
    assert Inpainter.of(recipe, strategy="auto").exact_pixels == recipe.generator.whole_pixels >= 1 << 20
    recipe.generator.whole_pixels, seen = 48 * 48, []
    image, mask = RNG.integers(0, 256, (96, 96, 3), np.uint8), np.zeros((96, 96), bool)
    mask[10:22, 10:22] = True
    for strategy in ("auto", "exact"):
        inpainter = Inpainter.of(recipe, strategy=strategy, trained_size=32)
        run = inpainter.engine.run
        inpainter.engine.run = lambda shown, *rest, run=run: (seen.append(shown.shape[1:3]), run(shown, *rest))[1]
        for side in (48, 96):
            completed = inpainter.complete(image[:side, :side], mask[:side, :side])
            np.testing.assert_array_equal(completed[~mask[:side, :side]], image[:side, :side][~mask[:side, :side]])
    assert seen == [(48, 48), (32, 32), (48, 48), (96, 96)]


def test_a_strategy_is_one_of_five(inpainter):
    with pytest.raises(
        ValueError, match="`strategy` must be one of auto, exact, crop, resize, refine. Received: 'fold'"
    ):
        Inpainter(inpainter.engine, strategy="fold")


def test_refining_takes_memory_for_every_block_up_to_the_largest_size_refined():
    one, three = (make_recipe("lama", blocks=blocks).generator for blocks in (1, 3))
    for model in (one, three):
        model((tf.zeros([1, 16, 16, 3]), tf.zeros([1, 16, 16, 1])))
    needed = [refined_memory(model, 1000, 1800) for model in (one, three)]
    kept = 2 * 5 * one.width * 1000 * 1800  # of two blocks
    assert needed[1] - needed[0] > kept and needed[0] > memory_needed(one, 1000, 1800, 1e12)
    assert refined_memory(one, 4000, 7200) == needed[0]


@pytest.mark.slow
@pytest.mark.parametrize("guided", [False, True])
def test_refinement_keeps_known_pixels_and_small_holes_are_filled(guided):
    tf.keras.utils.set_random_seed(0)  # some of what can be drawn fills a hole with one colour
    model = make_recipe("lama", blocks=1, guided=guided)
    exact, refined = (Inpainter.of(model, strategy=strategy) for strategy in ("exact", "refine"))
    image, mask = _example(68, 75)
    small = np.zeros_like(mask)
    small[30:36, 40:46] = True  # nothing of it is left to compare
    np.testing.assert_array_equal(refined.complete(image, mask), exact.complete(image, mask))  # one scale
    refined._refinement = Refinement(model.generator, Settings(min_side=34, passes=3, learning_rate=1.0))
    images, masks = np.stack([image, image]), np.stack([mask, small])
    outputs = refined.outputs(images, masks)
    np.testing.assert_array_equal(outputs["completed"][~masks], images[~masks])
    assert np.isfinite(outputs["predicted"]).all()
    assert _difference(outputs["completed"], exact.complete(images, masks))[masks].max() > 2
    assert refined.joint_size(mask) is None
    if guided:
        along = refined.outputs(image, mask, np.tile(np.arange(75) % 16 == 0, [68, 1]))
        assert np.abs(along["predicted"] - outputs["predicted"][0]).max() > 1e-3  # untrained, it follows them faintly


def test_refinement_is_for_lama_alone(recipe):
    with pytest.raises(InputError, match="the strategy refine changes features of LaMa's"):
        Inpainter.of(recipe, strategy="refine")


def _save_run(folder, recipe, options=None, **more):
    """A run folder as train.py leaves it."""
    write_run(folder, recipe, {"recipe": "deepfill_v1", "options": {"width": 4, **(options or {})}}, **more)


@pytest.mark.slow
def test_a_run_folder_is_completed_with_as_it_was_trained(tmp_path, recipe, inpainter):
    _save_run(tmp_path, recipe, {"padding": "REFLECT"})
    image, mask = _example(64, 64)
    loaded = Inpainter.load(tmp_path)
    assert loaded.recipe.options.padding == "REFLECT"
    mirrored = Inpainter.load(tmp_path, padding="SYMMETRIC")
    np.testing.assert_array_equal(mirrored.complete(image, mask), inpainter.complete(image, mask))
    assert (loaded.complete(image, mask) != inpainter.complete(image, mask)).any()


def test_a_run_without_its_config_is_known_by_its_variables(tmp_path, recipe, inpainter):
    _save_run(tmp_path, recipe)
    shutil.move(tmp_path / "checkpoints", tmp_path / "copied")
    (tmp_path / "config.yml").unlink()
    image, mask = _example(64, 64)
    loaded = Inpainter.load(tmp_path / "copied")
    np.testing.assert_array_equal(loaded.complete(image, mask), inpainter.complete(image, mask))


def test_a_run_completes_as_suits_the_shipped_weights_that_it_began_with(tmp_path, recipe):
    for began_with, suits in {"photos_v1": (0.5, "patches"), "": (0.0, "none")}.items():
        config = {"recipe": "deepfill_v1", "options": {"width": 4}, "training": {"init_from": began_with}}
        write_run(tmp_path / f"from_{began_with}", recipe, config)
        loaded = Inpainter.load(tmp_path / f"from_{began_with}")
        assert (loaded.residuals, loaded.texture) == suits
    alone = Inpainter.load(tmp_path / "from_photos_v1", residuals=0, texture="none")
    assert (alone.residuals, alone.texture) == (0, "none")


def test_coarse_pretraining_completes_with_the_coarse_stage(tmp_path, recipe):
    _save_run(tmp_path, recipe, {"pretrain_coarse": True})
    outputs = Inpainter.load(tmp_path).outputs(*_example(64, 64))
    np.testing.assert_array_equal(outputs["completed"], outputs["coarse"])


def test_textures_are_drawn_after_whatever_completes(recipe, inpainter):
    image, mask = RNG.integers(0, 256, (2, 72, 96, 3), np.uint8), np.zeros((2, 72, 96), bool)
    mask[0, 20:50, 30:70], mask[1, 10:20, 5:60] = True, True
    plain, textured = (Inpainter(inpainter.engine, texture=texture) for texture in ("none", "patches"))
    predicted, drawn = plain.outputs(image, mask), textured.outputs(image, mask)
    assert set(drawn) == set(predicted)
    for index in range(2):
        expected = TEXTURES["patches"](image[index], predicted["completed"][index], mask[index])
        assert not np.array_equal(expected, predicted["completed"][index])
        np.testing.assert_array_equal(drawn["completed"][index], expected)
    np.testing.assert_array_equal(drawn["coarse"], predicted["coarse"])
    together = [(image[index], mask[index], None) for index in range(2)]
    for one, other in zip(textured.outputs_together(together), plain.outputs_together(together)):
        assert one["completed"].shape == (72, 96, 3) and not np.array_equal(one["completed"], other["completed"])
    np.testing.assert_array_equal(drawn["completed"][~mask], image[~mask])
    with pytest.raises(ValueError, match="`texture` must be one of none, patches"):
        Inpainter.of(recipe, texture="oil")


def test_what_textures_take_is_estimated_and_refused_in_time(recipe, monkeypatch):
    image, mask = np.zeros((700, 700, 3), np.uint8), np.zeros((700, 700), bool)
    mask[150:550, 150:550] = True
    plain, textured = (Inpainter.of(recipe, texture=texture, strategy="resize") for texture in ("none", "patches"))
    needed = textured.memory(700, 700, 1, mask)
    assert 500 << 20 < needed - plain.engine.memory(64, 64) < 700 << 20 and needed > plain.memory(700, 700, 1, mask)
    scarce = Inpainter.of(recipe, texture="patches", strategy="resize", max_memory=needed - 1)
    monkeypatch.setattr(scarce.engine, "run", None)  # nothing is completed in vain
    for complete in (scarce.complete, lambda *example: scarce.complete(*(array[np.newaxis] for array in example))):
        with pytest.raises(InputError, match="700 x 700 pixels would take .*, or texture none"):
            complete(image, mask)
    scarce._check_textures(mask[np.newaxis, :100])  # no hole


def test_images_with_edges_in_a_hole_stay_as_the_network_draws_them():
    guided = make_recipe("deepfill_v2", guided=True)
    image, mask = RNG.integers(0, 256, (2, 64, 64, 3), np.uint8), np.zeros((2, 64, 64), bool)
    mask[:, 20:40, 20:40] = True
    edges = np.zeros_like(mask)
    edges[0, 10:15], edges[1, 30, 20:40] = True, True  # beside the hole of one, in that of the other
    plain, textured = (
        Inpainter.of(guided, texture=texture).complete(image, mask, edges) for texture in ("none", "patches")
    )
    np.testing.assert_array_equal(textured[0], TEXTURES["patches"](image[0], plain[0], mask[0]))
    assert not np.array_equal(textured[0], plain[0])
    np.testing.assert_array_equal(textured[1], plain[1])


def test_the_moving_average_is_what_completes(tmp_path, recipe):
    average = {name: tf.Variable(tf.zeros_like(weight)) for name, weight in named_weights(recipe.generator).items()}
    _save_run(tmp_path, recipe, ema=average)
    assert not Inpainter.load(tmp_path).outputs(*_example(64, 64))["predicted"].any()


def test_a_release_is_run_with_zeros_around_it(tmp_path, recipe, save_release):
    prefix = save_release(tmp_path, to_release_arrays(recipe.generator))
    loaded = Inpainter.load(tmp_path)
    assert (loaded.recipe.options.width, loaded.recipe.options.padding) == (4, "SAME")
    assert Inpainter.load(prefix, padding="SYMMETRIC").recipe.options.padding == "SYMMETRIC"
    assert loaded.complete(*_example(16, 16)).shape == (16, 16, 3)


@pytest.fixture(scope="module")
def pen_net():
    """An Inpainter with a narrow PEN-Net."""
    tf.keras.utils.set_random_seed(1)
    recipe = RECIPES["pen_net"](RECIPES["pen_net"].Options(width=4, critic_width=4))
    recipe.build(64, 64)
    for name, weight in named_weights(recipe.generator).items():
        weight.assign(weight * (10.0 if name.endswith("kernel") else 1.0))
    return Inpainter.of(recipe)


@pytest.mark.slow
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_release_of_pytorch_completes_as_its_weights_do(tmp_path, torch_save, pen_net, legacy):
    arrays = to_release_arrays(pen_net.recipe.generator, recipe="pen_net")
    path = torch_save(tmp_path / "gen_00300.pth", {"netG": arrays}, legacy)
    loaded = Inpainter.load(tmp_path if legacy else path)
    assert f"{path}: PEN-Net release (width 4, without discriminators): 68 variables loaded, 0 missing" in loaded.origin
    image, mask = _example(60, 64)
    expected = pen_net.outputs(image, mask)
    assert np.ptp(expected["predicted"]) > 0.1
    for name, value in loaded.outputs(image, mask).items():
        np.testing.assert_array_equal(value, expected[name], name)
    with pytest.raises(InputError, match="has one padding only"):
        Inpainter.load(path, padding="SAME")


@pytest.mark.slow
def test_the_command_completes_with_a_release_of_pytorch(tmp_path, torch_save, pen_net):
    arrays = to_release_arrays(pen_net.recipe.generator, recipe="pen_net")
    path = torch_save(tmp_path / "G.pth", arrays, legacy=True)
    image, mask = _example(64, 64)
    write_png(tmp_path / "i.png", image)
    write_png(tmp_path / "m.png", mask.astype(np.uint8) * 255)
    files = [f"--{name}={tmp_path / name[0]}.png" for name in ("image", "mask", "output")]
    assert predict.main([*files, "--checkpoint_dir", str(path)]) == 0
    np.testing.assert_array_equal(read_image(tmp_path / "o.png").rgb, pen_net.complete(image, mask))


@pytest.mark.parametrize("asked", [{"residuals": 1.0}, {"attention": "coarse"}])
def test_asked_for_what_the_default_weights_lack_it_takes_those_that_have_it(asked):
    assert f"{WITH_ATTENTION}.npz" in Inpainter.load(**asked).origin


def test_without_anything_to_load_it_takes_the_default_weights():
    inpainter = Inpainter.load()
    assert f"{DEFAULT_WEIGHTS}.npz" in inpainter.origin
    image, mask = np.full([64, 64, 3], 120, np.uint8), np.zeros([64, 64], bool)
    mask[24:40, 24:40] = True
    assert abs(inpainter.complete(image, mask)[mask].mean() - 120) < 20
    with pytest.raises(InputError, match="no weights named 'places2'; shipped are:"):
        Inpainter.load(weights="places2")


# Holes far apart


def test_holes_far_apart_are_drawn_one_after_the_other_and_as_at_once(inpainter, monkeypatch):
    image, mask = _image(300, 400), np.zeros((300, 400), bool)
    mask[20:30, 20:32] = mask[260:275, 370:380] = True
    expected, filled, fill = inpainter.outputs(image, mask)["completed"], [], inpainter.engine._fill
    monkeypatch.setattr(inpainter.engine, "_fill", lambda *batch: filled.append(batch[3].sum()) or fill(*batch))
    completed = inpainter.complete(image, mask)
    assert filled == [120, 150]
    assert (completed[mask] != image[mask]).mean() > 0.9
    together = inpainter.complete(np.stack([image, image]), np.stack([mask, mask[::-1, ::-1]]))
    for drawn in (completed, together[0]):  # up to rounding, which a match of two patches that are as good enlarges
        difference = _difference(drawn, expected)
        assert difference.max() <= 4 and np.mean(difference[mask] <= 1) > 0.98
    both = np.zeros((2048, 3072), bool)
    both[100:120, 100:120] = True
    alone = inpainter.memory(*both.shape, 1, both)
    both[1900:1920, 2900:2920] = True
    assert inpainter.memory(*both.shape, 1, both) == inpainter.memory(*both.shape, holes=both) == alone


@pytest.mark.parametrize("strategy", ["crop", "resize"])
def test_around_holes_far_apart_each_is_seen_by_itself(inpainter, strategy):
    around = Inpainter(inpainter.engine, strategy=strategy, trained_size=64)
    image, mask = _image(300, 400), np.zeros((300, 400), bool)
    first, second = np.s_[100:110, 40:52], np.s_[240:255, 330:340]
    one, other = mask.copy(), mask.copy()
    one[first] = other[second] = mask[first] = mask[second] = True
    outputs = around.outputs(image, mask)
    for each, part in ((one, first), (other, second)):
        np.testing.assert_array_equal(outputs["completed"][part], around.outputs(image, each)["completed"][part])
    np.testing.assert_array_equal(outputs["completed"][~mask], image[~mask])


@pytest.mark.parametrize(
    "holes, boxes",
    [
        ([], [(0, 0, 0, 0)]),
        ([(5, 6, 15, 20)], [(5, 6, 15, 20)]),
        ([(5, 6, 15, 20), (5, 40, 15, 50)], [(5, 6, 15, 50)]),
        ([(5, 6, 15, 20), (480, 580, 490, 590)], [(5, 6, 15, 20), (480, 580, 490, 590)]),
        ([(5, 6, 9, 20), (5, 580, 9, 590), (480, 6, 490, 20)], [(5, 6, 9, 20), (5, 580, 9, 590), (480, 6, 490, 20)]),
    ],
)
def test_boxes_of_holes_far_apart(holes, boxes):
    mask = np.zeros((500, 600), bool)
    for top, left, bottom, right in holes:
        mask[top:bottom, left:right] = True
    found = boxes_apart(mask, 0.1 * mask.size)
    assert sorted((rows.start, columns.start, rows.stop, columns.stop) for rows, columns in found) == sorted(boxes)


# Plain grounds


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (0, 0, 255), (200, 190, 170)])
def test_plain_grounds_stay_plain_with_any_weights(inpainter, rough, colour):
    image = np.full((64, 72, 3), colour, np.uint8)
    for hole in (np.s_[20:40, 20:50], np.s_[:20, 60:]):
        mask = np.zeros(image.shape[:2], bool)
        mask[hole] = True
        shown = np.where(mask[..., np.newaxis], np.uint8(77), image)
        assert _difference(inpainter.outputs(shown, mask)["predicted"] * 127.5 + 127.5, image)[mask].max() > 10
        for each in (inpainter, rough):
            np.testing.assert_array_equal(each.complete(shown, mask), image)
            np.testing.assert_array_equal(each.outputs(shown, mask)["completed"], image)


# Thin and large images


@pytest.mark.parametrize("shape", [(3, 5000), (5000, 3), (80, 6000)])
def test_thin_images_are_completed_by_the_windows_that_their_holes_need(inpainter, shape, monkeypatch):
    seen, run = [], inpainter.engine.run
    monkeypatch.setattr(inpainter.engine, "run", lambda *batch: seen.append(batch[1].shape) or run(*batch))
    image, mask = _image(*shape), np.zeros(shape, bool)
    along = int(shape[0] < shape[1])
    np.moveaxis(mask, along, 0)[200:230, :2] = np.moveaxis(mask, along, 0)[3000:3010, 1:] = True
    outputs = inpainter.outputs(image, mask)
    assert [of[1 + along] for of in seen] == [200 + 30 + 512, 10 + 2 * 512]
    for name in ("completed", "coarse"):
        np.testing.assert_array_equal(outputs[name][~mask], image[~mask])
        assert (outputs[name][mask] != image[mask]).mean() > 0.9
    np.testing.assert_array_equal(inpainter.complete(image, np.zeros(shape, bool)), image)
    assert inpainter.joint_size(mask) is None
    assert inpainter.memory(8, 131_072) < inpainter.memory(64, 4096) + 1e8


def test_a_hole_as_long_as_a_thin_image_is_completed_piece_by_piece(inpainter, monkeypatch):
    seen, run = [], inpainter.engine.run
    monkeypatch.setattr(inpainter.engine, "run", lambda *batch: seen.append(batch[1].sum() / 2) or run(*batch))
    image, mask = _example(4, 5000, np.s_[1:3, 10:4990])
    completed = inpainter.complete(image, mask)
    assert seen == [2560, 2560, 884]  # those ahead are holes, those behind are done
    np.testing.assert_array_equal(completed[~mask], image[~mask])


def test_of_large_images_the_network_sees_what_is_around_the_holes(inpainter, monkeypatch):
    large = Inpainter(inpainter.engine, exact_pixels=300 * 300, trained_size=128, max_pixels=500 * 400)
    seen, run = [], large.engine.run
    monkeypatch.setattr(large.engine, "run", lambda *batch: seen.append(batch[1].shape[1:]) or run(*batch))
    image, mask = _example(500, 400, np.s_[10:30, 20:30])
    mask[450:460, 350:400] = mask[450:460, 330:340] = True
    completed = large.complete(image, mask)
    assert sorted(seen) == [(128, 128), (140, 140)]
    np.testing.assert_array_equal(completed[~mask], image[~mask])
    assert (completed[mask] != image[mask]).mean() > 0.9
    expected = inpainter.complete(image[:128, :128], mask[:128, :128])
    np.testing.assert_array_equal(completed[10:30, 20:30], expected[10:30, 20:30])
    seen.clear()
    outputs = large.outputs(*_example(500, 400, np.s_[100:400, 100:300]))
    assert seen == [(128, 128)]  # larger than may be seen: at the size of training
    assert set(outputs) == {"completed", "coarse", "attention", "predicted"}
    seen.clear()
    large.complete(*_example(300, 300))
    assert seen == [(300, 300)]
    with pytest.raises(InputError, match="more than the limit"):
        large.complete(*_example(500, 401))
    assert large.memory(500, 400) < large.memory(300, 300) + 2e7 and large.memory(500, 400) < inpainter.memory(500, 400)


def test_detail_lost_by_shrinking_is_never_that_of_the_hole_itself():
    """Every position looks at the middle of the hole, of which nothing is known but what was predicted: no ghost."""
    image = np.full((256, 256, 3), 200, np.uint8)
    mask = np.zeros((256, 256), bool)
    mask[40:216:8, 40:216] = True  # lettering

    def run(image, mask, edges):
        offsets = np.zeros((1, 8, 8, 2), np.int32)
        return {"completed": np.full_like(image, 200), "offsets": offsets}

    completed = complete_resized(run, image, mask, np.zeros_like(mask), 64, residuals=1.0)["completed"]
    assert abs(completed.astype(int) - 200).max() <= 1


def test_detail_lost_by_shrinking_is_found_where_a_hole_reaches_the_border():
    """There attention saw the image continued: two columns of positions more on the left, and none above."""
    image, mask = _example(256, 256, np.s_[100:180, :120])
    offsets = np.zeros((1, 8, 8, 2), np.int32)
    offsets[:, 3:6, :4, 1] = 4  # to what is known on the right
    wide = np.pad(offsets, [(0, 0), (0, 0), (2, 0), (0, 0)])

    def completed(offsets, **margin):
        def run(image, mask, edges):
            return {"completed": np.full_like(image, 128), "offsets": offsets}

        return complete_resized(run, image, mask, np.zeros_like(mask), 64, residuals=1.0, **margin)["completed"]

    plain, continued = completed(offsets), completed(wide, margin=16)
    np.testing.assert_array_equal(continued[:, 64:], plain[:, 64:])
    assert np.ptp(continued[110:170, :64].astype(int)) > 20


def test_after_a_fork_a_sentence_and_no_hang(monkeypatch):
    recipe = RECIPES["deepfill_v2"]
    inpainter = Inpainter.of(recipe(recipe.Options(width=4, critic_width=2)))
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(InputError, match="loaded before the process was forked.*load it in the child"):
        inpainter.complete(np.zeros([16, 16, 3], np.uint8), np.ones([16, 16], bool))
