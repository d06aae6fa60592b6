"""What is drawn on an image, and what the model makes of it. No screen, no TensorFlow.

A session holds an image and two layers, mask and edges, both of the image's size, however small it is shown.
Everything drawn is an action that can be undone and done again. An action is kept as the pixels that it changed, so
that an undo takes no longer than the image is large; the oldest of very many stay as drawn but can no longer be undone.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np

from tf_inpaint.checkpoints import WITH_ATTENTION
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import ImageFile, as_seen
from tf_inpaint.ops.holes import grown
from tf_inpaint.ops.levels import MASK_THRESHOLD

MASK, EDGES = LAYERS = ("mask", "edges")
MASK_COLOUR, EDGES_COLOUR = (255, 82, 92), (64, 156, 255)  # RGB
MASK_OPACITY = 0.55
RESULTS = ("completed", "attention")  # kept of a completion
MOST_POINTS = 5000  # of one stroke
MOST_ACTIONS, MOST_BYTES = 500, 8 << 20  # that can be undone
_PATCH_BYTES = 200  # of a change, beside its pixels
_BROADEST = 4096  # pixels of a brush that OpenCV draws; its own limit is 32767
_MOST_PAINTED = 1 << 32  # pixels, each as often as it is painted
_CANVAS_SIDE = 2048  # on which strokes are drawn that go beyond


@dataclass(frozen=True)
class Stroke:
    """A line drawn with a round brush.

    Attributes:
        layer: "mask" or "edges".
        points: (x, y) in pixels of the image, also between and outside of them.
        size: diameter of the brush in pixels of the image, >= 1.
        erase: takes away instead of adding.
    """

    layer: str
    points: tuple
    size: float
    erase: bool = False


class Task(NamedTuple):
    """What an `Inpainter` is asked for: its image as a network is shown it, mask and edges; and the image as loaded."""

    image: np.ndarray
    mask: np.ndarray
    edges: np.ndarray | None
    original: ImageFile


class _Change:
    """Which pixels of a layer were changed: what changes them back, and again."""

    def __init__(self, layer, first, changed):
        self.layer, self._first, self._shape = layer, first, changed.shape
        self._packed = zlib.compress(np.packbits(changed), 1)

    def __len__(self):
        return len(self._packed) + _PATCH_BYTES

    def apply(self, layers):
        (top, left), (height, width) = self._first, self._shape
        bits = np.frombuffer(zlib.decompress(self._packed), np.uint8)
        changed = np.unpackbits(bits, count=height * width).reshape(self._shape)
        layers[self.layer][top : top + height, left : left + width] ^= changed * np.uint8(255)


class Session:
    """One image being worked on.

    Args:
        takes_edges: whether there are edges at all.
        max_pixels: largest image accepted, height x width; None takes any.

    Attributes:
        image: `ImageFile`, or None before one is loaded.
        result: what `Inpainter.outputs` made of it last ("completed", "attention"), or None.
        result_mask: the mask that was completed, bool [H, W].
        revision: a number that changes with everything that is drawn or loaded.
    """

    def __init__(self, takes_edges: bool, max_pixels: int | None = None):
        self.takes_edges = takes_edges
        self.max_pixels = max_pixels
        self.image: ImageFile | None = None
        self.result: dict | None = None
        self.result_mask: np.ndarray | None = None
        self.revision = 0
        self._done: list[list[_Change]] = []
        self._undone: list[list[_Change]] = []
        self._growing: tuple | None = None  # (the newest stroke, how many points it has by now)
        self._layers: dict[str, np.ndarray] = {}  # as drawn, 0 or 255
        self._shown: tuple | None = None  # (size, the image at that size)

    # Loading

    def load(self, image: ImageFile) -> None:
        """Begin anew with an image; one that is too large is an InputError."""
        height, width = image.rgb.shape[:2]
        self.check_size(height, width)
        self.image, self.result, self.result_mask, self._shown = image, None, None, None
        self._done, self._undone, self._growing = [], [], None
        self._layers = {layer: np.zeros((height, width), np.uint8) for layer in LAYERS}
        self.revision += 1

    def check_size(self, height: int, width: int) -> None:
        """An InputError for an image that is too large."""
        if self.max_pixels is not None and height * width > self.max_pixels:
            raise InputError(
                f"the image has {width} x {height} = {width * height:,} pixels, more than the limit of "
                f"{self.max_pixels:,}: take a smaller one, or start the demo with a larger --max_pixels"
            )

    def fill(self, layer: str, values: np.ndarray | None) -> None:
        """Put values, bool [H, W] or None for an empty layer, in place of a layer, as one action.

        Raises:
            InputError: if there is no image, or the sizes differ.
        """
        self._check_layer(layer)
        height, width = self.size
        if values is not None and values.shape != (height, width):
            name = "mask" if layer == MASK else "edge map"
            raise InputError(
                f"the {name} has {values.shape[1]} x {values.shape[0]} pixels, but the image has {width} x {height}"
            )
        self._act([self._filled(layer, values)])

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image."""
        if self.image is None:
            raise InputError("load an image first")
        return self.image.rgb.shape[:2]

    @property
    def bytes(self) -> int:
        """About how much memory it holds."""
        image, result, shown = self.image, self.result or {}, self._shown  # others may ask while it changes
        arrays = [*self._layers.values(), *result.values(), self.result_mask]
        arrays += [image.rgb, image.alpha, image.deep] if image else []
        arrays += [shown[1]] if shown else []
        drawn = sum(map(_bytes, (*self._done, *self._undone)))
        return drawn + sum(array.nbytes for array in arrays if array is not None)

    # Drawing

    def draw(self, stroke: Stroke) -> None:
        """Add a stroke, as one action; one that cannot be drawn is an InputError."""
        self._check_layer(stroke.layer)
        if not 0 < len(stroke.points) <= MOST_POINTS:
            raise InputError(f"a stroke has 1 to {MOST_POINTS} points, not {len(stroke.points)}")
        height, width = self.size
        values = np.array([*(value for point in stroke.points for value in point), stroke.size], float)
        if not np.isfinite(values).all() or np.abs(values).max() > 10 * max(height, width, 100) or stroke.size < 1:
            raise InputError("a stroke must lie near the image, with a brush of at least a pixel")
        self._act([self._painted(stroke)])
        self._growing = (stroke, len(stroke.points))

    def extend(self, x: float, y: float) -> None:
        """Lengthen the newest stroke to a point; it stays one action."""
        if self._growing is None or self._growing[1] >= MOST_POINTS:
            return
        stroke, count = self._growing
        self._done[-1].append(self._painted(replace(stroke, points=(stroke.points[-1], (x, y)))))
        self._growing = (replace(stroke, points=((x, y),)), count + 1)
        self.revision += 1

    def clear(self) -> None:
        """Empty both layers, as one action."""
        if not self.is_blank:
            self._act([self._filled(layer, None) for layer in LAYERS])

    def undo(self) -> None:
        """Take back the newest action, if there is one."""
        self._move(self._done, self._undone)

    def redo(self) -> None:
        """Do again what was undone last, if nothing was drawn since."""
        self._move(self._undone, self._done)

    @property
    def can_undo(self) -> bool:
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        return bool(self._undone)

    @property
    def is_blank(self) -> bool:
        """Whether nothing is drawn, neither mask nor edges."""
        return not any(layer.any() for layer in self._layers.values())

    def mask(self) -> np.ndarray:
        """bool [H, W], True = hole."""
        _ = self.size
        return self._layers[MASK] > 0

    def edges(self) -> np.ndarray | None:
        """bool [H, W], True = line; None where the model takes none."""
        _ = self.size
        return self._layers[EDGES] > 0 if self.takes_edges else None

    # Completing

    def complete(self, inpainter) -> None:
        """Fill `result` by an `Inpainter`, or anything with its `outputs`; errors as `task`."""
        task = self.task()
        self.accept(task, inpainter.outputs(*task[:3]))

    def task(self, grow: int = 0) -> Task:
        """What is to be completed as it is now, its hole grown by so many pixels.

        Raises:
            InputError: if there is no image, no hole, or nothing but hole.
        """
        mask = self.mask()
        if not mask.any():
            raise InputError("draw a hole first: where the image shall be completed")
        if mask.all():
            raise InputError("the hole covers the whole image and leaves nothing to complete it from")
        mask = grown(mask, grow)
        if mask.all():
            raise InputError(f"the hole, grown by {grow} pixels, covers the whole image: grow it less")
        return Task(as_seen(self.image, mask), mask, self.edges(), self.image)

    def accept(self, task: Task, outputs: dict) -> None:
        """Take what `Inpainter.outputs` made of a task as the result; after another image was loaded, an InputError."""
        if task.original is not self.image:
            raise InputError("another image was loaded before this one was completed")
        self.result = {name: outputs[name] for name in RESULTS if name in outputs}
        self.result_mask = task.mask

    # Showing

    def scale_for(self, height: int, width: int, most: float = 1.0) -> float:
        """By how much the image is shrunk to be shown within so many pixels, or enlarged, up to `most`."""
        return min(most, height / self.size[0], width / self.size[1])

    def default_sizes(self) -> dict[str, int]:
        """Brush diameters that suit the image: {"mask": ..., "edges": ...}."""
        side = min(self.size)
        return {MASK: max(4, round(side / 12)), EDGES: max(1, round(side / 256))}

    def image_at(self, scale: float = 1.0) -> np.ndarray:
        """The image: uint8 RGB, `scale` times its size."""
        size = _scaled(self.size, scale)
        if self._shown is None or self._shown[0] != size:
            self._shown = (size, _resized(self.image.rgb, size))
        return self._shown[1]

    def preview(self, scale: float = 1.0) -> np.ndarray:
        """The image with mask and edges in colours: uint8 RGB."""
        image, (mask, edges) = self.image_at(scale), self._layers_at(scale)
        tint = (1 - MASK_OPACITY) * image + MASK_OPACITY * np.array(MASK_COLOUR)
        shown = np.where(mask[..., np.newaxis], tint.astype(np.uint8), image)
        shown[edges] = EDGES_COLOUR
        return shown

    def overlay(self, scale: float = 1.0) -> np.ndarray:
        """Mask and edges alone, to lie over the image: uint8 RGBA."""
        mask, edges = self._layers_at(scale)
        shown = np.zeros((*mask.shape, 4), np.uint8)
        shown[mask] = (*MASK_COLOUR, round(255 * MASK_OPACITY))
        shown[edges] = (*EDGES_COLOUR, 255)
        return shown

    def output_at(self, name: str, scale: float = 1.0) -> np.ndarray:
        """An image of the result, "completed" or "attention": uint8 RGB; an InputError where there is none."""
        if self.result is None:
            raise InputError(f"there is no {name} image yet: complete the image first")
        if name not in self.result:
            raise InputError(f"this model has no {name} image: the weights {WITH_ATTENTION} have one")
        return _resized(self.result[name], _scaled(self.size, scale))

    # Inside

    def _check_layer(self, layer):
        if layer not in LAYERS:
            raise InputError(f"a layer is {MASK} or {EDGES}, not {layer!r}")
        if layer == EDGES and not self.takes_edges:
            raise InputError("this model takes no edges: load a guided one")
        _ = self.size

    def _painted(self, stroke):
        """The change that a stroke makes, made."""
        layer, height, width = self._layers[stroke.layer], *self.size
        columns, rows = np.array(stroke.points, float).T
        reach = stroke.size / 2 + 2
        top, left = (int(np.clip(line.min() - reach, 0, side)) for line, side in ((rows, height), (columns, width)))
        bottom, right = (int(np.clip(line.max() + reach, 0, side)) for line, side in ((rows, height), (columns, width)))
        before = layer[top:bottom, left:right].copy()
        _paint(layer, stroke)
        return _Change(stroke.layer, (top, left), before != layer[top:bottom, left:right])

    def _filled(self, layer, values):
        """The change that new values make, made."""
        changed = self._layers[layer] > 0
        if values is not None:
            changed ^= values
        change = _Change(layer, (0, 0), changed)
        change.apply(self._layers)
        return change

    def _act(self, changes):
        self._done.append(changes)
        self._undone.clear()
        self._growing = None
        while len(self._done) > MOST_ACTIONS or len(self._done) > 1 and sum(map(_bytes, self._done)) > MOST_BYTES:
            self._done.pop(0)
        self.revision += 1

    def _move(self, actions, others):
        """Change what the last of the actions changed, and give it to the others."""
        if not actions:
            return
        others.append(actions.pop())
        for change in others[-1]:  # no pixel stands in two of them
            change.apply(self._layers)
        self._growing = None
        self.revision += 1

    def _layers_at(self, scale):
        """bool (mask, edges) at a scale; thin lines stay to be seen."""
        size = _scaled(self.size, scale)
        mask = _resized(self._layers[MASK], size) > MASK_THRESHOLD
        return mask, _resized(self._layers[EDGES], size) > MASK_THRESHOLD * min(scale, 1.0)


def _bytes(changes):
    return sum(map(len, changes))


def _paint(layer, stroke):
    """Draw a stroke on a layer, whatever the number of its points and the breadth of its brush."""
    value, shift = (0 if stroke.erase else 255), 4  # coordinates in sixteenths of a pixel
    points, width = np.array(stroke.points, float), max(1, round(stroke.size))
    if width > _BROADEST or len(points) * width**2 > _MOST_PAINTED:
        layer[_within(points, stroke.size / 2, layer.shape)] = value
        return
    points = np.rint(points * 2**shift).astype(np.int32)
    if len(points) == 1:
        points = np.repeat(points, 2, axis=0)
    cv2.polylines(layer, [points.reshape(-1, 1, 2)], False, value, width, cv2.LINE_8, shift)
    if width > 1:
        for x, y in (points[0], points[-1]):
            cv2.circle(layer, (int(x), int(y)), round(width * 2**shift / 2), value, -1, cv2.LINE_8, shift)


def _within(points, radius, shape):
    """bool [H, W]: what is no farther than that from a line of points, found on a canvas of bounded size."""
    reach = radius + 2  # of the canvas around the image
    sides = np.array(shape) + 2 * reach
    scale = min(1.0, _CANVAS_SIDE / sides.max())
    canvas = np.ones(np.ceil(sides * scale).astype(int) + 1, np.uint8)
    line = np.rint((points + reach) * scale * 16).astype(np.int32)
    cv2.polylines(canvas, [np.repeat(line, 2, axis=0).reshape(-1, 1, 2)], False, 0, 1, cv2.LINE_8, 4)
    near = cv2.distanceTransform(canvas, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius * scale
    rows, columns = (((np.arange(side) + reach) * scale).astype(int) for side in shape)
    return near[np.ix_(rows, columns)] if not canvas.all() else np.zeros(shape, bool)


def _scaled(size, scale):
    return tuple(max(1, round(side * scale)) for side in size)


def _resized(array, size):
    if array.shape[:2] == tuple(size):
        return array
    interpolation = cv2.INTER_AREA if size[0] < array.shape[0] else cv2.INTER_NEAREST
    return cv2.resize(array, (size[1], size[0]), interpolation=interpolation)
