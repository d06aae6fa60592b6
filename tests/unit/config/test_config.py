"""The configuration as a whole: reading, old names, mistakes, and the way there and back."""

import dataclasses
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
    options_from_dict,
    to_yaml,
)
from tf_inpaint.config.__main__ import main, meanings
from tf_inpaint.config.annotations import flatten
from tf_inpaint.errors import InputError
from tf_inpaint.ops.masks import MaskOptions
from tf_inpaint.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[3]


def test_a_recipe_is_enough(write):
    config = load_config(write())
    assert config.name == "small"
    assert config.options == RECIPES["deepfill_v1"].Options()
    assert (config.data, config.mask) == (DataConfig(), MaskOptions())
    assert (config.optimizer, config.training) == (OptimizerConfig(), TrainingConfig())


def test_without_validation_images_nothing_is_measured_on_them(write):
    path = write("data: {validation: x}\ntraining: {validate_every: 10}")
    assert load_config(path).training.validate_every == 10
    for empty in ("data.validation=", "data.validation=''"):
        assert load_config(path, [empty]).training.validate_every == 0
    with pytest.raises(InputError, match="training.validate_every needs images in data.validation, which is empty"):
        load_config(path, ["data.validation=", "training.validate_every=5"])


def test_steps_that_are_asked_for_count_in_place_of_the_file_s_epochs(write):
    path = write("training: {epochs: 3}\noptimizer: {warmup_steps: 2000000}")  # which so many steps may follow
    assert load_config(path).training.epochs == 3
    training = load_config(path, ["training.steps=50", "optimizer.warmup_steps=0"]).training
    assert (training.steps, training.epochs) == (50, 0)
    assert load_config(path, ["training.steps=50", "training.epochs=2"]).training.epochs == 2


def test_a_path_may_begin_at_home(write, monkeypatch):
    monkeypatch.setenv("HOME", "/people/ann")
    monkeypatch.setenv("USERPROFILE", "/people/ann")
    config = load_config(write("training: {init_from: ~/a}"), ["training.run_folder=~/b", "data.train=~/x", "name=~c"])
    assert (config.training.init_from, config.training.run_folder) == ("/people/ann/a", "/people/ann/b")
    assert (config.data.train, config.name) == ("/people/ann/x", "~c")
    assert load_config(write("data: {train: [~/a, b]}")).data.train == ("/people/ann/a", "b")
    values = {"name": "a", "recipe": "partial_convolution", "mask": {"kind": "files", "files": "~/m"}}
    assert config_from_dict(values).mask.files == "/people/ann/m" and values["mask"]["files"] == "~/m"


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
    values["mask"], values["options"] = {"kind": "half"}, {"discount": "distance", "local_patch": 32, "padding": "SAME"}
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
    for section in (DataConfig, OptimizerConfig, TrainingConfig, MaskOptions, *(r.Options for r in RECIPES.values())):
        assert sorted(meanings(section)) == sorted(field.name for field in dataclasses.fields(section)), section


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_command_explains_every_key_and_shows_its_default(recipe, defaults, capsys):
    assert main([recipe]) == 0
    out = capsys.readouterr().out
    assert flatten(yaml.safe_load(out)) == {"recipe": recipe, **defaults[recipe]}
    assert (
        "  # images in one update, over all devices; a multiple of `training.accumulation_steps`.\n  batch_size: 16\n"
        in out
    )
    assert out.count("# size of a box before its random inset.\n  height: 128\n  width: 128") == 1


def test_the_command_knows_its_recipes():
    with pytest.raises(InputError, match="^pen_nett: recipe must be one of .*, did you mean pen_net?"):
        main(["pen_nett"])


@pytest.mark.slow  # a process of its own
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

OLD_LINES = ["data:", "  max_broken_share: 0.5", "mask:", "  noise_share: [0.1, 0.4]"]
OLD_LINES += ["options:", "  vgg: vgg19", "  vgg_weights: here.h5"]


def test_old_names_are_read_and_noted(write, caplog):
    notes = []
    config = load_config(write(*OLD_LINES), report=notes.append)
    assert (config.data.max_broken_fraction, config.mask.noise_fraction) == (0.5, (0.1, 0.4))
    assert (config.options.perceptual, config.options.perceptual_file) == ("vgg19", "here.h5")
    assert len(notes) == len(RENAMED)
    assert notes == [
        "small.yml:3: data.max_broken_share is now called data.max_broken_fraction",
        "small.yml:5: mask.noise_share is now called mask.noise_fraction",
        "small.yml:7: options.vgg is now called options.perceptual",
        "small.yml:8: options.vgg_weights is now called options.perceptual_file",
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


def test_options_of_older_weights_are_read_without_a_note(caplog):
    options = options_from_dict("deepfill_v1", {"vgg": "vgg19", "vgg_weights": "here.h5"}, "weights.npz")
    assert (options.perceptual, options.perceptual_file) == ("vgg19", "here.h5") and not caplog.messages


def test_mistakes_under_an_old_name(write, sentence):
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
def test_wrong_keys_and_values(write, lines, message, sentence):
    found = sentence(write(*lines))
    assert message in found, found


def test_unknown_recipe(write, sentence):
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
