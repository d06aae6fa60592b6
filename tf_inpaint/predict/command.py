"""The command `test.py`: complete images from files and write PNGs.

Everything that can be checked without the network is checked first, and TensorFlow is loaded only once there is an
image to complete.
"""

from __future__ import annotations

import argparse
import os

from tf_inpaint import cli
from tf_inpaint.checkpoints import Checkpoint, list_weights, open_checkpoint
from tf_inpaint.errors import InputError
from tf_inpaint.io.holes import MASK_SOURCES
from tf_inpaint.io.listing import left_out
from tf_inpaint.io.shards import Shard
from tf_inpaint.ops.holes import MOST_GROWTH
from tf_inpaint.predict.jobs import ENDINGS, Job, check_outputs, jobs_from_list, jobs_from_paths
from tf_inpaint.predict.options import add_model_options, choose_weights, load_inpainter
from tf_inpaint.predict.ray import run_on_cluster
from tf_inpaint.predict.run import Run
from tf_inpaint.predict.tasks import Reading


def main(argv) -> int:
    """Runs the command; returns its exit code (see `tf_inpaint.cli`)."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.list_weights:
        print(list_weights())
        return cli.DONE
    if args.flist is not None and (args.image or args.mask or args.edges):
        parser.error("--flist names images, masks and edges itself: leave out --image, --mask and --edges")
    if args.flist is None and not (args.image and (args.mask or args.mask_from == "alpha")):
        parser.error("give --image and --mask, or --flist; or --image and --mask_from alpha for what is transparent")
    many = args.flist is not None or os.path.isdir(args.image)
    if args.ray is None and (args.actors or args.rows):
        parser.error("--actors and --rows are for --ray")
    if args.ray is not None and (args.shard or not many):
        parser.error("--ray completes a folder or a list, and needs no --shard")
    if not many and (args.shard or args.limit):
        parser.error("--shard and --limit are for a folder or a list")
    _checked(args)
    if args.ray is not None and args.flist and args.flist.rstrip("/").endswith(".parquet"):
        return run_on_cluster(args, None)
    if args.flist:
        jobs = jobs_from_list(args.flist, args.format, args.output)
    else:
        jobs = jobs_from_paths(args.image, args.mask, args.output, args.edges, args.format)
        for sentence in left_out(args.image) if many else ():
            cli.warn(sentence)
    check_written(jobs, args)
    checkpoint = open_checkpoint(args.checkpoint_dir, args.weights)
    jobs = Shard.parse(args.shard).of(jobs)[: args.limit]
    if args.ray is not None:
        return run_on_cluster(args, jobs)
    run = run_of(args, checkpoint, args.skip_existing)
    return run.many(jobs) if many or not jobs else run.one(jobs[0])


def check_written(jobs: list[Job], args: argparse.Namespace) -> None:
    """`check_outputs` by the command's options."""
    check_outputs(jobs, args.save_coarse, args.save_attention, ENDINGS[args.format], args.samples)


def run_of(args: argparse.Namespace, checkpoint: Checkpoint, skip_existing: bool) -> Run:
    """The run that the command's options ask for."""
    return Run(
        load=lambda: load_inpainter(
            checkpoint,
            args,
            max_memory=args.max_memory,
            strategy=args.strategy,
            precision=args.precision,
        ),
        batch_size=args.batch_size,
        reading=Reading(args.invert_mask, args.mask_from, args.grow, args.fit_mask),
        quality=args.quality,
        skip_existing=skip_existing,
        save_coarse=args.save_coarse,
        save_attention=args.save_attention,
        samples=args.samples,
        verbose=args.verbose,
    )


def default_options(**options) -> argparse.Namespace:
    """The command's options, as by default but for these.

    Raises:
        TypeError: for one that it does not have.
    """
    args = _parser().parse_args([])
    for name in options:
        if name not in vars(args):
            raise TypeError(f"there is no option {name}. Received: {sorted(options)}")
    vars(args).update(options)
    _checked(args)
    return args


def _checked(args):
    if args.batch_size < 1:
        raise InputError(f"--batch_size must be at least 1, not {args.batch_size}")
    if args.samples < 0:
        raise InputError(f"--samples must be 0 or more, not {args.samples}")
    if not 0 <= args.grow <= MOST_GROWTH:
        raise InputError(f"--grow must be 0 to {MOST_GROWTH} pixels, not {args.grow}")
    if args.limit is not None and args.limit < 1:
        raise InputError(f"--limit must be at least 1, not {args.limit}")
    if args.actors is not None and args.actors < 1:
        raise InputError(f"--actors must be at least 1, not {args.actors}")
    if args.quality is not None and not 1 <= args.quality <= 100:
        raise InputError(f"--quality must be 1 to 100, not {args.quality}")
    if args.quality is not None and args.format == "png":
        raise InputError("--quality is for --format jpg and webp: PNG loses nothing")
    choose_weights(args, args.save_coarse or args.save_attention)


def _parser() -> cli.Parser:
    parser = cli.Parser(prog="test.py", description="Complete the holes of images.")
    add = parser.add_argument
    add(
        "--image",
        help="an image, or a folder of images, without those in the folders of --mask, --output, --edges below it",
    )
    add(
        "--mask",
        help="white where the hole is; or a folder, maybe that of the images, of masks named as the images, or x_mask, "
        "mask_x or x.mask for x: an image without one fails, and the others are completed",
    )
    add("--output", help="a PNG, or a folder where --image is one, or with --flist (default: x_completed.png beside x)")
    add(
        "--edges",
        help="for guided models: edges, white lines on black; or a folder of them named as the images",
    )
    add(
        "--flist",
        help="a list of lines `image mask output`, or a CSV with these columns and edges, which is the fourth of lines "
        "separated by tabs; output and edges may be left out",
    )
    add_model_options(parser)
    add("--max_memory", help="how much memory completing may take, such as 8G (default: what the machine has)")
    add(
        "--strategy",
        choices=("auto", "exact", "crop", "resize", "refine"),
        default="auto",
        help="what the network is shown: exact, the whole image; crop, what is around the hole; resize, that at the "
        "size of its training; auto, resize for holes thicker than twice that size, else exact; refine, for "
        "LaMa, bends what is predicted of a large image towards what is predicted of a smaller one (default: auto)",
    )
    add(
        "--precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        default="float32",
        help="what convolutions compute in: 16 bits are faster where a device has them (default: float32)",
    )
    add(
        "--batch_size",
        type=int,
        default=1,
        help="images of one size that are completed together, from a folder or list (default: 1)",
    )
    add("--shard", metavar="I/N", help="of a folder or list, the shard of machine I of N: every N-th from the I-th on")
    add("--limit", type=int, metavar="N", help="of a folder or list, or its shard, the first N images only")
    add(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="complete a folder or list (here also Parquet with columns image, mask, output, edges) on the Ray cluster "
        "at an address, at RAY_ADDRESS, or on this machine; goes on with what is there (pip install 'tf_inpaint[ray]')",
    )
    add("--actors", type=int, metavar="N", help="with --ray: how many complete at a time (default: one a GPU or node)")
    add("--rows", metavar="FILE", help="with --ray: .csv or .parquet, a row an image (default: rows.csv in --output)")
    add("--verbose", action="store_true", help="tell seconds per batch and image, and how many graphs were built")
    add(
        "--mask_from",
        choices=MASK_SOURCES,
        default="auto",
        help="what of a mask is the hole: light or dark, alpha (what is transparent; without --mask, in the image "
        "itself), colour (all paint on a plain or transparent ground) (default: auto, light or paint on transparency)",
    )
    add("--invert_mask", action="store_true", help="holes are black")
    add("--fit_mask", action="store_true", help="resize masks to the sizes of their images")
    add("--grow", type=int, default=0, metavar="PIXELS", help="let holes grow, for soft edges around what is removed")
    add("--format", choices=tuple(ENDINGS), default="png", help="of outputs; JPEG changes known pixels a little too")
    add("--quality", type=int, help="1 to 100, of jpg (default: 95) or webp (default: without loss)")
    add("--skip_existing", action="store_true", help="go on with a folder or list: leave out what has been written")
    add("--save_coarse", action="store_true", help="write x_coarse.png too, completed by the first stage alone")
    attended = "write x_attention.png too: where each pixel attended to, by hue its direction; white is itself"
    add("--save_attention", action="store_true", help=attended)
    add(
        "--samples",
        type=int,
        default=0,
        metavar="N",
        help="for models that draw at random: write x_samples.png too, what is given and N completions",
    )
    return parser
