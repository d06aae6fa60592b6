"""What is read for a job, checked before anything is completed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tf_inpaint.errors import InputError
from tf_inpaint.io.images import ImageFile, read_image, read_mask
from tf_inpaint.ops.levels import EDGE_THRESHOLD, MASK_THRESHOLD
from tf_inpaint.predict.jobs import Job, check_inputs

_SUSPICIOUS_COVER = 0.9


@dataclass(frozen=True)
class Task:
    """A job whose files were read.

    Attributes:
        job: where they were, and where results go.
        image: `ImageFile` of H x W pixels.
        mask: bool [H, W], True = hole.
        edges: bool [H, W], True = line; None where it has none.
        warning: a sentence about a strange mask, or None.
    """

    job: Job
    image: ImageFile
    mask: np.ndarray
    edges: np.ndarray | None = None
    warning: str | None = None


def read_task(job: Job, invert_mask: bool = False) -> Task:
    """The files of a job, checked against each other.

    Raises:
        InputError: if a file is missing or unreadable, the sizes differ, or nothing of the image is known.
    """
    check_inputs(job)
    image = read_image(job.image)
    mask = (_read_layer("mask", job.mask, job, image) > MASK_THRESHOLD) != invert_mask
    cover, warning = mask.mean(), None
    hint = "is --invert_mask one too many?" if invert_mask else "if its holes are black, add --invert_mask"
    if cover == 1:
        raise InputError(f"the mask {job.mask} covers the whole image and leaves nothing to complete it from; {hint}")
    if cover == 0:
        warning = f"the mask {job.mask} marks no hole, so {job.output} is a copy of the image; {hint}"
    elif cover > _SUSPICIOUS_COVER:
        warning = f"the mask {job.mask} covers {cover:.0%} of the image: inverted? {hint}"
    edges = None if job.edges is None else _read_layer("edge map", job.edges, job, image) > EDGE_THRESHOLD
    return Task(job, image, mask, edges, warning)


def _read_layer(name, path, job, image):
    layer = read_mask(path)
    (height, width), (rows, columns) = image.rgb.shape[:2], layer.shape
    if (rows, columns) != (height, width):
        raise InputError(
            f"the {name} {path} has {columns} x {rows} pixels, but the image {job.image} has {width} x {height}"
        )
    return layer
