"""Pictures of any size: what completing one takes of memory, and two ways round it for holes far too large.

A network trained on small pictures knows small holes. "exact" shows it the whole picture as it is. "crop" shows it a
hole with its surroundings only, pixel by pixel; "resize" shows it these at the size of its training, so that a large
hole becomes a small one, and enlarges what it draws. Known pixels stay as they are in all.
"""

from __future__ import annotations

import math
import os
import re

import numpy as np
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.ops.attention import AT_ONCE, MATRICES, NARROW, SMALL_TILES
from tf_inpaint.ops.boxes import crop_window, paste_window, window_around
from tf_inpaint.ops.chunked_attention import strip_memory
from tf_inpaint.ops.images import to_float, to_uint8
from tf_inpaint.ops.residuals import paste_residuals

STRATEGIES = ("exact", "crop", "resize")
HOLE_SHARE = 0.5  # of a window's side: the largest holes of their training

_PROGRAM = 0.75 * 2**30  # TensorFlow
_COPIES = 4  # of weights: TensorFlow's and those that convolutions arrange for themselves, measured
_SEEN_AROUND = 160  # pixels around a hole that what is drawn there depends on; attention sees farther
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


def attention_share(max_memory):
    """Bytes of `max_memory` that attention may take."""
    return max_memory / 4


def memory_needed(generator, height, width, max_memory, batch=1, hole=None):
    """About how many bytes completing takes, the program included, measured on CPUs.

    Args:
        generator: a built `Generator`.
        height, width, batch: of the pictures.
        max_memory: bytes; attention makes do with less if it is scarce.
        hole: (height, width) of the rectangle around all holes, if they alone are drawn.
    """
    fixed = _PROGRAM + 4.0 * _COPIES * sum(math.prod(weight.shape) for weight in generator.weights)
    known = generator.bytes_per_known_pixel
    rows, columns = height, width  # what is drawn, or looked at for it
    if hole is not None and known is not None:
        rows, columns = (min(side, each + 2 * _SEEN_AROUND) for side, each in zip((height, width), hole))
    beyond = height * width - rows * columns
    maps = (generator.bytes_per_pixel * rows * columns + (known or 0.0) * beyond) * batch
    if generator.attention is None:
        return fixed + maps
    stride = generator.attention.stride
    (kh, kw), (h, w) = ([-(-side // stride) for side in sides] for sides in ((height, width), (rows, columns)))
    at_once = 4.0 * MATRICES * batch * h * w * kh * kw
    share = attention_share(max_memory)
    strips = max(min(share, max(SMALL_TILES, strip_memory(min(NARROW, w), kh, kw))), strip_memory(1, kh, kw))
    attention = at_once if at_once <= min(share, AT_ONCE) else strips
    return fixed + max(maps, 0.4 * maps + attention)  # few maps are as large as the picture


def complete_cropped(run, image, hole, lines, trained_size):
    """One picture by the part around its hole, at its own resolution.

    Args:
        run: completes (images uint8 [1, H, W, 3], holes bool [1, H, W], lines bool [1, H, W]) into a dict of arrays.
        image: uint8 [H, W, 3].
        hole, lines: bool [H, W].
        trained_size: side of the pictures that the network was trained on.
    Returns:
        dict of arrays of [H, W, 3], as `Inpainter.outputs`.
    """
    window = window_around(hole[..., np.newaxis], trained_size, HOLE_SHARE).within(hole.shape)
    rows, columns = map(slice, window.first.numpy(), window.end.numpy())
    outputs = run(*(plane[np.newaxis, rows, columns] for plane in (image, hole, lines)))
    results = {}
    for name, value in outputs.items():
        results[name] = _surroundings(name, image)
        results[name][rows, columns] = value[0]
    return results


def complete_resized(run, image, hole, lines, trained_size, residuals=0.0):
    """One picture by the part around its hole, shrunk to the size of training, what is drawn being enlarged.

    Arguments and result as `complete_cropped`, but for
        residuals: strength of the detail lost by shrinking that the hole gets from where attention looked.
    """
    window = window_around(hole[..., np.newaxis], trained_size, HOLE_SHARE)
    known = to_float(np.where(hole[..., np.newaxis], 0, image))
    seen = to_uint8(crop_window(known, window, trained_size))
    holes, sketch = (crop_window(_plane(plane), window, trained_size)[..., 0] > 0.0 for plane in (hole, lines))
    outputs = run(*(plane.numpy()[np.newaxis] for plane in (seen, holes, sketch)))
    offsets = outputs.pop("offsets", None)
    results = {}
    for name, value in outputs.items():
        value = value[0] if value.dtype == np.float32 else to_float(value[0])
        if name == "completed" and residuals:
            value = _with_lost_detail(value, offsets, known, window, residuals)
        around = _surroundings(name, image)
        whole = paste_window(value, window, around if around.dtype == np.float32 else to_float(around))
        results[name] = whole.numpy() if around.dtype == np.float32 else to_uint8(whole).numpy()
        if name in ("completed", "coarse"):
            results[name] = np.where(hole[..., np.newaxis], results[name], image)
    return results


def _with_lost_detail(drawn, offsets, image, window, strength):
    """What was drawn of a window, enlarged, with the detail that shrinking took from where attention looked."""
    size, cells = drawn.shape[0], offsets.shape[1]
    times = -(-int(window.size[0]) // size)
    large, cell = size * times, -(-size // cells) * times
    shown = crop_window(image, window, size)
    lost = crop_window(image, window, large) - tf.image.resize(shown, [large, large])
    beyond = cells * cell - large  # what the network saw continued
    lost = tf.pad(lost, [[0, beyond], [0, beyond], [0, 0]])
    pasted = paste_residuals(lost[tf.newaxis], tf.constant(offsets), cell)[0, :large, :large]
    return tf.image.resize(drawn, [large, large]) + strength * pasted


def _plane(plane):
    return tf.cast(plane, tf.float32)[..., tf.newaxis]


def _surroundings(name, image):
    """What stands where the network has not looked."""
    if name == "attention":
        return np.full_like(image, 255)
    return to_float(image).numpy() if name == "predicted" else image.copy()
