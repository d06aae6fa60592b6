"""The command `test.py`: complete pictures from files and write PNGs.

Everything that can be checked without the network is checked first, and TensorFlow is loaded only once there is a
picture to complete. Of many pictures, those that fail are named in a sentence each and the rest are written.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass

import numpy as np

from tf_inpaint import cli
from tf_inpaint.checkpoints import DEFAULT_WEIGHTS, GUIDED_WEIGHTS, list_weights, open_checkpoint
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import ImageFile, read_image, read_mask, restore, write_png
from tf_inpaint.io.shards import Shard
from tf_inpaint.ops.levels import EDGE_THRESHOLD, MASK_THRESHOLD
from tf_inpaint.predict.batches import grouped
from tf_inpaint.predict.jobs import Job, check_inputs, check_outputs, jobs_from_list, jobs_from_paths

LARGE_PICTURE = 1 << 21  # pixels from which memory is told beforehand
_SUSPICIOUS_COVER = 0.9
_LOOK_AHEAD = 4  # batches' worth of pictures that may be held to be completed together


def main(argv) -> int:
    """Runs the command; returns its exit code (see `tf_inpaint.cli`)."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.list_weights:
        print(list_weights())
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
    if args.batch_size < 1:
        raise InputError(f"--batch_size must be at least 1, not {args.batch_size}")
    check_outputs(jobs, args.save_coarse, args.save_attention)
    sketched = any(job.edges is not None for job in jobs)
    args.checkpoint = open_checkpoint(args.checkpoint_dir, args.weights, guided=sketched)
    jobs = Shard.parse(args.shard).of(jobs)

    if args.flist is None and not os.path.isdir(args.image) and jobs:
        return _complete_one(jobs[0], args)
    return _complete_many(jobs, args)


def read_job(job: Job, invert_mask: bool = False) -> tuple[ImageFile, np.ndarray, str | None]:
    """The picture and hole of a job, checked against each other.

    Returns:
        (picture, hole, warning): hole is bool [H, W]; warning is a sentence about a strange hole, or None.
    Raises:
        InputError: if a file is missing or unreadable, the sizes differ, or nothing of the picture is known.
    """
    check_inputs(job)
    picture, mask = read_image(job.image), read_mask(job.mask)
    _check_size(f"mask {job.mask}", mask, job, picture)
    hole = (mask > MASK_THRESHOLD) != invert_mask
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


def read_edges(job: Job, picture: ImageFile) -> np.ndarray | None:
    """The sketch of a job whose picture has been read: bool [H, W], True = line; None where it has none.

    Raises:
        InputError: if the file is missing or unreadable, or of another size than the picture.
    """
    if job.edges is None:
        return None
    sketch = read_mask(job.edges)
    _check_size(f"sketch {job.edges}", sketch, job, picture)
    return sketch > EDGE_THRESHOLD


def _check_size(what, plane, job, picture):
    (height, width), (rows, columns) = picture.rgb.shape[:2], plane.shape
    if (rows, columns) != (height, width):
        raise InputError(
            f"the {what} has {columns} x {rows} pixels, but the picture {job.image} has {width} x {height}"
        )


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
    add(
        "--weights",
        help=f"name of weights that came with the package (default: {DEFAULT_WEIGHTS}, or "
        f"{GUIDED_WEIGHTS} with sketches)",
    )
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
    add(
        "--precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        default="float32",
        help="what convolutions compute in: 16 bits are faster where a device has them (default: float32)",
    )
    add(
        "--residuals",
        type=float,
        metavar="STRENGTH",
        help="fine detail for the hole, 0 to 1, taken from where attention looked; 0 is what the network draws "
        "(default: as the weights say)",
    )
    add(
        "--batch_size",
        type=int,
        default=1,
        help="pictures of one size that are completed together, from a folder or list (default: 1)",
    )
    add("--shard", metavar="I/N", help="of a folder or list, the part of machine I of N: every N-th from the I-th on")
    add("--verbose", action="store_true", help="tell seconds per batch and picture, and how many graphs were built")
    add("--invert_mask", action="store_true", help="holes are black")
    add("--save_coarse", action="store_true", help="write x_coarse.png too, completed by the first stage alone")
    add("--save_attention", action="store_true", help="write x_attention.png too: what each place attended to")
    return parser


@dataclass(frozen=True)
class _Work:
    """What was read for a job."""

    job: Job
    picture: ImageFile
    hole: np.ndarray
    edges: np.ndarray | None


def _complete_one(job: Job, args) -> int:
    warnings = []
    work = _read(job, warnings, args)
    for warning in warnings:
        cli.warn(warning)
    inpainter = _load(args)
    _write(work, _outputs([work], inpainter, args)[0], args)
    print(job.output)
    if args.verbose:
        print(f"graphs built: {inpainter.graphs}")
    return cli.DONE


def _complete_many(jobs: list[Job], args) -> int:
    """Completes what can be completed; sentences come after the progress bar, which they would tear."""
    ready, sentences = [], {job.output: [] for job in jobs}
    for job in jobs:
        try:
            check_inputs(job)
            ready.append(job)
        except InputError as error:
            sentences[job.output].append(f"failed: {error}")
    done = 0
    try:
        if ready:
            done = _complete_ready(ready, sentences, args)
    finally:
        for sentence in (each for job in jobs for each in sentences[job.output]):
            print(sentence, file=sys.stderr)
    print(f"{done} of {len(jobs)} pictures completed")
    return cli.DONE if done == len(jobs) else cli.SOME_FAILED


def _complete_ready(jobs: list[Job], sentences: dict[str, list[str]], args) -> int:
    """How many jobs were done, in batches; of the others it adds a sentence to those of their output."""
    inpainter = _load(args)
    bar = cli.import_tensorflow().keras.utils.Progbar(len(jobs), unit_name="picture")
    begin, done, batches = time.perf_counter(), 0, 0

    def works():
        for job in jobs:
            warnings = []
            try:
                yield _read(job, warnings, args)
            except InputError as error:
                sentences[job.output].append(f"failed: {error}")
                bar.add(1)
            sentences[job.output] += [f"warning: {warning}" for warning in warnings]

    def size(work):
        return inpainter.joint_size(*work.hole.shape) if args.batch_size > 1 else None

    def most(size):
        return inpainter.most_at_once(*size, args.batch_size)

    for batch in grouped(works(), size, most, _LOOK_AHEAD * args.batch_size):
        done += _complete_batch(batch, inpainter, sentences, args)
        batches += 1
        bar.add(len(batch))
    if args.verbose:
        seconds = time.perf_counter() - begin
        print(f"{done} pictures in {batches} batches, {seconds:.1f} s with reading and writing")
        print(f"graphs built: {inpainter.graphs}")
    return done


def _complete_batch(batch: list[_Work], inpainter, sentences: dict[str, list[str]], args) -> int:
    """How many pictures of a batch were completed and written."""
    begin = time.perf_counter()
    try:
        outputs = _outputs(batch, inpainter, args)
    except InputError as error:
        if len(batch) > 1:  # what is too much together, or refused for one of them
            return sum(_complete_batch([work], inpainter, sentences, args) for work in batch)
        sentences[batch[0].job.output].append(f"failed: {error}")
        return 0
    if args.verbose:
        seconds, (height, width) = time.perf_counter() - begin, batch[0].hole.shape
        each = f", {seconds / len(batch):.2f} s a picture" if len(batch) > 1 else ""
        print(f"\n{len(batch)} of {width} x {height}: {seconds:.2f} s{each}", flush=True)
    done = 0
    for work, of_work in zip(batch, outputs):
        try:
            _write(work, of_work, args)
            done += 1
        except InputError as error:
            sentences[work.job.output].append(f"failed: {error}")
    return done


def _read(job: Job, warnings: list[str], args) -> _Work:
    picture, hole, warning = read_job(job, args.invert_mask)
    if warning:
        warnings.append(warning)
    return _Work(job, picture, hole, read_edges(job, picture))


def _outputs(batch: list[_Work], inpainter, args) -> list[dict]:
    """What the networks say about pictures that go together."""
    whole = args.save_coarse or args.save_attention
    for work in batch:
        job, (height, width) = work.job, work.hole.shape
        if work.edges is not None and not inpainter.takes_edges:
            raise InputError(
                f"{job.image}: this model follows no sketch: leave out {job.edges}, or take a guided model"
            )
        if height * width >= LARGE_PICTURE and inpainter.strategy == "exact":
            needed = inpainter.memory(height, width, holes=None if whole else work.hole)
            if needed is not None:
                print(f"{job.image}: {width} x {height} pixels, about {needed / 2**30:.1f} GiB of memory", flush=True)
    pictures = [(work.picture.rgb, work.hole, work.edges) for work in batch]
    try:
        if len(batch) == 1:
            return [inpainter.outputs(*pictures[0], whole=whole)]
        return inpainter.outputs_together(pictures, whole)
    except InputError as error:
        raise InputError(f"{batch[0].job.image}: {error}") from error


def _load(args):
    cli.import_tensorflow()
    from tf_inpaint.inference.inpainter import Inpainter

    inpainter = Inpainter.load(
        args.checkpoint,
        padding=args.padding,
        max_pixels=args.max_pixels,
        max_memory=args.max_memory,
        strategy=args.strategy,
        precision=args.precision,
        residuals=args.residuals,
    )
    print(inpainter.origin)
    return inpainter


def _write(work: _Work, outputs, args) -> None:
    job, picture, hole = work.job, work.picture, work.hole
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
