"""What the documents name is there: keys of configs, layers, options of commands."""

import contextlib
import importlib
import io
import re
from dataclasses import fields
from pathlib import Path

import pytest

from tf_inpaint import config, layers
from tf_inpaint.__main__ import COMMANDS
from tf_inpaint.ops.masks import MaskOptions
from tf_inpaint.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SCRIPTS = {"test.py": "complete", "train.py": "train", "guided_demo.py": "demo"}
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


@pytest.fixture(scope="module")
def options():
    """{command: the options that its help names}."""
    found = {}
    for name, command in COMMANDS.items():
        said = io.StringIO()
        with contextlib.redirect_stdout(said), pytest.raises(SystemExit):
            importlib.import_module(command.module).main(["--help"])
        found[name] = set(re.findall(r"--[a-z_-]+", said.getvalue()))
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_options_of_commands_in_a_document_are_there(path, options):
    called = r"(?:python (\w+\.py)|python -m tf_inpaint\.(\w+)|tf-inpaint (\w+))([^`\n#]*)"
    for script, module, name, rest in re.findall(called, path.read_text().replace("\\\n", " ")):
        command = SCRIPTS.get(script) or module or name
        if command in options:
            assert not set(re.findall(r"(?<!\S)--[a-z_-]+", rest)) - options[command], f"{command}{rest}"
