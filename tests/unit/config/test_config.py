"""The configuration as a whole: shipped files, limits, rules between sections, and the way there and back."""

import dataclasses
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tf_inpaint.config import (
    RENAMED,
    DataConfig,
    OptimizerConfig,
    TrainingConfig,
    config_from_dict,
    config_to_dict,
    load_config,
    to_yaml,
)
from tf_inpaint.config.checks import RANGES, check
from tf_inpaint.errors import InputError
from tf_inpaint.ops.masks import MaskOptions
from tf_inpaint.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a config of the given lines, in a folder that is also the working directory; returns its path."""
    monkeypatch.chdir(tmp_path)

    def write(*lines):
        Path("small.yml").write_text("\n".join(("recipe: deepfill_v1", *lines)))
        return "small.yml"

    return write


def sentence(path, *overrides):
    with pytest.raises(InputError) as caught:
        load_config(path, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_guided_recipe_needs_sketches(write):
    document = write("options: {guided: true}")
    with open(document) as file:
        text = file.read().replace("deepfill_v1", "deepfill_v2")
    with open(document, "w") as file:
        file.write(text)
    assert "data.edges must be paired or canny with options.guided: true" in sentence(document)
    assert load_config(document, ["data.edges=canny"]).options.guided


def test_holes_without_a_box_need_no_room_for_one(write):
    small = ["data.image_size=64", "options.local_patch=32", "options.discount=distance"]
    assert load_config(write(), [*small, "mask.kind=brush_stroke"]).mask.kinds == ("brush_stroke",)
    mixed = load_config(write("mask: {kind: mix, mix: [[half, 1], [shapes, 2]]}"), small)
    assert mixed.mask.mix == (("half", 1.0), ("shapes", 2.0)) and not mixed.mask.has_box


# Reading


def test_a_recipe_is_enough(write):
    config = load_config(write())
    assert config.name == "small"
    assert config.options == RECIPES["deepfill_v1"].Options()
    assert (config.data, config.mask) == (DataConfig(), MaskOptions())
    assert (config.optimizer, config.training) == (OptimizerConfig(), TrainingConfig())


def test_overrides_win(write):
    config = load_config(
        write("data:", "  batch_size: 4"),
        ["data.batch_size=8", "data.image_size=192", "optimizer.learning_rate=1e-3", "name=mine", "data.train=*.png"],
    )
    assert (config.name, config.data.batch_size, config.data.image_size) == ("mine", 8, (192, 192))
    assert config.optimizer.learning_rate == 1e-3 and config.data.train == "*.png"


def test_several_sources(write):
    assert load_config(write("data: {train: [a, b]}")).data.train == ("a", "b")


def test_dicts_from_other_readers_do(write):
    values = {"recipe": "deepfill_v1", "optimizer": {"learning_rate": "1e-4"}, "data": {"image_size": (64, 128)}}
    values["mask"], values["options"] = SMALL["mask"], {"local_patch": 32, "padding": "SAME"}
    before = str(values)
    config = config_from_dict(values, "dict")
    assert config.optimizer.learning_rate == 1e-4 and config.data.image_size == (64, 128)
    assert str(values) == before


def test_resolved_text_is_complete_and_yaml_for_everyone():
    config = config_from_dict({"recipe": "deepfill_v1"}, "x")
    assert yaml.safe_load(to_yaml(config)) == config_to_dict(config)


def test_sections_are_frozen():
    config = config_from_dict({"recipe": "deepfill_v1"}, "x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.data.batch_size = 3
    assert hash(config)


def test_every_attribute_is_explained():
    for section in (DataConfig, OptimizerConfig, TrainingConfig, MaskOptions, RECIPES["deepfill_v1"].Options):
        explained = re.findall(r"^ {4}([a-z][a-z0-9_, ]*): ", inspect.cleandoc(section.__doc__), re.MULTILINE)
        explained = [name for names in explained for name in names.split(", ")]
        assert sorted(explained) == sorted(field.name for field in dataclasses.fields(section)), section


def test_bad_yaml_is_reported_without_tensorflow(write):
    path = write("data: [")
    program = (
        "import sys\nfrom tf_inpaint.config import load_config\n"
        f"try: load_config({path!r})\nexcept ValueError as error: print(error, 'tensorflow' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, check=True
    )
    assert result.stdout.startswith("small.yml:2: is not valid YAML: ") and result.stdout.endswith(" False\n")


# Old names

OLD = {"data.max_broken_share": 0.5, "mask.noise_share": [0.1, 0.4]}
OLD_LINES = ["data:", "  max_broken_share: 0.5", "mask:", "  noise_share: [0.1, 0.4]"]


def test_old_names_are_read_and_noted(write, caplog):
    assert set(OLD) == set(RENAMED)
    notes = []
    config = load_config(write(*OLD_LINES), report=notes.append)
    assert (config.data.max_broken_fraction, config.mask.noise_fraction) == (0.5, (0.1, 0.4))
    assert notes == [
        "small.yml:3: data.max_broken_share is now called data.max_broken_fraction",
        "small.yml:5: mask.noise_share is now called mask.noise_fraction",
    ]
    assert not caplog.messages
    load_config(write(*OLD_LINES))
    assert caplog.messages == notes  # without `report`


def test_old_names_in_overrides_and_dicts(write):
    notes = []
    overrides = ["data.max_broken_share=0.1", "data.max_broken_fraction=0.2", "data.max_broken_share=0.3"]
    assert load_config(write(*OLD_LINES), overrides, notes.append).data.max_broken_fraction == 0.3  # the last one
    assert notes[-1] == f"--set {overrides[-1]}: data.max_broken_share is now called data.max_broken_fraction"
    values = {"recipe": "deepfill_v1", "data": {"max_broken_share": 0.5}, "mask": {"noise_share": [0.1, 0.4]}}
    assert config_from_dict(values, "x").mask.noise_fraction == (0.1, 0.4)
    assert values["mask"] == {"noise_share": [0.1, 0.4]}


def test_mistakes_under_an_old_name(write):
    found = sentence(write("data:", "  max_broken_share: 2"))
    assert found == "small.yml:3: data.max_broken_fraction must be at least 0 and at most 1, not 2.0"
    assert sentence(write("data:", "  max_broken_share: 0.1", "  max_broken_fraction: 0.1")) == (
        "small.yml:3: data.max_broken_share is the old name of data.max_broken_fraction, which is set at small.yml:4"
    )


@pytest.mark.parametrize("old, new", RENAMED.items())
def test_new_names_are_of_the_same_section_and_known(old, new):
    config = config_from_dict({"recipe": "deepfill_v1"}, "x")
    section, name = new.split(".")
    assert old.startswith(f"{section}.") and name in config_to_dict(config)[section]


# Mistakes


@pytest.mark.parametrize(
    "lines, message",
    [
        (["optimiser: {}"], "small.yml:2: unknown key optimiser, did you mean optimizer? allowed here: name, recipe,"),
        (["data:", "  batchsize: 8"], "small.yml:3: unknown key data.batchsize, did you mean data.batch_size? allowed"),
        (["batch_size: 8"], "small.yml:2: unknown key batch_size, did you mean data.batch_size?"),
        (["mask: {n_critic: 8}"], "small.yml:2: unknown key mask.n_critic, did you mean options.n_critic?"),
        (["data: {batch_size: true}"], "small.yml:2: data.batch_size must be a whole number, not true"),
        (["data: {image_size: [256]}"], "small.yml:2: data.image_size must be a list of 2 whole numbers, not [256]"),
        (["data: {train: 3}"], "small.yml:2: data.train must be text or a list of texts, not 3, put it in quotes"),
        (["data: {fit: croop}"], "data.fit must be one of crop, resize, resize_crop, not 'croop', did you mean crop?"),
        (["options: {padding: same}"], "options.padding must be one of SAME, SYMMETRIC, REFLECT, not 'same', did you"),
        (
            ["name: a/b"],
            "small.yml:2: name must be the name of a folder, not 'a/b'; put a path into training.run_folder",
        ),
        (["name: ''"], "small.yml:2: name must be the name of a folder, not ''"),
    ],
)
def test_wrong_keys_and_values(write, lines, message):
    found = sentence(write(*lines))
    assert message in found, found


def test_unknown_kind_of_hole(write):
    found = sentence(write("mask:", "  kind: boxx"))
    assert found.startswith("small.yml:3: mask.kind must be one of box, ")
    assert found.endswith(", not 'boxx', did you mean box?")


def test_unknown_recipe(write):
    Path("other.yml").write_text("\nrecipe: deepfil_v1")
    assert re.match(
        r"other.yml:2: recipe must be .*deepfill_v1.*, not 'deepfil_v1', did you mean deepfill_v1\?",
        sentence("other.yml"),
    )
    Path("other.yml").write_text("name: x")
    assert sentence("other.yml") == "other.yml: recipe is missing: it must be text"
    Path("other.yml").write_text("recipe: [deepfill_v1]")
    assert sentence("other.yml") == "other.yml:1: recipe must be text, not ['deepfill_v1']"
    Path("other.yml").write_text("recpie: deepfill_v1")
    assert sentence("other.yml").startswith("other.yml:1: unknown key recpie, did you mean recipe?")


@pytest.mark.parametrize("key", RANGES)
def test_every_range_belongs_to_a_key_and_holds_at_its_ends(key, write):
    a_config = config_from_dict({"recipe": "deepfill_v1"}, "x")
    section, name = key.split(".")
    owners = [recipe for recipe in RECIPES if section != "options" or hasattr(RECIPES[recipe].Options(), name)]
    assert owners, f"no recipe has {key}"
    defaults = RECIPES[owners[0]].Options() if section == "options" else getattr(a_config, section)
    default = getattr(defaults, name)
    default = default[0] if isinstance(default, tuple) else default
    wanted = float if isinstance(default, float) or default is None else int
    low, high = (float(end) for end in RANGES[key][1:-1].split(", "))
    outside = [wanted(low - 1)] + ([wanted(low)] if RANGES[key][0] == "(" else [])
    if high < float("inf"):
        outside += [wanted(high + 1)] + ([wanted(high)] if RANGES[key][-1] == ")" else [])
    path = write()
    Path(path).write_text(Path(path).read_text().replace("deepfill_v1", owners[0]))
    for value in outside:
        override = f"{key}={value}"
        assert sentence(path, override).startswith(f"--set {override}: {key} must be "), (override, RANGES[key])


def test_numbers_that_are_none_lie_in_no_range(write):
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
            ["optimizer: {warmup_steps: 50}", "training:", "  steps: 50"],
            "small.yml:2: optimizer.warmup_steps must be below training.steps, not 50 of 50",
        ),
    ],
)
def test_rules_between_values(write, lines, message):
    assert sentence(write(*lines)).startswith(message)


SMALL = {
    "recipe": "deepfill_v1",
    "options": {"local_patch": 32},
    "data": {"image_size": 64},
    "mask": {"height": 32, "width": 32, "max_delta_height": 8, "max_delta_width": 8},
}


@pytest.mark.parametrize(
    "section, changes, message",
    [
        ("data", {"image_size": [64, 68]}, "multiples of 8"),
        ("data", {"image_size": 56}, "at least 64 pixels"),
        ("options", {"local_patch": 72, "discount": "distance"}, "larger than the picture"),
        ("options", {"local_patch": 40}, "discount"),
        ("mask", {"height": 24}, "discount"),
    ],
)
def test_rules_of_the_recipe(section, changes, message):
    config_from_dict(SMALL, "x")
    with pytest.raises(InputError, match=message):
        config_from_dict({**SMALL, section: {**SMALL[section], **changes}}, "x")


def test_smaller_pictures_do_without_mirrors_and_other_patches_without_a_box():
    config_from_dict({**SMALL, "data": {"image_size": 56}, "options": {"local_patch": 32, "padding": "SAME"}}, "x")
    config_from_dict({**SMALL, "options": {"local_patch": 40, "discount": "distance"}}, "x")


def test_a_recipes_complaint_leads_to_the_key_it_names(write, monkeypatch):
    def complain(options, image_size, mask_options):
        raise InputError(f"options.width of {options.width} is not for pictures of data.image_size {image_size}")

    monkeypatch.setattr(RECIPES["deepfill_v1"], "check", complain)
    path = write("options:", "  width: 16")
    assert sentence(path).startswith("small.yml:3: options.width of 16 is not")
    assert sentence(path, "options.width=24").startswith("--set options.width=24: options.width of 24 is not")
    assert sentence(write("data:", "  image_size: 512")).startswith("small.yml:3: options.width of 32 is not")


def test_of_two_values_at_odds_the_overridden_one_is_blamed(write):
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


def test_dicts_are_blamed_by_name():
    with pytest.raises(InputError, match="^config: unknown key data.train_on"):
        config_from_dict({"recipe": "deepfill_v1", "data": {"train_on": "x"}})
    with pytest.raises(InputError, match="^config: name must be the name of a folder"):
        config_from_dict({"recipe": "deepfill_v1"})


def test_missing_file():
    with pytest.raises(InputError, match="celba.yml: no such file, did you mean .*celeba.yml"):
        load_config(ROOT / "configs" / "celba.yml")


def test_the_authors_file_is_translated_and_reported(tmp_path):
    path = tmp_path / "inpaint.yml"
    path.write_text("IMG_SHAPES: [256, 256, 3]\nBATCH_SIZE: 8\nMAX_ITERS: 10\n")
    lines = []
    config = load_config(path, ["training.steps=20"], report=lines.append)
    assert (config.name, config.data.batch_size, config.training.steps) == ("inpaint", 8, 20)
    assert "MAX_ITERS: 10 -> training.steps: 10" in lines
    assert load_config(path).training.steps == 10  # quiet without `report`
