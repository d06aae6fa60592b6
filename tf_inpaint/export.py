"""The command `python -m tf_inpaint.export`: a trained model as a SavedModel for TensorFlow Serving, or as a file."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import secrets
import shutil

import tf_inpaint
from tf_inpaint import cli
from tf_inpaint.checkpoints import (
    DEFAULT_WEIGHTS,
    SMALL_WEIGHTS,
    TERMS,
    WITH_ATTENTION,
    default_weights,
    open_checkpoint,
)
from tf_inpaint.checkpoints.locate import EXTRA_FOLDER, NOTES_FILE, versions
from tf_inpaint.checkpoints.npz import ENDING, About, write_weight_file
from tf_inpaint.errors import InputError
from tf_inpaint.inference.engine import SERVED
from tf_inpaint.io.atomic import write_whole

FORMATS = ("saved_model", "tflite", "onnx", "web", "npz")
_PRECISIONS = ("float32", "bfloat16", "float16")
MAX_PIXELS = 1 << 20  # larger images would keep a server's other guests waiting
MAX_MEMORY = "4G"  # of the server, whatever this machine has


def main(argv) -> int:
    """Runs the command; returns its exit code (see `tf_inpaint.cli`)."""
    args = _arguments(argv)
    weights = None
    if not args.checkpoint_dir:
        weights = SMALL_WEIGHTS if args.format == "web" else default_weights(args.residuals, stages=args.with_outputs)
    checkpoint = open_checkpoint(args.checkpoint_dir, weights)
    checkpoint.refuse_exported()
    cli.import_tensorflow()
    from tf_inpaint.inference.inpainter import Inpainter

    inpainter = Inpainter.load(
        checkpoint,
        padding=args.padding,
        max_pixels=args.max_pixels or MAX_PIXELS,
        max_memory=args.max_memory,
        residuals=args.residuals,
        texture=args.texture,
    )
    print(inpainter.origin)
    if inpainter.takes_edges and args.format not in ("npz", "web"):
        edges = with_edges(inpainter, args.edges)
        print("every request brings edges (--edges no: none)" if edges else "takes no edges (--edges yes: takes them)")
    if args.format == "saved_model":
        if inpainter.residuals:
            print("residuals: in the graph; huge holes that test.py resizes get none of what shrinking loses")
        print(export(inpainter, args.output, args.precision, args.size, args.with_outputs, args.edges))
    elif args.format == "npz":
        export_weights(inpainter, args.output, args.about, half=args.precision == "float16")
        print(f"{args.output}: {os.path.getsize(args.output) / 1e6:.1f} MB, for --checkpoint_dir")
    elif args.format == "web":
        size = export_page(inpainter, args.output, args.runtime)
        print(f"{args.output}: {size / 1e6:.1f} MB, for any static host: python -m http.server -d {args.output}")
    else:
        difference = export_file(inpainter, args.output, args.format, args.size, args.precision, args.edges)
        print(f"{args.output}: predictions differ by at most {difference:.2g} from the network's, which are in [-1, 1]")
    return cli.DONE


def export(inpainter, output: str, precision: str = "float32", size=None, outputs=(), edges: bool | None = None) -> str:
    """Writes a model as the next version of a SavedModel.

    Args:
        inpainter: an `Inpainter`; its limits of pixels and memory become the model's.
        output: folder of the model, `<output>/1/`, `<output>/2/`, ... are its versions.
        precision, size, outputs: as `serving.signatures.ServedModel` takes them.
        edges: whether its signatures take edges; None is as `with_edges` says.
    Returns:
        The folder of the version.
    Raises:
        InputError: if this model cannot be exported so, or not be written there.
    """
    import tensorflow as tf

    from tf_inpaint.serving.signatures import ServedModel
    from tf_inpaint.serving.warmup import write_warmup

    max_pixels = inpainter.max_pixels or MAX_PIXELS
    _check(inpainter, max_pixels, size, outputs)
    suits = {"residuals": inpainter.residuals, "texture": inpainter.texture}
    guided = with_edges(inpainter, edges)
    model = ServedModel(inpainter.recipe, max_pixels, precision, size, outputs, **suits, edges=guided)
    notes = {
        "tf_inpaint": tf_inpaint.__version__,
        "tensorflow": tf.__version__,
        "origin": inpainter.origin,
        "weights": precision,
        "arithmetic": "float32",
        "size": size,
        "fixed_size": inpainter.engine.fixed_size,
        "whole_pixels": inpainter.engine.whole_pixels,
        "trained_size": inpainter.trained_size,
        "max_pixels": max_pixels,
        "guided": model.guided,
        **suits,
    }

    def write(folder):
        signatures = model.signatures()
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(model.root, folder, signatures, options)
        extra = os.path.join(folder, EXTRA_FOLDER)
        os.makedirs(extra)
        with open(os.path.join(extra, NOTES_FILE), "w", encoding="utf-8") as file:
            json.dump(notes, file, indent=2)
        write_warmup(extra, os.path.basename(os.path.abspath(output)), model.guided, max_pixels, size)

    return _write_version(output, write)


def export_weights(inpainter, output: str, text: str = "", half: bool = True) -> None:
    """Writes a generator's weights, averaged ones where a run kept them, into one file that `--checkpoint_dir` takes.

    Args:
        inpainter: an `Inpainter`.
        output: the file, which ends in .npz; one of that name is replaced.
        text: one line that says what they are, for `--list_weights`.
        half: keep them as float16, which changes a completion by a level here and there.
    Raises:
        InputError: if this model completes with its discriminator too, or the file cannot be written there.
    """
    from tf_inpaint.models.weights import named_weights
    from tf_inpaint.recipes import RECIPES

    recipe = inpainter.recipe
    if recipe.completes_with_critic:
        raise InputError("this model completes with its discriminator too, which such a file does not hold")
    weights = {name: weight.numpy() for name, weight in named_weights(recipe.generator).items()}
    name = next(name for name, kind in RECIPES.items() if isinstance(recipe, kind))
    options = dataclasses.asdict(recipe.options)
    suits = {"residuals": inpainter.residuals, "texture": inpainter.texture, "edges_drop": inpainter.edges_drop}
    about = About(name, options, inpainter.trained_size, text, **suits)
    write_weight_file(output, weights, about, half)


def export_page(inpainter, output: str, runtime: str | None = None) -> int:
    """Writes the page of `guided_demo.py --web` with a model in it, which runs in the visitor's browser.

    Args:
        inpainter: an `Inpainter` of images of any size.
        output: folder for a static host.
        runtime: folder of the npm package `onnxruntime-web`, which is copied; None lets the page load a pinned version
            from a public network.
    Returns:
        Bytes of model and page, without the runtime.
    Raises:
        InputError: if this model cannot run there, or the folder not be written.
    """
    from tf_inpaint.demo import site
    from tf_inpaint.serving import lite

    found = site.find_runtime(runtime)
    if inpainter.recipe.generator.fixed_size is not None:
        raise InputError("this network takes images of one size: the page, which cuts windows of any, cannot use it")
    _check_file(inpainter, (site.LARGEST, site.LARGEST))
    texture = lite.texture_to_onnx() if inpainter.texture != "none" else None
    inpainter = copy.copy(inpainter)
    inpainter.texture = "none"  # of the network's model: the page has one of textures, for windows of their own
    model, _ = lite.to_onnx(inpainter, half=True)
    about = {
        "title": "tf_inpaint",
        "origin": inpainter.origin,
        "guided": inpainter.takes_edges,
        "contract": lite.contract(inpainter),
        "beside": lite.BESIDE,
    }
    image, mask = site.example()
    edges = {"edges": 0 * mask} if inpainter.takes_edges else {}
    expected = lite.graph_of(inpainter)(image=image, mask=mask, **edges)["drawn"].numpy()
    return site.write_site(output, model, about, expected, found, texture)


def export_file(
    inpainter, output: str, kind: str, size=None, precision: str = "float32", edges: bool | None = None
) -> float:
    """Writes a model as a file of TensorFlow Lite or ONNX, whose inputs `serving.lite` tells.

    A network of one image size is written as it is, without a window around the hole: for images of its size with
    holes where it was trained on them.

    Args:
        inpainter: an `Inpainter`.
        output: the file; one of that name is replaced.
        kind: "tflite" or "onnx".
        size: (height, width); of ONNX None is any.
        precision: how weights are kept, "float32" or "float16"; arithmetic is in float32.
        edges: as `export` takes it.
    Returns:
        Largest difference of its predictions from the network's.
    Raises:
        InputError: if this model cannot be exported so, or the file not be written there.
    """
    from tf_inpaint.serving import lite

    _check_file(inpainter, size)
    side = inpainter.recipe.generator.fixed_size
    if side is not None and tuple(size or ()) != (side, side):
        raise InputError(f"this network takes images of one size: --size {side} {side}")
    convert = lite.to_tflite if kind == "tflite" else lite.to_onnx
    contents, difference = convert(inpainter, size, precision == "float16", with_edges(inpainter, edges))
    write_whole(output, contents)
    return difference


def with_edges(inpainter, asked):
    """Whether an export takes edges: as asked for. With None, a guided model that was not mostly trained without them:
    a request has to bring all inputs of its signature."""
    if asked and not inpainter.takes_edges:
        raise InputError("this model is not guided: leave out --edges")
    return inpainter.takes_edges and (inpainter.edges_drop <= 0.5 if asked is None else asked)


def _check_file(inpainter, size):
    if inpainter.recipe.draws:
        raise InputError(
            "this model draws value by value, which such files have no operations for: use --format saved_model"
        )
    _check(inpainter, size[0] * size[1] if size else inpainter.max_pixels or MAX_PIXELS, size, ())


def _check(inpainter, max_pixels, size, outputs):
    recipe = inpainter.recipe
    if recipe.completes_with_critic or recipe.blending:
        raise InputError(
            "this model completes by a search of many steps, and blends outside of TensorFlow: it cannot be served, "
            "use test.py"
        )
    if size is not None and size[0] * size[1] > max_pixels:
        raise InputError(
            f"--size {size[0]} {size[1]} is more than the limit of {max_pixels} pixels: raise --max_pixels"
        )
    if size is not None and inpainter.engine.in_pieces(*size):
        raise InputError(
            f"--size {size[0]} {size[1]} is too thin to be completed at once: use test.py, which does it piece by piece"
        )
    largest = size or (round(max_pixels**0.5),) * 2
    needed = inpainter.engine.memory(*largest)  # what is exported sees all of an image
    if needed > inpainter.engine.max_memory:
        raise InputError(
            f"images of {largest[1]} x {largest[0]} pixels would take about {needed / 2**30:.1f} GiB of memory: "
            "raise --max_memory or lower --max_pixels"
        )
    for name in outputs:
        if SERVED[name] not in inpainter.engine.images:
            raise InputError(f"this model has no {name}: leave it out of --with_outputs, or export {WITH_ATTENTION}")


def _write_version(folder: str, write) -> str:
    """Lets `write(path)` fill a folder under a name that servers pass over; returns the version that it becomes."""
    unfinished = os.path.join(folder, f".unfinished-{secrets.token_hex(6)}")
    try:
        os.makedirs(folder, exist_ok=True)
        write(unfinished)
        while True:
            version = os.path.join(folder, str(max(versions(folder), default=0) + 1))
            try:
                os.rename(unfinished, version)
                return version
            except OSError:
                if not os.path.exists(version):  # else another export was quicker
                    raise
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"{folder} is not a folder: the versions of a model are numbered folders within one"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _arguments(argv):
    parser = cli.Parser(prog="python -m tf_inpaint.export", description="Export a trained model for serving.")
    add = parser.add_argument
    add(
        "--checkpoint_dir",
        help="a run folder of train.py, the authors' checkpoint, or weights that ship by their name (default: "
        f"{DEFAULT_WEIGHTS}, or {WITH_ATTENTION} for --with_outputs and --residuals; of web {SMALL_WEIGHTS}, to load "
        "quickly)",
    )
    add(
        "--output",
        required=True,
        help="folder of the model, to which a version is added: <output>/1, ...; a .tflite, .onnx or .npz file; or the "
        "folder of a static page",
    )
    add(
        "--format",
        choices=FORMATS,
        default="saved_model",
        help="tflite and onnx are files, npz the weights alone, for --checkpoint_dir, web a page that completes in the "
        f"visitor's browser, by {SMALL_WEIGHTS} unless you say otherwise: {TERMS[SMALL_WEIGHTS]}",
    )
    add(
        "--precision",
        choices=_PRECISIONS,
        help="how weights are kept; arithmetic is in float32 (default: float32; of npz float16)",
    )
    add("--about", default="", help="with --format npz: one line that says what these weights are")
    add("--size", type=int, nargs=2, metavar=("H", "W"), help="images of this size alone (default: any, but of tflite)")
    add(
        "--runtime",
        metavar="FOLDER",
        help="with --format web: the npm package onnxruntime-web, to be copied (default: the page loads it from a "
        "public network)",
    )
    add("--with_outputs", nargs="+", choices=SERVED, default=[], help="further outputs of both signatures")
    add(
        "--edges",
        choices=("yes", "no"),
        help="whether requests to a guided model bring edges (default: yes, but to one that was mostly trained without "
        f"them, as {DEFAULT_WEIGHTS} was)",
    )
    add("--padding", choices=("SAME", "SYMMETRIC", "REFLECT"), help="border of the convolutions (default: as trained)")
    add(
        "--residuals",
        type=float,
        metavar="STRENGTH",
        help="fine detail from where attention looked, 0 to 1; an .npz file keeps it as what suits its weights "
        "(default: as the weights say)",
    )
    add(
        "--texture",
        choices=("none", "patches"),
        help="what is drawn into holes, as of test.py; an .npz file keeps it as what suits its weights (default: as "
        "the weights say)",
    )
    add("--max_pixels", type=int, help="largest image accepted, height x width (default: 1024 x 1024)")
    add("--max_memory", default=MAX_MEMORY, help="how much memory completing may take (default: 4G); more is quicker")
    args = parser.parse_args(argv)

    if args.size and min(args.size) < 1:
        parser.error("--size must be two positive numbers, height and width")
    if args.format == "npz":
        if args.size or args.with_outputs or args.precision == "bfloat16" or not args.output.endswith(ENDING):
            parser.error("--format npz is for an --output that ends in .npz, float16 or float32, and nothing else")
    elif args.format == "web":
        if args.size or args.with_outputs or args.precision:
            parser.error("--format web is for images of any size, float16, and has no further outputs")
    elif args.format != "saved_model":
        if args.size is None and args.format == "tflite":
            parser.error("--format tflite needs a --size")
        if args.with_outputs or args.precision == "bfloat16":
            parser.error(f"--format {args.format} has no further outputs, and not all of the precisions")
        if not args.output.endswith(f".{args.format}"):
            parser.error(f"--output must end in .{args.format}")
    if args.edges and args.format in ("npz", "web"):
        parser.error("--edges is not for --format npz, which keeps the network, nor web, whose page has them")
    if args.runtime and args.format != "web":
        parser.error("--runtime is for --format web")
    if args.about and args.format != "npz":
        parser.error("--about is for --format npz")
    if args.max_pixels is not None and args.format in ("npz", "web"):
        parser.error("--max_pixels is not for --format npz, which keeps the network, nor web, which takes any picture")
    if args.max_pixels is not None and args.max_pixels < 1:
        parser.error(f"--max_pixels must be at least 1, not {args.max_pixels}")
    args.size = tuple(args.size) if args.size else None
    args.edges = None if args.edges is None else args.edges == "yes"
    args.precision = args.precision or ("float16" if args.format == "npz" else "float32")
    return args


if __name__ == "__main__":
    cli.run(main)
