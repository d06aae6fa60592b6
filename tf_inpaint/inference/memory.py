"""Memory that completing takes: what there is, what attention may have of it, and estimates."""

from __future__ import annotations

import math
import os
import re

from tf_inpaint.errors import InputError
from tf_inpaint.inference.texture import redrawing_memory
from tf_inpaint.ops.attention import attention_memory

_PROGRAM = 0.75 * 2**30  # TensorFlow
_COPIES = 4  # of weights: TensorFlow's and those that convolutions arrange for themselves, measured
_SEEN_AROUND = 160  # pixels around a hole that what is predicted there depends on; attention sees farther
GATHERED_BYTES_PER_PIXEL = 48  # of images that are completed in pieces: what is gathered from them
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_memory(text):
    """Bytes of "8G", "1500M" and the like; of a number, itself.

    Raises:
        InputError: if it is none, or not positive.
    """
    match = re.fullmatch(r"([0-9]*\.?[0-9]+) *([KMGT]?)(i?B)?", str(text).strip(), re.IGNORECASE)
    amount = float(match[1]) * _UNITS[match[2].upper()] if match else 0
    if not amount:
        raise InputError(f"max_memory must be a number of bytes such as 8G or 1500M, not {text}")
    return amount


def installed_memory():
    """Bytes of memory in this machine; infinity where the system does not tell."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return float("inf")


def attention_budget(max_memory):
    """Bytes of `max_memory` that attention may take."""
    return max_memory / 4


def memory_needed(generator, height, width, max_memory, batch=1, hole=None):
    """About how many bytes completing takes, the program included, measured on CPUs.

    Args:
        generator: a built `Generator`.
        height, width, batch: of the images.
        max_memory: bytes; attention makes do with less if it is scarce.
        hole: (height, width) of the box around all holes, if they alone are predicted.
    """
    fixed = _fixed(generator)
    known = generator.bytes_per_known_pixel
    rows, columns = height, width  # what is predicted, or looked at for it
    if hole is not None and known is not None:
        rows, columns = (min(side, extent + 2 * _SEEN_AROUND) for side, extent in zip((height, width), hole))
    beyond = height * width - rows * columns
    maps = (generator.bytes_per_pixel * rows * columns + (known or 0.0) * beyond) * batch
    if generator.attention is None:
        return fixed + maps
    stride = generator.attention.stride
    keys, queries = ([-(-side // stride) for side in sides] for sides in ((height, width), (rows, columns)))
    attention = attention_memory(queries, keys, attention_budget(max_memory), batch)
    return fixed + max(maps, 0.4 * maps + attention)  # few maps are as large as the image


def memory_of_textures(generator, mask):
    """The same for `inference.texture`, once a network has predicted what is under a mask, bool [H, W]."""
    return _fixed(generator) + redrawing_memory(mask)


def memory_of_refining(generator, height, width):
    """The same for `inference.refinement` of an image, whose pass with gradients keeps what every block saw."""
    return _fixed(generator) + generator.bytes_per_refined_pixel * height * width


def _fixed(generator):
    """Bytes of the program and the weights."""
    return _PROGRAM + 4.0 * _COPIES * sum(math.prod(weight.shape) for weight in generator.weights)
