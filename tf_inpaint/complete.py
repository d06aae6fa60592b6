"""The command `test.py`: complete pictures from files and write PNGs.

Everything that can be checked without the network is checked first, and TensorFlow is loaded only once there is a
picture to complete. Of many pictures, those that fail are named in a sentence each and the rest are written.
"""

from __future__ import annotations

import os
import sys

import numpy as np

from tf_inpaint import cli, pretrained
from tf_inpaint.errors import InputError
from tf_inpaint.jobs import Job, check_inputs, check_outputs, jobs_from_list, jobs_from_paths
from tf_inpaint.pictures import Picture, read_image, read_mask, write_png

EDGE_LEVEL = 0.6  # of white; brighter is a line, as in the release
LARGE_PICTURE = 1 << 21  # pixels from which memory is told beforehand
_SUSPICIOUS_COVER = 0.9


def main(argv) -> int:
    """Runs the command; returns its exit code (see `tf_inpaint.cli`)."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.list_weights:
        print(pretrained.list_weights())
        return cli.DONE
    if args.flist is not None and (args.image or args.mask or args.output or args.edges):
        parser.error(
            "--flist names pictures, masks, outputs and sketches itself: "
            "leave out --image, --mask, --output and --edges"
        )
    if args.flist is None and not (args.image and args.mask):
        parser.error("give --image and --mask, or --flist")
    if args.flist:
        jobs = jobs_from_list(args.flist)
    else:
        jobs = jobs_from_paths(args.image, args.mask, args.output, args.edges)
    check_outputs(jobs, args.save_coarse, args.save_attention)
    pretrained.locate(args.checkpoint_dir, args.weights)

    if args.flist is None and not os.path.isdir(args.image):
        return _complete_one(jobs[0], args)
    return _complete_many(jobs, args)


def read_job(job: Job, invert_mask: bool = False) -> tuple[Picture, np.ndarray, str | None]:
    """The picture and hole of a job, checked against each other.

    Returns:
        (picture, hole, warning): hole is bool [H, W]; warning is a sentence about a strange hole, or None.
    Raises:
        InputError: if a file is missing or unreadable, the sizes differ, or nothing of the picture is known.
    """
    check_inputs(job)
    picture, mask = read_image(job.image), read_mask(job.mask)
    _check_size(f"mask {job.mask}", mask, job, picture)
    hole = (mask > 127.5) != invert_mask
    cover = hole.mean()
    hint = "is --invert_mask one too many?" if invert_mask else "if its holes are black, add --invert_mask"
    if cover == 1:
        raise InputError(f"the mask {job.mask} covers the whole picture and leaves nothing to complete it from; {hint}")
    warning = None
    if cover == 0:
        warning = f"the mask {job.mask} marks no hole, so {job.output} is a copy of the picture; {hint}"
    elif cover > _SUSPICIOUS_COVER:
        warning = f"the mask {job.mask} covers {cover:.0%} of the picture: inverted? {hint}"
    return picture, hole, warning


def read_edges(job: Job, picture: Picture) -> np.ndarray | None:
    """The sketch of a job whose picture has been read: bool [H, W], True = line; None where it has none.

    Raises:
        InputError: if the file is missing or unreadable, or of another size than the picture.
    """
    if job.edges is None:
        return None
    sketch = read_mask(job.edges)
    _check_size(f"sketch {job.edges}", sketch, job, picture)
    return sketch / 255 > EDGE_LEVEL


def _check_size(what, plane, job, picture):
    (height, width), (rows, columns) = picture.rgb.shape[:2], plane.shape
    if (rows, columns) != (height, width):
        raise InputError(
            f"the {what} has {columns} x {rows} pixels, but the picture {job.image} has {width} x {height}"
        )


def restore(picture: Picture, rgb: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """A completed picture in the form of its original: grey if that was grey, with its alpha, opaque in the hole.

    Grey with alpha becomes RGBA with equal colours.

    Args:
        picture: the original.
        rgb: uint8 [H, W, 3], completed.
        hole: bool [H, W].
    Returns:
        uint8 [H, W] (grey), [H, W, 3] (RGB) or [H, W, 4] (RGBA).
    """
    if picture.grey:
        luma = np.rint(rgb @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
        grey = np.where(hole, luma, picture.rgb[..., 0])
        if picture.alpha is None:
            return grey
        rgb = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    if picture.alpha is None:
        return rgb
    return np.dstack([rgb, np.where(hole, np.uint8(255), picture.alpha)])


def _parser() -> cli.Parser:
    parser = cli.Parser(prog="test.py", description="Complete the holes of pictures.")
    add = parser.add_argument
    add("--image", help="a picture, or a folder of pictures")
    add("--mask", help="white where the hole is; or a folder of masks named as the pictures")
    add("--output", help="a PNG, or a folder where --image is one (default: x_completed.png beside x)")
    add(
        "--edges",
        help="for guided models: a sketch, white lines on black; or a folder of sketches named as the pictures",
    )
    add(
        "--flist",
        help="a list of lines `image mask output edges`, or a CSV with these columns; the last two may be left out",
    )
    add("--checkpoint_dir", help="a run folder of train.py, a .npz of its weights, or a checkpoint of the authors")
    add("--weights", help=f"name of weights that came with the package (default: {pretrained.DEFAULT_WEIGHTS})")
    add("--list_weights", action="store_true", help="only tell which weights came with the package")
    add(
        "--padding",
        choices=("SAME", "SYMMETRIC", "REFLECT"),
        help="border of the convolutions (default: as trained; SAME for checkpoints of the authors)",
    )
    add("--max_pixels", type=int, help="largest picture accepted, height x width")
    add("--max_memory", help="how much memory completing may take, such as 8G (default: what the machine has)")
    add(
        "--strategy",
        choices=("exact", "crop", "resize"),
        default="exact",
        help="for holes far larger than those of training: crop shows the network what is around the hole only, resize "
        "shows it that at the size of its training (default: exact, the whole picture)",
    )
    add("--invert_mask", action="store_true", help="holes are black")
    add("--save_coarse", action="store_true", help="write x_coarse.png too, completed by the first stage alone")
    add("--save_attention", action="store_true", help="write x_attention.png too: what each place attended to")
    return parser


def _complete_one(job: Job, args) -> int:
    picture, hole, warning = read_job(job, args.invert_mask)
    edges = read_edges(job, picture)
    if warning:
        cli.warn(warning)
    _write(job, picture, hole, edges, _load(args), args)
    print(job.output)
    return cli.DONE


def _complete_many(jobs: list[Job], args) -> int:
    """Completes what can be completed; sentences come after the progress bar, which they would tear."""
    ready, sentences = [], []
    for job in jobs:
        try:
            check_inputs(job)
            ready.append(job)
        except InputError as error:
            sentences.append(f"failed: {error}")
    done = 0
    try:
        for job, inpainter in _with_progress(ready, args):
            try:
                picture, hole, warning = read_job(job, args.invert_mask)
                if warning:
                    sentences.append(f"warning: {warning}")
                _write(job, picture, hole, read_edges(job, picture), inpainter, args)
                done += 1
            except InputError as error:
                sentences.append(f"failed: {error}")
    finally:
        for sentence in sentences:
            print(sentence, file=sys.stderr)
    print(f"{done} of {len(jobs)} pictures completed")
    return cli.DONE if done == len(jobs) else cli.SOME_FAILED


def _with_progress(jobs: list[Job], args):
    """Each job with the Inpainter, a progress bar advancing; loads nothing where there is no job."""
    if not jobs:
        return
    inpainter = _load(args)
    bar = cli.import_tensorflow().keras.utils.Progbar(len(jobs), unit_name="picture")
    for job in jobs:
        yield job, inpainter
        bar.add(1)


def _load(args):
    cli.import_tensorflow()
    from tf_inpaint.inference import Inpainter

    inpainter = Inpainter.load(
        args.checkpoint_dir,
        args.weights,
        padding=args.padding,
        max_pixels=args.max_pixels,
        max_memory=args.max_memory,
        strategy=args.strategy,
    )
    print(inpainter.origin)
    return inpainter


def _write(job: Job, picture: Picture, hole: np.ndarray, edges, inpainter, args) -> None:
    if edges is not None and not inpainter.takes_edges:
        raise InputError(f"{job.image}: this model follows no sketch: leave out {job.edges}, or take a guided model")
    height, width = hole.shape
    needed = inpainter.memory(height, width)
    if height * width >= LARGE_PICTURE and inpainter.strategy == "exact" and needed is not None:
        print(f"{job.image}: {width} x {height} pixels, about {needed / 2**30:.1f} GiB of memory", flush=True)
    try:
        outputs = inpainter.outputs(picture.rgb, hole, edges)
    except InputError as error:
        raise InputError(f"{job.image}: {error}") from error
    files = {job.output: restore(picture, outputs["completed"], hole)}
    for wanted, name, path in (
        (args.save_coarse, "coarse", job.coarse_output),
        (args.save_attention, "attention", job.attention_output),
    ):
        if wanted and name not in outputs:
            raise InputError(f"{job.image}: this model has no {name} picture: leave out --save_{name}")
        if wanted:
            files[path] = outputs[name] if name == "attention" else restore(picture, outputs[name], hole)
    for path, array in files.items():
        write_png(path, array)
