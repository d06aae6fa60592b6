"""What is read for a job, checked before anything is completed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from tf_inpaint.errors import InputError
from tf_inpaint.io.holes import Holes, read_holes, strange_cover
from tf_inpaint.io.images import ImageFile, as_seen, read_image, read_mask
from tf_inpaint.ops.holes import grown
from tf_inpaint.ops.levels import EDGE_THRESHOLD
from tf_inpaint.predict.jobs import Job, check_inputs

_SUSPICIOUS_EDGES = 0.5


@dataclass(frozen=True)
class Reading:
    """How masks are read.

    Attributes:
        invert: whether what the mask marks is known.
        mask_from: one of `io.holes.MASK_SOURCES`.
        grow: pixels by which the hole is larger than the mask says.
        fit: whether masks of other sizes than their images are resized.
    """

    invert: bool = False
    mask_from: str = "auto"
    grow: int = 0
    fit: bool = False


@dataclass(frozen=True)
class Task:
    """A job whose files were read.

    Attributes:
        job: where they were, and where results go.
        image: `ImageFile` of H x W pixels.
        mask: bool [H, W], True = hole.
        edges: bool [H, W], True = line; None where it has none.
        warnings: sentences about a strange mask, or about what of a file does not count.
        seconds: that reading took.
    """

    job: Job
    image: ImageFile
    mask: np.ndarray
    edges: np.ndarray | None = None
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def seen(self) -> np.ndarray:
        """The image as a network is shown it: uint8 [H, W, 3]."""
        return as_seen(self.image, self.mask)


def read_task(job: Job, reading: Reading = Reading()) -> Task:
    """The files of a job, checked against each other.

    Raises:
        InputError: if a file is missing or unreadable or no mask, the sizes differ, or nothing of the image is known.
    """
    check_inputs(job)
    image = read_image(job.image)
    warnings = [f"{job.image} {note}" for note in image.notes]
    holes = _read_holes(job, image, reading)
    mask = _fitted("mask", job.mask, holes.marked, job, image, reading.fit) != reading.invert
    if holes.warning:
        warnings.append(f"the mask {job.mask} {holes.warning}")
    hint = "is --invert_mask one too many?" if reading.invert else "if its holes are black, add --invert_mask"
    if mask.all():
        raise InputError(f"the mask {job.mask} {strange_cover(mask)}; {hint}")
    mask = grown(mask, reading.grow)
    if mask.all():
        raise InputError(f"the mask {job.mask}, grown by {reading.grow} pixels, covers the whole image: grow it less")
    strange = strange_cover(mask)
    if strange:
        copied = "" if mask.any() else f", so {job.output} is a copy of the image;"
        warnings.append(f"the mask {job.mask} {strange}{copied} {hint}")
    edges = None
    if job.edges is not None:
        edges = _fitted("edge map", job.edges, read_mask(job.edges) > EDGE_THRESHOLD, job, image, False)
        if edges.mean() > _SUSPICIOUS_EDGES:
            warnings.append(
                f"the edge map {job.edges} is {edges.mean():.0%} line: a sketch in black on white? "
                "lines have to be white on black"
            )
    return Task(job, image, mask, edges, warnings)


def _read_holes(job, image, reading) -> Holes:
    """The holes of a job's mask; an image is its own mask only where its transparency is asked for."""
    if job.mask != job.image:
        return read_holes(job.mask, reading.mask_from)
    if reading.mask_from != "alpha":
        raise InputError(f"{job.image} cannot be its own mask; --mask_from alpha completes what is transparent in it")
    if image.alpha is None or image.alpha.min() == 255:
        raise InputError(f"{job.image} has no transparent part, which --mask_from alpha completes")
    return Holes(image.alpha < 255)  # what is half rubbed out goes too


def _fitted(name, path, layer, job, image, fit) -> np.ndarray:
    """A bool [H, W] of the image's size."""
    (height, width), (rows, columns) = image.rgb.shape[:2], layer.shape
    if (rows, columns) == (height, width):
        return layer
    if fit:
        return np.asarray(Image.fromarray(layer).resize((width, height), Image.NEAREST))
    hint = "; --fit_mask resizes it" if name == "mask" else ""
    raise InputError(
        f"the {name} {path} has {columns} x {rows} pixels, but the image {job.image} has {width} x {height}{hint}"
    )
