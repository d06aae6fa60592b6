"""Trains an inpainting network.

    python train.py                                # lists the configs
    python train.py --config configs/celeba.yml
    python train.py --config configs/celeba.yml --set data.train=photos/ data.batch_size=8
    python train.py --config configs/celeba.yml --dry-run

The same command goes on where its run folder stands. Ctrl-C or SIGTERM finishes the step, saves and ends with exit code
0; twice quits at once. A loss that is no longer a finite number ends with exit code 2, as any other unusable input.
"""

from __future__ import annotations

from pathlib import Path

from tf_inpaint import cli

CONFIGS = Path(__file__).resolve().with_name("configs")


def main(argv):
    parser = cli.Parser(prog="train.py", description=__doc__.splitlines()[0])
    parser.add_argument("--config", help="YAML file, ours or the authors' inpaint.yml")
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
        print(list_configs())
        return cli.BAD_INPUT

    cli.import_tensorflow()
    from tf_inpaint.config import load_config, place_of, to_yaml
    from tf_inpaint.errors import InputError

    notes = []
    config = load_config(arguments.config, arguments.set, report=notes.append)
    if arguments.dry_run:
        notes.append(to_yaml(config))

    from tf_inpaint.training.trainer import Trainer

    try:
        trainer = Trainer(config, notes=notes)
    except InputError as error:
        key = str(error).partition(":")[0]
        if key not in ("data.train", "data.validation"):
            raise
        place = place_of(key, arguments.config, arguments.set)
        raise InputError(f"{place}: {error}; of the papers' data sets tells python -m tf_inpaint.datasets") from None
    if arguments.dry_run:
        trainer.dry_run()
    else:
        trainer.train()
    return cli.DONE


def list_configs():
    """What there is to train, a line each, and how to begin."""
    files = sorted(CONFIGS.glob("*.yml"))
    width = max((len(file.stem) for file in files), default=0)
    lines = [f"{file.stem:<{width}}  {file.read_text(encoding='utf-8').partition(chr(10))[0][2:]}" for file in files]
    how = "python train.py --config configs/NAME.yml, on your images with --set data.train=my/photos data.validation="
    end = ["", f"Begin with: {how}", "quickstart trains in minutes."]
    return "\n".join(["Which config? There are:", "", *lines, *end])


if __name__ == "__main__":
    cli.run(main)
