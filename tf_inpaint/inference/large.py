"""Holes far larger than those of training: two ways to show a network less of an image.

A network trained on small images knows small holes. "exact" shows it the whole image as it is. "crop" shows it a hole
with its surroundings only, pixel by pixel; "resize" shows it these at the size of its training, so that a large hole
becomes a small one, and enlarges what it predicts. "auto" is "exact", or "resize" where a hole is huge. Groups of holes
that lie far apart are completed one after the other in all of them, and known pixels stay as they are. "refine" is
`inference.refinement`.

Thin images, far longer than they are wide, are completed piece by piece along their length whatever the strategy:
attention compares everything with everything, and what lies so far off helps no hole. Of images too large to be shown
whole, each group of holes is completed by what is around it.
"""

from __future__ import annotations

import cv2
import numpy as np
import tensorflow as tf

from tf_inpaint.ops.boxes import crop_window, margins_of, mirrored, paste_window, window_around
from tf_inpaint.ops.images import to_float, to_uint8
from tf_inpaint.ops.residuals import paste_residuals

STRATEGIES = ("auto", "exact", "crop", "resize", "refine")
HUGE = 2  # sides of the images of training: "auto" resizes holes that are thicker; see docs/sizes.md
_HOLE_RATIO = 0.5  # of a window's side: the largest holes of their training
_THIN = 16  # times as long as wide
_LONG = 4096  # pixels, up to which nothing is too long; the windows below are no longer
_PIECE = 2048  # pixels of a thin image that are completed at once, and those beside them that are seen
_BESIDE = 512
_SEEN_BESIDE = 64  # pixels beside what is predicted that are looked at for it
_MOST_GAPS = 16  # between holes, at which they are divided to see what that saves
_NEAR = 129  # pixels between holes that are completed together


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


def complete_resized(run, image, mask, edges, trained_size, residuals=0.0, margin=0):
    """One image by the part around its hole, shrunk to the size of training, what is predicted being enlarged.

    Arguments and result as `complete_cropped`, but for
        residuals: strength of the detail lost by shrinking that the hole gets from where attention looked.
        margin: the generator's, by which attention saw more where a hole reaches the border.
    """
    hole = mask[..., np.newaxis]  # [H, W, 1]
    window = window_around(hole, trained_size, _HOLE_RATIO)
    known = to_float(np.where(hole, 0, image))
    seen = to_uint8(crop_window(known, window, trained_size))
    masks = (tf.cast(array, tf.float32)[..., tf.newaxis] for array in (mask, edges))
    masks = (crop_window(array, window, trained_size)[..., 0] > 0.0 for array in masks)
    masks = [array[tf.newaxis] for array in masks]
    outputs = run(seen.numpy()[np.newaxis], *(array.numpy() for array in masks))
    offsets = outputs.pop("offsets", None)
    results = {}
    for name, value in outputs.items():
        value = value[0] if value.dtype == np.float32 else to_float(value[0])
        if name == "completed" and residuals:
            # What is erased has no detail: the rim of a black hole would be pasted as a ghost of it.
            filled = tf.where(hole, paste_window(value, window, known), known)
            value = _with_lost_detail(value, offsets, margins_of(masks[0], margin), filled, window, residuals)
        around = _surroundings(name, image)
        if around.dtype == np.float32:
            results[name] = paste_window(value, window, around).numpy()
        else:
            results[name] = to_uint8(paste_window(value, window, to_float(around))).numpy()
        if name in ("completed", "coarse"):
            results[name] = np.where(hole, results[name], image)
    return results


def thickness(mask):
    """Pixels across the thickest hole of bool [H, W]; 0 without one."""
    return 2 * cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_C, 3).max()


def is_thin(height, width):
    """Whether an image is completed in pieces."""
    return max(height, width) > longest_side(min(height, width))


def longest_side(shorter, larger=max):
    """How long an image may be that a network is shown whole; of a tensor with `larger=tf.maximum`."""
    return larger(_LONG, _THIN * shorter)


def thin_size(height, width):
    """(height, width) of the largest window that a thin image is seen in."""
    return tuple(min(side, _PIECE + 2 * _BESIDE) for side in (height, width))


def thin_parts(mask):
    """The parts in which a thin image is completed, pieces along its length, as `complete_by_parts` takes them."""
    along = int(mask.shape[0] < mask.shape[1])
    length, positions = mask.shape[along], np.flatnonzero(mask.any(axis=1 - along))
    while len(positions):
        first = positions[0]
        inside = positions[positions < first + _PIECE]
        gaps = np.flatnonzero(np.diff(inside) > 2 * _BESIDE)  # holes so far apart see nothing of each other
        end = inside[gaps[0] if len(gaps) else -1] + 1
        piece, window = slice(first, end), slice(max(0, first - _BESIDE), min(length, end + _BESIDE))
        across = slice(0, mask.shape[1 - along])
        yield tuple((across, part) if along else (part, across) for part in (piece, window))
        positions = positions[positions >= end]


def boxes_apart(mask, worth, box=np.s_[:, :]):
    """Boxes of holes so far apart that a box around all would have `worth` pixels more for each box less.

    Args:
        mask: bool [H, W], True = hole.
        worth: in pixels, more than 0.
        box: rows and columns, slices, that are looked at.
    Returns:
        list of such boxes, in which all holes lie; an empty one where there are none.
    """
    box = _tight(mask, box)
    divided = [(float("inf"), ())]
    for axis in (0, 1):
        positions = box[axis].start + np.flatnonzero(mask[box].any(axis=1 - axis))
        for gap in np.argsort(np.diff(positions))[: -_MOST_GAPS - 1 : -1]:  # the widest
            cut = positions[gap] + 1
            halves = slice(box[axis].start, cut), slice(cut, box[axis].stop)
            parts = [_tight(mask, (half, box[1]) if axis == 0 else (box[0], half)) for half in halves]
            divided.append((sum(map(_looked_at, parts)), parts))
    area, parts = min(divided, key=lambda candidate: candidate[0])
    if area + worth >= _looked_at(box):
        return [box]
    return [found for part in parts for found in boxes_apart(mask, worth, part)]


def _tight(mask, box):
    """The box around the holes in a box."""
    inside, result = mask[box], []
    for axis, side in enumerate(box):
        found = (side.start or 0) + np.flatnonzero(inside.any(axis=1 - axis))
        result.append(slice(found[0], found[-1] + 1) if len(found) else slice(0, 0))
    return tuple(result)


def _looked_at(box):
    """Pixels that are looked at for what is predicted in a box."""
    return np.prod([side.stop - side.start + 2 * _SEEN_BESIDE for side in box])


def group_parts(mask, trained_size):
    """The parts in which a large image is completed, groups of holes that lie near each other."""
    near = cv2.dilate(mask.astype(np.uint8), np.ones([_NEAR] * 2, np.uint8))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(near)
    for left, top, width, height, _ in boxes[1:]:  # the first is what lies between
        rows, columns = (np.flatnonzero(mask[top : top + height, left : left + width].any(axis)) for axis in (1, 0))
        sides = [(top + rows[0], top + rows[-1] + 1), (left + columns[0], left + columns[-1] + 1)]
        side = max(trained_size, round(max(end - first for first, end in sides) / _HOLE_RATIO))
        window = []
        for (first, end), length in zip(sides, mask.shape):
            corner = max(0, min((first + end - side) // 2, length - side))
            window.append(slice(corner, min(length, corner + side)))
        yield tuple(slice(*side) for side in sides), tuple(window)


def complete_by_parts(run, image, mask, edges, parts):
    """One image part by part, each of which sees what was completed before.

    Args:
        run, image, mask, edges: as `complete_cropped`.
        parts: pairs of boxes, two slices each: what is predicted, what is seen for it. All holes lie in the former.
    Returns:
        as `complete_cropped`.
    """
    completed, hole, results = image.copy(), mask.copy(), {}
    for part, window in list(parts) or [(np.s_[0:0, 0:0], np.s_[0:_BESIDE, 0:_BESIDE])]:
        outputs = run(*(array[window][np.newaxis] for array in (completed, hole, edges)))
        inside = tuple(
            slice(predicted.start - seen.start, predicted.stop - seen.start) for predicted, seen in zip(part, window)
        )
        for name, value in outputs.items():
            if name not in results:
                results[name] = _surroundings(name, image)
            results[name][part] = value[0][inside]
        completed[part], hole[part] = results["completed"][part], False
    return results


def _with_lost_detail(predicted, offsets, margins, image, window, strength):
    """What was predicted of a window, enlarged, with the detail that shrinking took from where attention looked."""
    size, positions = predicted.shape[0], offsets.shape[1:3]
    times = -(-int(window.size[0]) // size)
    large, stride = size * times, -(-(size + int(sum(margins[0]))) // positions[0]) * times
    shown = crop_window(image, window, size)
    lost = crop_window(image, window, large) - tf.image.resize(shown, [large, large])
    top, left = (int(first) * times for first, _ in margins)
    for axis, (first, count) in enumerate(zip((top, left), positions)):  # continued as what the network saw
        lost = tf.gather(lost, mirrored(tf.range(stride * count) - first, large), axis=axis)
    pasted = paste_residuals(lost[tf.newaxis], tf.constant(offsets), stride)[0, top : top + large, left : left + large]
    return tf.image.resize(predicted, [large, large]) + strength * pasted


def _surroundings(name, image):
    """What stands where the network has not looked."""
    if name == "attention":
        return np.full_like(image, 255)
    return to_float(image).numpy() if name == "predicted" else image.copy()
