"""What the documents name is there: keys of configs, layers, options of commands."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from tf_inpaint import config, layers
from tf_inpaint.ops.masks import MaskOptions
from tf_inpaint.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SECTIONS = {
    "options": [recipe.Options for recipe in RECIPES.values()],
    "data": [config.DataConfig],
    "mask": [MaskOptions],
    "optimizer": [config.OptimizerConfig],
    "training": [config.TrainingConfig],
}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_keys_and_layers_that_a_document_names_are_there(path):
    text = path.read_text()
    keys = re.findall(rf"(?<![\w./])({'|'.join(SECTIONS)})\.(?!png)(\w+)", text)
    known = {(section, field.name) for section, of in SECTIONS.items() for options in of for field in fields(options)}
    assert not set(keys) - known
    assert not [name for name in re.findall(r"`layers\.(\w+)", text) if not hasattr(layers, name)]
