"""The options by which test.py and guided_demo.py choose a model, and the model that they choose."""

from __future__ import annotations

import contextlib
import os

from tf_inpaint import cli
from tf_inpaint.checkpoints import DEFAULT_WEIGHTS, TERMS, WITH_ATTENTION, default_weights
from tf_inpaint.errors import InputError
from tf_inpaint.inference.blending import BLENDINGS

# Operations at once. Each such thread of TensorFlow's keeps what it prepared for 1,024 shapes of a kind: images of
# many sizes would take a gigabyte for every two. A network's layers follow one another, and use all cores within.
_THREADS = 2
_LARGEST_SEED = 2**31 - 1_000  # with room for samples


def choose_weights(args, stages: bool = False) -> None:
    """Names weights where nobody did; `stages` as `default_weights` takes it."""
    if not args.checkpoint_dir and not args.weights:
        args.weights = default_weights(args.residuals, args.attention, stages)


def add_model_options(parser: cli.Parser, most: str = "any") -> None:
    """Adds the options; `most` says how many pixels are taken by default."""
    add = parser.add_argument
    add(
        "--checkpoint_dir",
        help="a run folder of train.py, a .npz of its weights, a checkpoint of the authors, or an exported model",
    )
    add(
        "--weights",
        help=f"name of weights that came with the package (default: {DEFAULT_WEIGHTS}, or {WITH_ATTENTION} for what it "
        f"alone has: a first stage, attention to show or to do coarsely, residuals; {TERMS[WITH_ATTENTION]})",
    )
    add("--list_weights", action="store_true", help="only tell which weights came with the package")
    add(
        "--padding",
        choices=("SAME", "SYMMETRIC", "REFLECT"),
        help="border of the convolutions (default: as trained; SAME for checkpoints of the authors)",
    )
    add("--max_pixels", type=int, help=f"largest image accepted, height x width (default: {most})")
    add(
        "--residuals",
        type=float,
        metavar="STRENGTH",
        help="fine detail for the hole, 0 to 1, taken from where attention looked; 0 is what the network draws "
        "(default: as the weights say)",
    )
    add(
        "--attention",
        choices=("exact", "coarse"),
        help="coarse lets contextual attention match every second row and column only, and paste patches twice as "
        "large: several times as fast in images of 1024 x 1024 and more, for somewhat worse matches; where no weights "
        f"are named it takes {WITH_ATTENTION} (default: exact)",
    )
    add(
        "--texture",
        choices=("none", "patches"),
        help="patches draws holes anew from patches of the image, guided by the network: sharp where that is smooth, "
        "as in wide holes; half a second or so an image (default: as the weights say)",
    )
    add(
        "--blend",
        choices=tuple(BLENDINGS),
        help="bring the hole to the colours around it, at its rim or all through, or to what fast marching fills it "
        "with (default: as the model does, or none)",
    )
    add(
        "--temperature",
        type=float,
        help="for models that draw at random: 0 draws the likeliest always (default: 1, or as trained)",
    )
    add("--seed", type=int, help="for models that draw at random: other numbers draw other completions (default: 0)")
    add(
        "--trust_saved_model",
        action="store_true",
        help="take a SavedModel that this project did not export, too: it runs whatever it contains, which can write "
        "files and more, so only if you trust who made it",
    )


def model_options() -> list[str]:
    """The names of the options."""
    parser = cli.Parser()
    add_model_options(parser)
    return [*vars(parser.parse_args([]))]


def load_inpainter(checkpoint, args, **limits):
    """The `Inpainter` of a checkpoint by these options, whose origin it prints; `limits` as in `Inpainter.load`."""
    limits = {"max_pixels": args.max_pixels, "trust_saved_model": args.trust_saved_model, **limits}
    shared = {"padding": args.padding, "residuals": args.residuals, "texture": args.texture, "blending": args.blend}
    shared.update(temperature=args.temperature, seed=args.seed, attention=args.attention or "exact")
    if args.max_pixels is not None and args.max_pixels < 1:
        raise InputError(f"--max_pixels must be at least 1, not {args.max_pixels}")
    if args.temperature is not None and not 0 <= args.temperature < float("inf"):
        raise InputError(f"--temperature must be 0 or more, not {args.temperature:g}")
    if args.seed is not None and not 0 <= args.seed <= _LARGEST_SEED:
        raise InputError(f"--seed must be 0 to {_LARGEST_SEED}, not {args.seed}")
    tensorflow = cli.import_tensorflow()
    if "TF_NUM_INTEROP_THREADS" not in os.environ:
        with contextlib.suppress(RuntimeError):  # it has begun in this process
            tensorflow.config.threading.set_inter_op_parallelism_threads(_THREADS)
    from tf_inpaint.inference.inpainter import Inpainter

    inpainter = Inpainter.load(checkpoint, **shared, **limits)
    print(inpainter.origin)
    return inpainter
