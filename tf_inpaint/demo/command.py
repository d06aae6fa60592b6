"""The command `guided_demo.py`: draw a mask and edges, see the image completed; or complete without drawing."""

from __future__ import annotations

from tf_inpaint import cli
from tf_inpaint.checkpoints import list_weights, open_checkpoint
from tf_inpaint.demo.session import EDGES, MASK, Session
from tf_inpaint.errors import InputError
from tf_inpaint.io.atomic import refuse_overwriting
from tf_inpaint.io.holes import MASK_SOURCES, read_holes
from tf_inpaint.io.images import PIXEL_LIMIT, read_image, read_mask
from tf_inpaint.ops.levels import EDGE_THRESHOLD
from tf_inpaint.predict import command as predict
from tf_inpaint.predict.jobs import Job, check_outputs, completed_name
from tf_inpaint.predict.options import add_model_options, choose_weights, load_inpainter, model_options

WHOLE_PIXELS = 1 << 20  # of larger images the network sees what is around the hole, or a painter would wait
_SESSION_BYTES_PER_PIXEL = 48  # of an image that is opened, drawn on and completed, while another one is


def main(argv) -> int:
    """Runs the command; returns its exit code (see `tf_inpaint.cli`)."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.list_weights:
        print(list_weights())
        return cli.DONE
    if args.output and not args.image:
        parser.error("--output needs --image")
    if (args.mask or args.edges) and not args.image:
        parser.error("--mask and --edges need --image")
    if args.output and args.web:
        parser.error("--output is not for --web: the browser saves what is completed")
    if not 1 <= args.port <= 65535:
        parser.error("--port must be 1 to 65535")
    if args.image and args.mask and args.output:
        return predict.main(_as_test(args))

    choose_weights(args)
    checkpoint = open_checkpoint(args.checkpoint_dir, args.weights)
    if args.web:
        from tf_inpaint.demo import web as face

        face.check_installed()
    elif not args.image:
        raise InputError("which image? give --image for the window, or --web to choose one in the browser")
    prepare = _read(args)
    output = args.output or completed_name(args.image or "")
    if not args.web:
        from tf_inpaint.demo import window as face

        check_outputs([Job(args.image, args.mask, output, args.edges)])
        given = {MASK: args.mask, EDGES: args.edges}
        for layer, file in face.layer_files(output).items():  # one that was saved, and is gone on with, is saved again
            others = (path for other, path in given.items() if other != layer)
            refuse_overwriting([file], [args.image, *others])
        face.check_display()
    inpainter = load_inpainter(checkpoint, args, exact_pixels=WHOLE_PIXELS)
    inpainter.max_pixels = args.max_pixels or _most_pixels()
    if args.web:
        face.serve(inpainter, args.host, args.port, prepare, args.mask_from)
        return cli.DONE
    session = Session(inpainter.takes_edges, inpainter.max_pixels)
    prepare(session)
    face.Window(session, inpainter, output).run()
    return cli.DONE


def _most_pixels():
    """The largest image that a quarter of the machine's memory holds, or that is read at all."""
    from tf_inpaint.inference.memory import installed_memory

    return int(min(PIXEL_LIMIT, installed_memory() / 4 / _SESSION_BYTES_PER_PIXEL))


def _parser() -> cli.Parser:
    parser = cli.Parser(
        prog="guided_demo.py",
        description="Draw a mask, and edges if the model follows them, and see the image completed.",
    )
    add = parser.add_argument
    add("--image", help="the image to begin with")
    add(
        "--mask", help="a mask to begin with (white = hole); with --image and --output it is completed without a window"
    )
    add("--mask_from", choices=MASK_SOURCES, default="auto", help="what of masks is the hole, as for test.py")
    add("--edges", help="edges to begin with (white lines), for guided models")
    add("--output", help="where the completed image is saved, a PNG (default: x_completed.png beside x)")
    add("--web", action="store_true", help="a page for the browser instead of a window")
    add("--port", type=int, default=7860, help="of the page (default: 7860)")
    add("--host", default="127.0.0.1", help="address the page listens at (default: 127.0.0.1, this machine only)")
    add_model_options(parser, "what memory allows")
    return parser


def _as_test(args) -> list[str]:
    """The arguments of the same completion by test.py."""
    given = {name: getattr(args, name) for name in ("image", "mask", "mask_from", "edges", "output", *model_options())}
    named = {name: value for name, value in given.items() if value is not None and value is not False}
    return [f"--{name}" if value is True else f"--{name}={value}" for name, value in named.items()]


def _read(args):
    """A function that puts the files named into a session; they are read at once, before TensorFlow is loaded."""
    image, mask = read_image(args.image) if args.image else None, None
    for note in image.notes if image else ():
        cli.warn(f"{args.image} {note}")
    if args.mask:
        mask, warning = read_holes(args.mask, args.mask_from)
        if warning:
            cli.warn(f"the mask {args.mask} {warning}")
    edges = read_mask(args.edges) > EDGE_THRESHOLD if args.edges else None

    def prepare(session):
        if image is not None:
            session.load(image)
        for layer, values in ((MASK, mask), (EDGES, edges)):
            if values is not None:
                session.fill(layer, values)

    return prepare
