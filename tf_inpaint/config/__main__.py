"""The command `python -m tf_inpaint.config`: every key of a config, with its default and what it means."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Sequence

from tf_inpaint import cli
from tf_inpaint.config import DataConfig, OptimizerConfig, TrainingConfig, options_from_dict
from tf_inpaint.config.yaml import dump


def main(argv: Sequence[str]) -> int:
    """Prints the keys of a recipe's configs, as YAML with comments; returns the exit code."""
    parser = cli.Parser(prog="python -m tf_inpaint.config", description="Print every key, its meaning and its default.")
    parser.add_argument("recipe", nargs="?", default="deepfill_v1", help="such as pen_net (default: deepfill_v1)")
    arguments = parser.parse_args(argv)

    cli.import_tensorflow()
    from tf_inpaint.ops.masks import MaskOptions

    sections = {"options": options_from_dict(arguments.recipe, {}, arguments.recipe), "data": DataConfig()}
    sections.update(mask=MaskOptions(), optimizer=OptimizerConfig(), training=TrainingConfig())
    print(f"recipe: {arguments.recipe}")
    for name, section in sections.items():
        print(f"\n{name}:\n{_with_meanings(section)}")
    return cli.DONE


def meanings(section) -> dict[str, str]:
    """What each attribute of a dataclass means, as its docstring says."""
    block = inspect.cleandoc(section.__doc__).partition("Attributes:\n")[2]
    block = re.split(r"\n(?=\S)", block)[0]
    found = {}
    for entry in re.split(r"(?m)^ {4}(?=\S)", block)[1:]:
        names, _, meaning = entry.partition(": ")
        found.update(dict.fromkeys(names.split(", "), " ".join(meaning.split())))
    return found


def _with_meanings(section):
    explained, last, lines = meanings(section), "", []
    for field in dataclasses.fields(section):
        if explained[field.name] != last:  # two keys may be explained together
            last = explained[field.name]
            comment = {"initial_indent": "  # ", "subsequent_indent": "  # ", "break_on_hyphens": False}
            lines += textwrap.wrap(last, 118, **comment)
        lines.append("  " + dump({field.name: getattr(section, field.name)}).rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run(main)
