"""All commands as one: `tf-inpaint COMMAND ...`, or `python -m tf_inpaint COMMAND ...`."""

from __future__ import annotations

import importlib
import os
import sys
from typing import NamedTuple

from tf_inpaint import cli


class Command(NamedTuple):
    """A command's module, whose `main` it is, and what it does, a line for people."""

    module: str
    does: str


COMMANDS = {
    "complete": Command("tf_inpaint.predict.command", "complete the holes of images, as test.py"),
    "train": Command("tf_inpaint.training.command", "train a network, as train.py"),
    "evaluate": Command("tf_inpaint.evaluate", "measure checkpoints and baselines"),
    "export": Command("tf_inpaint.export", "export a model for TensorFlow Serving or Lite, ONNX, or as weights"),
    "demo": Command("tf_inpaint.demo.command", "draw holes in a window or a browser, as guided_demo.py"),
    "edges": Command("tf_inpaint.edges", "find edges of images, for guided training"),
    "masks": Command("tf_inpaint.masks", "draw masks"),
    "samples": Command("tf_inpaint.samples", "write sample photographs and masks"),
    "datasets": Command("tf_inpaint.datasets", "where the papers' data sets are to be had, and lists of them"),
    "config": Command("tf_inpaint.config.__main__", "every key of a config, explained"),
}


def main(argv=None):
    """Ends the process with the exit code of the command that `argv` names, the process's arguments by default."""
    argv = sys.argv[1:] if argv is None else list(argv)
    name = argv[0] if argv else ""
    if name in COMMANDS:
        cli.run(importlib.import_module(COMMANDS[name].module).main, argv[1:], f"{_program()} {name}")
    cli.run(_without_command, argv)


def _without_command(argv):
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.does}" for name, command in COMMANDS.items()]
    usage = "\n".join([f"usage: {_program()} COMMAND ..., each with --help", "", *lines])
    if argv in (["-h"], ["--help"]):
        print(usage)
        return cli.DONE
    said = f"there is no command {argv[0]!r}" if argv else "a command is missing"
    print(f"error: {said} (see --help)\n{usage}", file=sys.stderr)
    return cli.BAD_INPUT


def _program():
    return "tf-inpaint" if os.path.basename(sys.argv[0]).startswith("tf-inpaint") else "python -m tf_inpaint"


if __name__ == "__main__":
    main()
