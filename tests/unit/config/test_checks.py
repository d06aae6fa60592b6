"""Limits of single values, and rules between them and across sections."""

import dataclasses

import pytest

from tf_inpaint.config import config_from_dict, load_config
from tf_inpaint.config.checks import MOST, RANGES, check
from tf_inpaint.errors import InputError
from tf_inpaint.recipes import RECIPES

SMALL = {
    "recipe": "deepfill_v1",
    "options": {"local_patch": 32},
    "data": {"image_size": 64},
    "mask": {"height": 32, "width": 32, "max_delta_height": 8, "max_delta_width": 8},
}


def test_a_guided_recipe_needs_edges(write, sentence):
    path = write("options: {guided: true}", recipe="deepfill_v2")
    assert "data.edges must be paired, canny, hed or landmarks with options.guided: true" in sentence(path)
    assert load_config(path, ["data.edges=canny"]).options.guided


def test_holes_without_a_box_need_no_room_for_one(write):
    small = ["data.image_size=64", "options.local_patch=32", "options.discount=distance"]
    assert load_config(write(), [*small, "mask.kind=brush_stroke"]).mask.kinds == ("brush_stroke",)
    mixed = load_config(write("mask: {kind: mix, mix: [[half, 1], [shapes, 2]]}"), small)
    assert mixed.mask.mix == (("half", 1.0), ("shapes", 2.0)) and not mixed.mask.has_box


def test_holes_that_are_not_one_box_are_discounted_by_distance_unless_told_otherwise(write, sentence):
    path, boxes = write(), "mask.kind=boxes"
    assert load_config(path).options.discount == "box"
    found = load_config(path, [boxes, "mask.boxes=[2, 5]"]).options
    assert (found.discount, found.discount_gamma) == ("distance", 0.99)
    assert load_config(path, [boxes, "options.discount=none"]).options.discount == "none"
    assert load_config(path, [boxes, "options.discount_gamma=0.95"]).options.discount_gamma == 0.95
    assert "options.discount 'box' needs box holes" in sentence(path, boxes, "options.discount=box")
    assert "mask.boxes must be [least, greatest], not [3, 2]" in sentence(path, boxes, "mask.boxes=[3, 2]")


def test_what_completes_by_a_search_is_not_measured_while_it_trains(write, sentence):
    path = write("data: {validation: x}", recipe="dcgan")
    assert "training.validate_every must be 0 with recipe: dcgan" in sentence(path, "training.validate_every=10")


def test_unknown_kind_of_hole(write, sentence):
    found = sentence(write("mask:", "  kind: boxx"))
    assert found.startswith("small.yml:3: mask.kind must be one of box, ")
    assert found.endswith(", not 'boxx', did you mean box?")


@pytest.mark.parametrize("key", RANGES)
def test_every_range_belongs_to_a_key_and_holds_at_its_ends(key, write, sentence, defaults):
    owner = next(recipe for recipe in RECIPES if key in defaults[recipe])
    default = defaults[owner][key]
    default = default[0] if isinstance(default, list) else default
    wanted = float if isinstance(default, float) or default is None else int
    low, high = (float(end) for end in RANGES[key][1:-1].split(", "))
    outside = [wanted(low - 1)] + ([wanted(low)] if RANGES[key][0] == "(" else [])
    if high < float("inf"):
        outside += [wanted(high + 1)] + ([wanted(high)] if RANGES[key][-1] == ")" else [])
    path = write(recipe=owner)
    for value in outside:
        override = f"{key}={value}"
        assert sentence(path, override).startswith(f"--set {override}: {key} must be "), (override, RANGES[key])


def test_numbers_that_are_none_lie_in_no_range(write, sentence):
    found = sentence(write("optimizer: {learning_rate: .nan}"))
    assert found == "small.yml:2: optimizer.learning_rate must be above 0, not nan"
    assert "optimizer.clip_norm must be at least 0, not inf" in sentence(write("optimizer: {clip_norm: .inf}"))
    assert "beta1 must be at least 0 and below 1, not 1.0" in sentence(write("optimizer: {beta1: 1}"))
    assert "[1, inf)" == RANGES["data.image_size"]
    assert "data.image_size must be at least 1, not 0" in sentence(write("data: {image_size: [256, 0]}"))


@pytest.mark.parametrize(
    "lines, message",
    [
        (
            ["training: {accumulation_steps: 3}"],
            "small.yml:2: data.batch_size must be a multiple of training.accumulation_steps, and 16 is none of 3",
        ),
        (
            ["data: {parallel_calls: 0}"],
            "small.yml:2: data.parallel_calls must be -1 (automatic) or at least 1, not 0",
        ),
        (
            ["training: {validate_every: 10}"],
            "small.yml:2: training.validate_every needs images in data.validation, which is empty",
        ),
        (
            ["mask:", "  kind: box", "  height: 250", "  vertical_margin: 4"],
            "small.yml:4: mask.height and twice mask.vertical_margin are 250 + 2 * 4 pixels, more than the 256 of",
        ),
        (
            ["mask:", "  horizontal_margin: 65"],
            "small.yml:3: mask.width and twice mask.horizontal_margin are 128 + 2 * 65 pixels, more than the 256 of",
        ),
        (
            ["data:", "  image_size: 64"],
            "small.yml:3: mask.height and twice mask.vertical_margin are 128 + 2 * 0 pixels, more than the 64 of",
        ),
        (
            ["mask:", "  max_delta_width: 128"],
            "small.yml:3: mask.max_delta_width must be below mask.width, or no hole is left of its 128 pixels",
        ),
        (["mask:", "  kind: mix"], "small.yml:3: mask.mix must name kinds and weights with mask.kind: mix"),
        (["mask:", "  mix: [[box, 1]]"], "small.yml:3: mask.mix must name kinds and weights with mask.kind: mix"),
        (["mask:", "  kind: mix", "  mix: [[bux, 1]]"], "small.yml:4: mask.mix must be one of box, "),
        (
            ["mask:", "  kind: mix", "  mix: [[half, 0]]"],
            "small.yml:4: mask.mix must give half a weight above 0, not 0",
        ),
        (["mask:", "  kind: files"], "small.yml:3: mask.files must name mask files with mask.kind: files"),
        (["mask:", "  files: masks"], 'small.yml:3: mask.files must be "" with mask.kind: box'),
        (["mask:", "  strokes: [3, 1]"], "small.yml:3: mask.strokes must be [least, greatest], not [3, 1]"),
        (["mask:", "  border: 0.5"], "small.yml:3: mask.border must be above 0 and below 0.5, not 0.5"),
        (
            ["data:", "  edges: canny"],
            "small.yml:3: data.edges must be none, not canny, unless a recipe reads edges",
        ),
        (["data:", "  edges_drop: 0.2"], "small.yml:3: data.edges_drop must be 0 without edges"),
        (["data:", "  edges_folder: x"], "small.yml:3: data.edges_folder works with data.edges: paired only, not with"),
        (
            ["optimizer:", "  discriminator_learning_rate: 1e-3"],
            "small.yml:3: optimizer.discriminator_learning_rate needs optimizer.shared_count: false",
        ),
        (
            ["optimizer:", "  schedule: step"],
            "small.yml:3: optimizer.decay_every must be at least 1 with optimizer.schedule: step, and 0 "
            "with any other, not 0 with step",
        ),
        (
            ["optimizer:", "  schedule: linear", "  decay_every: 5"],
            "small.yml:4: optimizer.decay_every must be at least 1 with optimizer.schedule: step, and 0 "
            "with any other, not 5 with linear",
        ),
        (
            ["optimizer:", "  decay_rate: 0.5"],
            "small.yml:3: optimizer.decay_rate works with optimizer.schedule: step only, not with constant",
        ),
        (
            ["optimizer: {schedule: cosine, decay_until: 9}"],
            "small.yml:2: optimizer.decay_until works with optimizer.schedule: step only, not with cosine",
        ),
        (
            ["optimizer: {warmup_steps: 50}", "training:", "  steps: 50"],
            "small.yml:2: optimizer.warmup_steps must be below training.steps, not 50 of 50",
        ),
    ],
)
def test_rules_between_values(write, lines, message, sentence):
    assert sentence(write(*lines)).startswith(message)


@pytest.mark.parametrize(
    "section, changes, message",
    [
        ("data", {"image_size": [64, 68]}, "multiples of 8"),
        ("data", {"image_size": 56}, "at least 64 pixels"),
        ("options", {"local_patch": 72, "discount": "distance"}, "larger than the image"),
        ("options", {"local_patch": 40}, "discount"),
        ("mask", {"height": 24}, "discount"),
    ],
)
def test_rules_of_the_recipe(section, changes, message):
    config_from_dict(SMALL, "x")
    with pytest.raises(InputError, match=message):
        config_from_dict({**SMALL, section: {**SMALL[section], **changes}}, "x")


def test_smaller_images_do_without_mirrors_and_other_patches_without_a_box():
    config_from_dict({**SMALL, "data": {"image_size": 56}, "options": {"local_patch": 32, "padding": "SAME"}}, "x")
    config_from_dict({**SMALL, "options": {"local_patch": 40, "discount": "distance"}}, "x")


def test_a_recipes_complaint_leads_to_the_key_it_names(write, monkeypatch, sentence):
    def complain(options, image_size, mask_options):
        raise InputError(f"options.width of {options.width} is not for images of data.image_size {image_size}")

    monkeypatch.setattr(RECIPES["deepfill_v1"], "check", complain)
    path = write("options:", "  width: 16")
    assert sentence(path).startswith("small.yml:3: options.width of 16 is not")
    assert sentence(path, "options.width=24").startswith("--set options.width=24: options.width of 24 is not")
    assert sentence(write("data:", "  image_size: 512")).startswith("small.yml:3: options.width of 32 is not")


def test_of_two_values_at_odds_the_overridden_one_is_blamed(write, sentence):
    path = write("mask:", "  height: 128", "data:", "  image_size: 256")
    assert sentence(path, "data.image_size=64").startswith("--set data.image_size=64: mask.height and twice")
    assert sentence(path, "mask.height=300").startswith("--set mask.height=300: mask.height and twice")


def test_check_serves_configs_made_in_python():
    config = config_from_dict({"recipe": "deepfill_v1"}, "x")
    check(config)
    bad = dataclasses.replace(config, training=dataclasses.replace(config.training, steps=0))
    with pytest.raises(InputError, match="^training.steps must be at least 1, not 0$"):
        check(bad)
    with pytest.raises(InputError, match="^recipe must be"):
        check(dataclasses.replace(config, recipe="another"))


@pytest.mark.parametrize("key", MOST)
def test_what_no_machine_can_do_is_refused(key, write, sentence, defaults):
    owner = next(recipe for recipe in RECIPES if key in defaults[recipe])
    override = f"{key}={MOST[key] + 1}"
    found = sentence(write(recipe=owner), override)
    assert found.startswith(f"--set {override}: {key} must be at most {MOST[key]:,},")


def test_numbers_beyond_float32_and_batches_beyond_memory(write, sentence):
    assert "must be at most 1e+30, or it cannot run" in sentence(write(), "options.l1_weight=1e300")
    assert "takes more than 1 TiB" in sentence(write(), "data.image_size=16384", "data.batch_size=16384")


def test_a_sentence_fits_a_line_of_300_letters(write, sentence):
    found = sentence(write("x" * 900 + ": 1"))
    assert len(found) <= 300 and found.startswith("small.yml:2: unknown key xxx") and " ... " in found
