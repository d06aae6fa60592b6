"""Holes far larger than those of training: two ways to show a network less of an image.

A network trained on small images knows small holes. "exact" shows it the whole image as it is. "crop" shows it a hole
with its surroundings only, pixel by pixel; "resize" shows it these at the size of its training, so that a large hole
becomes a small one, and enlarges what it predicts. Known pixels stay as they are in all.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_inpaint.ops.boxes import crop_window, paste_window, window_around
from tf_inpaint.ops.images import to_float, to_uint8
from tf_inpaint.ops.residuals import paste_residuals

STRATEGIES = ("exact", "crop", "resize")
_HOLE_RATIO = 0.5  # of a window's side: the largest holes of their training


def complete_cropped(run, image, mask, edges, trained_size):
    """One image by the part around its hole, at its own resolution.

    Args:
        run: completes (image uint8 [1, H, W, 3], mask bool [1, H, W], edges bool [1, H, W]) into a dict of arrays.
        image: uint8 [H, W, 3].
        mask, edges: bool [H, W].
        trained_size: side of the images that the network was trained on.
    Returns:
        dict of arrays of [H, W, 3], as `Inpainter.outputs`.
    """
    window = window_around(mask[..., np.newaxis], trained_size, _HOLE_RATIO).within(mask.shape)
    rows, columns = map(slice, window.first.numpy(), window.end.numpy())
    outputs = run(*(array[np.newaxis, rows, columns] for array in (image, mask, edges)))
    results = {}
    for name, value in outputs.items():
        results[name] = _surroundings(name, image)
        results[name][rows, columns] = value[0]
    return results


def complete_resized(run, image, mask, edges, trained_size, residuals=0.0):
    """One image by the part around its hole, shrunk to the size of training, what is predicted being enlarged.

    Arguments and result as `complete_cropped`, but for
        residuals: strength of the detail lost by shrinking that the hole gets from where attention looked.
    """
    hole = mask[..., np.newaxis]  # [H, W, 1]
    window = window_around(hole, trained_size, _HOLE_RATIO)
    known = to_float(np.where(hole, 0, image))
    seen = to_uint8(crop_window(known, window, trained_size))
    masks = (tf.cast(array, tf.float32)[..., tf.newaxis] for array in (mask, edges))
    masks = (crop_window(array, window, trained_size)[..., 0] > 0.0 for array in masks)
    outputs = run(*(array.numpy()[np.newaxis] for array in (seen, *masks)))
    offsets = outputs.pop("offsets", None)
    results = {}
    for name, value in outputs.items():
        value = value[0] if value.dtype == np.float32 else to_float(value[0])
        if name == "completed" and residuals:
            value = _with_lost_detail(value, offsets, known, window, residuals)
        around = _surroundings(name, image)
        if around.dtype == np.float32:
            results[name] = paste_window(value, window, around).numpy()
        else:
            results[name] = to_uint8(paste_window(value, window, to_float(around))).numpy()
        if name in ("completed", "coarse"):
            results[name] = np.where(hole, results[name], image)
    return results


def _with_lost_detail(predicted, offsets, image, window, strength):
    """What was predicted of a window, enlarged, with the detail that shrinking took from where attention looked."""
    size, positions = predicted.shape[0], offsets.shape[1]
    times = -(-int(window.size[0]) // size)
    large, stride = size * times, -(-size // positions) * times
    shown = crop_window(image, window, size)
    lost = crop_window(image, window, large) - tf.image.resize(shown, [large, large])
    beyond = stride * positions - large  # what the network saw continued
    lost = tf.pad(lost, [[0, beyond], [0, beyond], [0, 0]])
    pasted = paste_residuals(lost[tf.newaxis], tf.constant(offsets), stride)[0, :large, :large]
    return tf.image.resize(predicted, [large, large]) + strength * pasted


def _surroundings(name, image):
    """What stands where the network has not looked."""
    if name == "attention":
        return np.full_like(image, 255)
    return to_float(image).numpy() if name == "predicted" else image.copy()
