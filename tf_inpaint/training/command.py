"""What train.py does."""

from __future__ import annotations

import os

from tf_inpaint import cli
from tf_inpaint.config.by_name import config_file, list_configs
from tf_inpaint.datasets import help_for


def main(argv):
    """Trains as the arguments say, or lists the configs; returns the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.config is None:
        if arguments.set or arguments.dry_run:
            parser.error("the following arguments are required: --config")
        print(list_configs(cli.program("python train.py")))
        return cli.BAD_INPUT

    cli.import_tensorflow()
    from tf_inpaint.config import load_config, place_of, to_yaml
    from tf_inpaint.errors import InputError

    notes, file = [], config_file(arguments.config)
    config = load_config(file, arguments.set, report=notes.append)
    if arguments.dry_run:
        notes.append(to_yaml(config))

    from tf_inpaint.training.trainer import Trainer

    try:
        trainer = Trainer(config, notes=notes)
    except InputError as error:
        key = str(error).partition(":")[0]
        if key not in ("data.train", "data.validation", "data.classes", "mask.files"):
            raise
        raise InputError(f"{place_of(key, file, arguments.set)}: {error}{_hint(key, config, file)}") from None
    if arguments.dry_run:
        trainer.dry_run()
    else:
        trainer.train()
    return cli.DONE


def _hint(key, config, file):
    """What to do about images of a config that are not there."""
    sources = {"data.train": config.data.train, "data.validation": config.data.validation}.get(key, ())
    sources = (sources,) if isinstance(sources, str) else sources
    if all(map(os.path.exists, sources)):
        return ""
    without = "; --set data.validation= does without" if key == "data.validation" else ""
    return f"{without}; {help_for(file, sources)}"


def checked_config(argv):
    """The config that arguments of train.py ask for.

    Raises:
        InputError: if there is none, or something is wrong with it.
    """
    from tf_inpaint.config import load_config
    from tf_inpaint.errors import InputError

    arguments = _parser().parse_args(argv)
    if arguments.config is None:
        raise InputError("which config? give train.py's --config")
    return load_config(config_file(arguments.config), arguments.set)


def _parser():
    parser = cli.Parser(prog="train.py", description="Train an inpainting network.")
    parser.add_argument("--config", help="YAML file, ours or the authors' inpaint.yml; or the name of a config of ours")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="values in place of the file's, such as data.batch_size=8",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show every key, check them, make and time one step; writes nothing"
    )
    return parser
