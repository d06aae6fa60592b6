"""What train.py does."""

from __future__ import annotations

from tf_inpaint import cli
from tf_inpaint.training.configs import config_file, list_configs

_DATA_SETS = "of the papers' data sets tells python -m tf_inpaint.datasets"


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
        hints = {
            "data.train": f"; {_DATA_SETS}",
            "data.validation": f"; --set data.validation= does without; {_DATA_SETS}",
            "mask.files": "",
        }
        if key not in hints:
            raise
        raise InputError(f"{place_of(key, file, arguments.set)}: {error}{hints[key]}") from None
    if arguments.dry_run:
        trainer.dry_run()
    else:
        trainer.train()
    return cli.DONE


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
