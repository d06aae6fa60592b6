"""What train.py does."""

from __future__ import annotations

from tf_inpaint import cli
from tf_inpaint.training.configs import config_file, list_configs


def main(argv):
    """Trains as the arguments say, or lists the configs; returns the exit code."""
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
        if key not in ("data.train", "data.validation"):
            raise
        place = place_of(key, file, arguments.set)
        without = "--set data.validation= does without; " if key == "data.validation" else ""
        said = f"{place}: {error}; {without}of the papers' data sets tells python -m tf_inpaint.datasets"
        raise InputError(said) from None
    if arguments.dry_run:
        trainer.dry_run()
    else:
        trainer.train()
    return cli.DONE
