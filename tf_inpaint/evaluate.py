"""The command `python -m tf_inpaint.evaluate`: measure checkpoints, baselines and others' completions by one ruler."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tf_inpaint import cli
from tf_inpaint.evaluation import PROTOCOLS, evaluate
from tf_inpaint.evaluation.methods import BASELINES
from tf_inpaint.evaluation.run import export_tasks
from tf_inpaint.evaluation.table import bins_table, terminal_table
from tf_inpaint.io.shards import Shard

_FIT_NOTES = {"crop": "", "stretch": ", of the whole picture squashed to a square"}


def main(argv: Sequence[str]) -> int:
    """Evaluates, prints the table, and returns the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    shared = {
        "protocol": args.protocol,
        "size": args.size,
        "seed": args.seed,
        "masks": args.masks,
        "invert_masks": args.invert_masks,
        "limit": args.limit,
    }
    images = args.images[0] if len(args.images) == 1 else args.images
    part = Shard.parse(args.shard)
    if args.export_tasks:
        if not part.whole:
            parser.error("--export_tasks writes all tasks: leave out --shard")
        written, left_out = export_tasks(images, args.export_tasks, **shared)
        print(f"{written} pictures and masks in {args.export_tasks}")
        return _report_left_out(left_out)
    if args.output is None:
        parser.error("give --output")
    bar = _Bar()
    try:
        results = evaluate(
            images,
            args.output,
            checkpoints=args.checkpoint_dir,
            baselines=[] if args.baselines == ["none"] else args.baselines,
            completions=args.completions,
            batch_size=args.batch_size,
            padding=args.padding,
            strategies=args.strategy,
            residuals=args.residuals,
            inception_weights=args.inception_weights,
            vgg_weights=args.vgg_weights,
            restart=args.restart,
            shard=args.shard,
            progress=bar,
            **shared,
        )
    finally:
        bar.end()
    if not part.whole:
        count = results["pictures"]["count"]
        print(
            f"part {part}: {count} picture{'' if count == 1 else 's'} measured, numbers in {args.output}; "
            "once all parts are there, the same command without --shard makes the results"
        )
        return _report_left_out(results["pictures"]["left_out"])
    print(terminal_table(results))
    by_share = bins_table(results, "psnr")
    if by_share:
        print(f"\n{by_share}")
    print(f"\n{args.output}: report.html, results.json, results.csv, per_image.csv, sheet.png, plots")
    return _report_left_out(results["pictures"]["left_out"])


def _report_left_out(left_out):
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    return cli.SOME_FAILED if left_out else cli.DONE


class _Bar:
    """Progress on stderr: a line that rewrites itself on a screen, a line every tenth elsewhere."""

    def __init__(self):
        self._started, self._first, self._tenth, self._open = None, 0, -1, False

    def __call__(self, done: int, total: int) -> None:
        if self._started is None:
            self._started, self._first = time.monotonic(), done
        passed = time.monotonic() - self._started
        rate = (done - self._first) / passed if passed > 0 else 0.0
        left = f", {_duration((total - done) / rate)} left" if rate and done < total else ""
        speed = f", {rate:.1f} a second" if rate else ""
        text = f"{done} of {total} pictures{speed}{left}"
        if sys.stderr.isatty():
            print(f"\r{text:<70}", end="", file=sys.stderr, flush=True)
            self._open = True
        elif done * 10 // max(total, 1) != self._tenth:
            self._tenth = done * 10 // max(total, 1)
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leaves the line."""
        if self._open:
            print(file=sys.stderr)
            self._open = False


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def _parser() -> cli.Parser:
    protocols = "\n".join(f"  {name:<20}  {each.holes}{_FIT_NOTES[each.fit]}" for name, each in PROTOCOLS.items())
    parser = cli.Parser(
        prog="python -m tf_inpaint.evaluate",
        description="Complete pictures by a protocol with several methods and measure them all alike.",
        epilog=f"protocols:\n{protocols}\n\nSee docs/evaluation.md for the formulas.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--images", nargs="+", required=True, help="pictures: folders, globs, lists or CSVs")
    add("--protocol", required=True, choices=PROTOCOLS, metavar="NAME", help="see below")
    add("--output", help="folder for the results; the same command goes on with what is there")
    add(
        "--checkpoint_dir",
        nargs="+",
        default=[],
        metavar="[NAME=]D",
        help="run folders, names of weights that came with the package, or the authors' checkpoints",
    )
    add(
        "--baselines",
        nargs="+",
        default=list(BASELINES),
        metavar="NAME",
        help=f"of {', '.join(BASELINES)}; or none (default: all)",
    )
    add("--completions", nargs="+", default=[], metavar="[NAME=]DIR", help="folders of completions of other programs")
    add("--size", type=int, help="side of the pictures (default: the protocol's)")
    add("--seed", type=int, help="draws other holes (default: the protocol's)")
    add("--masks", help="for from_files: mask files, white = hole; a folder, a glob or a list")
    add("--invert_masks", action="store_true", help="the holes of --masks are black")
    add("--limit", type=int, help="evaluate only the first so many pictures")
    add("--batch_size", type=int, default=8, help="pictures completed at once by a checkpoint (default: 8)")
    add("--padding", choices=("SAME", "SYMMETRIC", "REFLECT"), help="border of the convolutions (default: as trained)")
    add(
        "--strategy",
        nargs="+",
        choices=("exact", "crop", "resize"),
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
    add("--inception_weights", metavar="FILE", help="for FID: Keras' InceptionV3 weights without top, or download")
    add("--vgg_weights", metavar="FILE", help="for vgg_distance: Keras' VGG16 weights without top, or download")
    add("--restart", action="store_true", help="drop what an earlier evaluation has left in --output")
    add("--shard", metavar="I/N", help="measure only the part of machine I of N: every N-th picture from the I-th on")
    add("--export_tasks", metavar="DIR", help="only write pictures and masks of the protocol, for other programs")
    return parser


if __name__ == "__main__":
    cli.run(main)
