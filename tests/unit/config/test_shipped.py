"""The shipped configs: short, explained, and each resolves to the values in resolved.json.

`python tests/unit/config/test_shipped.py` writes that file anew, where a change of values is meant.
"""

import json
from pathlib import Path

import pytest
import yaml

from tf_inpaint.checkpoints import DEFAULT_WEIGHTS
from tf_inpaint.checkpoints.npz import read_about
from tf_inpaint.checkpoints.shipped import shipped_file
from tf_inpaint.config import OptimizerConfig, config_from_dict, config_to_dict, flat_config, load_config, to_yaml
from tf_inpaint.config.annotations import flatten
from tf_inpaint.ops.masks import MaskOptions
from tf_inpaint.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted((ROOT / "configs").glob("*.yml"))
RESOLVED = Path(__file__).with_name("resolved.json")
ALWAYS_WRITTEN = {"name", "recipe", "data.train", "data.validation", "data.image_size", "data.batch_size"}
ALWAYS_WRITTEN |= {"training.steps"}


@pytest.fixture(params=SHIPPED, ids=lambda path: path.stem)
def path(request):
    return request.param


def test_the_shipped_files_are_there():
    assert {path.stem for path in SHIPPED} >= {"celeba", "celebahq", "places2", "imagenet", "dtd", "quickstart"}
    assert {path.stem for path in SHIPPED} == set(json.loads(RESOLVED.read_text()))


def test_values_stay(path):
    assert flat_config(load_config(path)) == json.loads(RESOLVED.read_text())[path.stem]


def test_only_what_differs_is_written(path, defaults):
    config = load_config(path)
    written = flatten(yaml.safe_load(path.read_text()))
    default = defaults[config.recipe]
    differing = {key for key, value in flat_config(config).items() if key not in default or value != default[key]}
    assert set(written) == ALWAYS_WRITTEN | differing
    assert written["name"] == path.stem


def test_shipped_files_come_back_the_same(path, tmp_path):
    config = load_config(path)
    assert config_from_dict(config_to_dict(config)) == config
    (tmp_path / "config.yml").write_text(to_yaml(config))
    assert load_config(tmp_path / "config.yml") == config


def test_shipped_files_are_short_and_headed_by_what_a_reader_needs(path):
    text = path.read_text()
    head = text.partition("\nname:")[0]
    assert all(line.startswith("#") or not line for line in head.splitlines())
    for label in ("# Paper:", "# Command:", "# Data:", "# Time:", "# Numbers:"):
        assert label in head
    assert f"python train.py --config configs/{path.name}" in head
    assert len(text.splitlines()) < 45


def test_together_they_are_short():
    assert sum(len(path.read_text().splitlines()) for path in SHIPPED) < 25 * len(SHIPPED)


@pytest.mark.parametrize("name", ["celeba", "celebahq", "places2", "imagenet", "dtd"])
def test_paper_configs_hold_the_papers_values(name):
    config = load_config(ROOT / "configs" / f"{name}.yml")
    assert config.options == RECIPES["deepfill_v1"].Options()
    assert config.options.padding == "SYMMETRIC"
    assert config.data.image_size == (256, 256) and config.data.batch_size == 16
    assert config.mask == MaskOptions("box", 128, 128, 32, 32, 0, 0, per_batch=True)
    assert config.optimizer == OptimizerConfig(learning_rate=1e-4, beta1=0.5, beta2=0.9, shared_count=True)


@pytest.mark.parametrize("name", ["celeba", "celebahq", "places2"])
@pytest.mark.parametrize("guided", [False, True])
def test_gated_paper_configs_hold_the_papers_values(name, guided):
    path = ROOT / "configs" / f"{name}_{'guided' if guided else 'deepfill_v2'}.yml"
    if guided and name == "celeba":
        assert not path.exists()
        return
    config = load_config(path)
    assert config.options == RECIPES["deepfill_v2"].Options(guided=guided)
    assert config.data.image_size == (256, 256) and config.data.batch_size == 16
    assert config.data.edges == ("paired" if guided else "none")
    assert config.mask == MaskOptions("union", 128, 128, 32, 32, per_batch=True)
    assert config.optimizer == OptimizerConfig(learning_rate=1e-4, beta1=0.5, beta2=0.999, shared_count=True)


@pytest.mark.parametrize("name", ["quickstart", "quickstart_deepfill_v2", "quickstart_guided"])
def test_quickstarts_are_small(name):
    config = load_config(ROOT / "configs" / f"{name}.yml")
    assert config.data.train == "data/samples/images"
    assert max(config.data.image_size) <= 128 and config.options.width <= 24


def test_finetuning_goes_on_from_the_default_weights():
    config = load_config(ROOT / "configs" / "finetune.yml")
    about = read_about(shipped_file())
    assert (config.training.init_from, config.recipe) == (DEFAULT_WEIGHTS, about.recipe)
    for option in ("width", "blocks", "kind", "global_ratio", "guided"):
        assert flat_config(config)[f"options.{option}"] == about.options[option]


def _write():
    lines = [
        f"{json.dumps(path.stem)}: {json.dumps(flat_config(load_config(path)), sort_keys=True)}" for path in SHIPPED
    ]
    RESOLVED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    _write()
