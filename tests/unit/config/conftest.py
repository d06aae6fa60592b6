from pathlib import Path

import pytest

from tf_inpaint.config import DataConfig, OptimizerConfig, TrainingConfig, flat_config, load_config
from tf_inpaint.errors import InputError
from tf_inpaint.ops.masks import MaskOptions
from tf_inpaint.recipes import RECIPES


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a config of the given lines, in a folder that is also the working directory; returns its path."""
    monkeypatch.chdir(tmp_path)

    def write(*lines, recipe="deepfill_v1"):
        Path("small.yml").write_text("\n".join((f"recipe: {recipe}", *lines)))
        return "small.yml"

    return write


@pytest.fixture
def sentence():
    """Gives what is wrong with a config and overrides, in one line."""

    def sentence(path, *overrides):
        with pytest.raises(InputError) as caught:
            load_config(path, overrides)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return sentence


@pytest.fixture(scope="session")
def defaults():
    """recipe -> {"section.key": plain default}."""
    sections = {
        "data": DataConfig(),
        "mask": MaskOptions(),
        "optimizer": OptimizerConfig(),
        "training": TrainingConfig(),
    }
    return {recipe: flat_config({"options": RECIPES[recipe].Options(), **sections}) for recipe in RECIPES}
