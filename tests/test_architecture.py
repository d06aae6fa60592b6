"""Who may import whom, and what every part of the house must have; each complaint names file and line."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from tf_inpaint.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tf_inpaint"

# A part may import itself, what every part may, and the parts named.
FOR_ALL = {"errors"}
ALLOWED = {
    "errors": set(),
    "cli": set(),
    "cluster": set(),
    "io": {"ops"},
    "ops": set(),
    "metrics": {"ops"},
    "layers": {"ops"},
    "losses": {"ops"},
    "models": {"ops", "layers"},
    "recipes": {"ops", "layers", "losses", "models", "features"},
    "config": {"cli", "ops", "recipes"},
    "edges": {"cli", "io", "ops"},
    "data": {"ops", "config", "io"},
    "masks": {"cli", "config", "data", "io"},
    "samples": {"cli", "io", "ops"},
    "datasets": {"cli", "config", "io"},
    "checkpoints": {"io", "models"},
    "features": {"ops", "layers", "checkpoints"},
    "__main__": {"cli"},
    "training": {"cli", "ops", "layers", "models", "recipes", "config", "data", "datasets", "metrics", "io"}
    | {"checkpoints"},
    "inference": {"ops", "layers", "models", "recipes", "config", "checkpoints"},
    "predict": {"cli", "cluster", "io", "inference", "checkpoints", "ops"},
    "serving": {"cli", "inference", "models", "ops", "io"},
    "export": {"cli", "demo", "io", "checkpoints", "inference", "models", "recipes", "serving"},
    "evaluation": {"cli", "cluster", "io", "inference", "metrics", "checkpoints", "features", "ops"},
    "evaluate": {"cli", "io", "evaluation"},
    "demo": {"cli", "io", "inference", "checkpoints", "predict", "ops"},
}
# Whatever has a base class with defaults, under the names that it goes by.
CONTRACTS = {"generator", "discriminator", "network", "model", "layer", "recipe", "options"}
ASKING = {"hasattr", "getattr"}
FORBIDDEN_NAMES = {"utils.py", "common.py", "helpers.py"}


# Every module with its tree, parsed once.
MODULES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
MODULES.pop(PACKAGE / "__init__.py")


def _part(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(tree):
    """(line, part of tf_inpaint) of every import, also inside functions."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "tf_inpaint":
                names = [f"tf_inpaint.{alias.name}" for alias in node.names]
            else:
                names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("tf_inpaint."):
                yield node.lineno, name.split(".")[1]


def test_import_directions():
    complaints = []
    for path, tree in MODULES.items():
        part = _part(path)
        assert part in ALLOWED, f"{path.relative_to(ROOT)}: say in test_architecture.py what {part} may import"
        for line, imported in _imports(tree):
            if imported != part and imported not in ALLOWED[part] | FOR_ALL:
                complaints.append(f"{path.relative_to(ROOT)}:{line}: {part} must not import {imported}")
    assert not complaints, "\n".join(complaints)


def test_no_catch_all_files_and_no_asserts():
    complaints = []
    for path, tree in MODULES.items():
        if path.name in FORBIDDEN_NAMES:
            complaints.append(f"{path.relative_to(ROOT)}: a file has one idea and is named after it")
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert):
                complaints.append(f"{path.relative_to(ROOT)}:{node.lineno}: raise an error, do not assert")
    assert not complaints, "\n".join(complaints)


def test_autograph_is_off():
    """Control flow is explicit; translating sources costs a process ten seconds, of the tests too."""
    complaints = []
    for path in [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))]:
        source = path.read_text()
        of_data = "tf.data" in source
        if not of_data and "tf.function" not in source:
            continue
        nodes = list(ast.walk(MODULES.get(path) or ast.parse(source)))
        calls = {node.func: node for node in nodes if isinstance(node, ast.Call)}
        for node in nodes:
            if not isinstance(node, ast.Attribute):
                continue
            place, call = f"{path.relative_to(ROOT)}:{node.lineno}", calls.get(node)
            if node.attr == "function" and ast.unparse(node) == "tf.function":
                if not call or "autograph=False" not in [ast.unparse(keyword) for keyword in call.keywords]:
                    complaints.append(f"{place}: tf.function without autograph=False")
            elif call and of_data and node.attr in {"map", "filter", "flat_map", "interleave"}:
                of_threads = ast.unparse(node.value) == "threads"
                if not of_threads and not ast.unparse(call.args[0]).startswith("plainly("):
                    complaints.append(f"{place}: a dataset's function that is not in plainly(...)")
    assert not complaints, "\n".join(complaints)


def test_generators_recipes_and_layers_are_not_asked_what_they_are():
    complaints = []
    for path, tree in MODULES.items():
        for node in ast.walk(tree):
            asks = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ASKING
            if asks and CONTRACTS & set(re.findall(r"\w+", ast.unparse(node.args[0]))):
                complaints.append(
                    f"{path.relative_to(ROOT)}:{node.lineno}: the base class has a default, not {node.func.id}"
                )
    assert not complaints, "\n".join(complaints)


def test_every_public_thing_has_a_docstring():
    complaints = []
    for path, tree in MODULES.items():
        if not ast.get_docstring(tree):
            complaints.append(f"{path.relative_to(ROOT)}:1: no docstring")
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                if not ast.get_docstring(node):
                    complaints.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has no docstring")
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_complete(recipe):
    assert (PACKAGE / "models" / f"{recipe}.py").exists()
    assert (ROOT / "tests" / "golden" / f"test_{recipe}.py").exists()
    configs = [path for path in (ROOT / "configs").glob("*.yml") if f"recipe: {recipe}\n" in path.read_text()]
    assert configs, f"no config trains {recipe}"
    assert f"`{recipe}`" in (ROOT / "README.md").read_text(), f"{recipe} has no row in the README"


def test_every_config_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    missing = [path.name for path in (ROOT / "configs").glob("*.yml") if path.name not in readme]
    assert not missing


def test_links_and_commands_of_the_documents_lead_somewhere():
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        text = document.read_text()
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target} does not exist"
        for module in re.findall(r"python -m (tf_inpaint\.[\w.]+)", text):
            importlib.import_module(module)
