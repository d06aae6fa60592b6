"""The command `python -m tf_inpaint.evaluate`: measure checkpoints, baselines and others' completions by one ruler."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tf_inpaint import cli
from tf_inpaint.evaluation import PROTOCOLS, Evaluation
from tf_inpaint.evaluation.baselines import BASELINES, CHEAP
from tf_inpaint.evaluation.ranking import sentences
from tf_inpaint.evaluation.ray import run_on_cluster
from tf_inpaint.evaluation.table import bins_table, terminal_table
from tf_inpaint.io.holes import MASK_SOURCES
from tf_inpaint.io.shards import Shard

_OF_TASKS = {  # options that --export_tasks heeds
    *("--export_tasks", "--images", "--protocol", "--size", "--seed", "--limit"),
    *("--masks", "--invert_masks", "--mask_from", "--debug"),
}
_FIT_NOTES = {"crop": "", "stretch": ", of the whole image squashed to a square"}


def main(argv: Sequence[str]) -> int:
    """Evaluates, prints the table, and returns the exit code."""
    parser = _parser()
    options = vars(parser.parse_args(argv))
    folder, cluster, workers = (options.pop(name) for name in ("export_tasks", "ray", "actors"))
    del options["debug"]
    if len(options["images"]) == 1:
        (options["images"],) = options["images"]
    if options["baselines"] == ["none"]:
        options["baselines"] = []
    evaluation = Evaluation(**options)
    shard = Shard.parse(evaluation.shard)
    if folder:
        given = dict.fromkeys(word.partition("=")[0] for word in argv if word.startswith("--"))
        ignored = [option for option in given if option not in _OF_TASKS]
        if ignored:
            parser.error(f"--export_tasks only writes all images and masks: leave out {', '.join(ignored)}")
        tasks = evaluation.tasks()
        left_out = tasks.export(folder)
        print(f"{len(tasks) - len(left_out)} images and masks in {folder}")
        return _report_left_out(left_out)
    if cluster is None and workers:
        parser.error("--actors is for --ray")
    if cluster is not None and not shard.covers_all:
        parser.error("--ray measures everything: leave out --shard")
    if evaluation.output is None:
        parser.error("give --output")
    with cli.Progress() as progress:
        if cluster is None:
            results = evaluation.run(progress)
        else:
            results = run_on_cluster(evaluation, cluster, workers, progress)
    if shard.covers_all:
        print("\n".join(sentences(results)), end="\n\n")
        print(terminal_table(results))
        for metric in dict.fromkeys((results["ranking"]["metric"], "feature_fid", "kid", "psnr")):
            by_ratio = bins_table(results, metric)
            if by_ratio:
                print(f"\n{by_ratio}")
        print(f"\n{evaluation.output}: report.html, results.json, results.csv, per_image.csv, sheet.png, plots")
    else:
        count = results["pictures"]["count"]
        print(
            f"shard {shard}: {count} image{'' if count == 1 else 's'} measured, numbers in {evaluation.output}; "
            "once all shards are there, the same command without --shard makes the results"
        )
    return _report_left_out(results["pictures"]["left_out"])


def _report_left_out(left_out):
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    return cli.SOME_FAILED if left_out else cli.DONE


def _parser() -> cli.Parser:
    protocols = "\n".join(f"  {name:<20}  {one.holes}{_FIT_NOTES[one.fit]}" for name, one in PROTOCOLS.items())
    parser = cli.Parser(
        prog="python -m tf_inpaint.evaluate",
        description="Complete images by a protocol with several methods and measure them all alike.",
        epilog=f"protocols:\n{protocols}\n\nSee docs/evaluation.md for the formulas.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--images", nargs="+", required=True, help="folders, globs, lists or CSVs")
    add("--protocol", required=True, choices=PROTOCOLS, metavar="NAME", help="see below")
    add("--output", help="folder for the results; the same command goes on with what is there")
    add(
        "--checkpoint_dir",
        dest="checkpoints",
        nargs="+",
        default=[],
        metavar="[NAME=]D",
        help="run folders, names of weights that came with the package, or the authors' checkpoints",
    )
    add(
        "--baselines",
        nargs="+",
        default=list(CHEAP),
        metavar="NAME",
        help=f"of {', '.join(BASELINES)}; or all; or none (default: {' '.join(CHEAP)})",
    )
    add("--completions", nargs="+", default=[], metavar="[NAME=]DIR", help="folders of completions of other programs")
    add("--size", type=int, help="side of the images (default: the protocol's)")
    add("--seed", type=int, help="draws other masks (default: the protocol's)")
    add("--masks", help="for from_files: mask files, white = hole; a folder, a glob or a list")
    add("--invert_masks", action="store_true", help="the holes of --masks are black")
    add(
        "--mask_from",
        choices=MASK_SOURCES,
        default="auto",
        help="what of --masks is the hole: light or dark, alpha, colour, as test.py takes it (default: auto)",
    )
    add("--limit", type=int, help="evaluate only the first so many images")
    add("--batch_size", type=int, default=8, help="images completed at once by a checkpoint (default: 8)")
    add("--padding", choices=("SAME", "SYMMETRIC", "REFLECT"), help="border of the convolutions (default: as trained)")
    add(
        "--strategy",
        dest="strategies",
        nargs="+",
        choices=("auto", "exact", "crop", "resize", "refine"),
        default=["exact"],
        help="of completing, as test.py takes it; of several, each checkpoint is measured with each (default: exact)",
    )
    add(
        "--residuals",
        type=float,
        nargs="+",
        default=[None],
        metavar="STRENGTH",
        help="as test.py takes them; of several, each checkpoint is measured with each (default: as the weights say)",
    )
    add(
        "--texture",
        dest="textures",
        nargs="+",
        choices=("none", "patches"),
        default=[None],
        help="as test.py takes it; of several, each checkpoint is measured with each (default: as the weights say)",
    )
    add(
        "--trust_saved_model",
        action="store_true",
        help="take SavedModels that this project did not export, too: they run whatever they contain, which can write "
        "files and more, so only if you trust who made them",
    )
    add("--inception_weights", metavar="FILE", help="for FID: Keras' InceptionV3 weights without top, or download")
    add("--vgg_weights", metavar="FILE", help="for vgg_distance: Keras' VGG16 weights without top, or download")
    add("--lpips_trunk", metavar="FILE", help="for lpips: torchvision's weights of AlexNet or VGG16")
    add("--restart", action="store_true", help="drop what an earlier evaluation has left in --output")
    add("--shard", metavar="I/N", help="measure only the shard of machine I of N: every N-th image from the I-th on")
    add(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="measure on the Ray cluster at an address, at RAY_ADDRESS, or on this machine; --output is shared by all",
    )
    add("--actors", type=int, metavar="N", help="with --ray: how many measure at a time (default: one a GPU or node)")
    add("--export_tasks", metavar="DIR", help="only write images and masks of the protocol, for other programs")
    return parser


if __name__ == "__main__":
    cli.run(main)
