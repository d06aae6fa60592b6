"""Patch-based synthesis: holes filled by patches of what is known, as a network's prediction says.

A network knows what goes where, and small ones blur it; patches of the image itself are sharp, and know nothing. From
coarse to fine, each patch that touches the hole looks for the known patch that is most like it and like the
prediction's blurred colours there; then each pixel of the hole becomes the mean of what the patches found say of it.
The coarsest level compares all with all, finer ones go on from there. Where the patches found lack the detail that lies
around the hole, what belongs there is nowhere else in the image, and the prediction is mixed in. Nothing is random.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tf_inpaint.inference.large import group_parts, thickness

_PATCH = 7  # side of the patches compared
_RADIUS = _PATCH // 2
_GUIDANCE = 5.0  # weight of the prediction's blurred colours, against the mean difference of a patch's pixels times 7
_BLUR = 2.0  # pixels, of these colours, at every level whose holes are no thicker than
_FAMILIAR = 128  # pixels; of larger ones the prediction is believed less, and blurred more
_SPREAD = 2.0  # pixels: a patch's vote counts most at its middle
_COARSEST = 16  # thickest hole, in pixels, of the level that compares all with all
_SMALLEST = 32  # pixels, below which no side of a level is shrunk
_ROUNDS = (6, 4, 2)  # of search and vote, from the coarsest level on; the last number for all finer ones
_WHOLE_ROUNDS = 3  # of those of the coarsest level, that compare all with all
_MOST_PAIRS = 200_000_000  # that are compared in a round: of more, known patches on a grid only
_MOST_PIXELS = 600_000  # of a level in which patches are searched; larger ones take what was found, enlarged
_REACH = 256  # least side of what is searched around a hole
_AT_ONCE = 1024
_DETAIL = 1.5  # pixels: what this blur takes away is detail
_AROUND = 16  # pixels around a hole, whose detail it should have
_RIM = 4  # pixels of a hole, where patches are mostly known, and say nothing of what was found
_FAINT = 1e-6  # energy, of values in [0, 1], that counts as none
_MIXED, _LEAST_LACK, _MOST = 0.4, 0.25, 0.75  # share of the prediction for each e-fold of missing energy; from; at most
_NEIGHBOURS = np.array([(0, 1), (0, -1), (1, 0), (-1, 0)])
_STEPS = np.concatenate([_NEIGHBOURS, [(1, 1), (-1, -1), (1, -1), (-1, 1)]])


def redraw(image, completed, mask):
    """An image whose holes are drawn from its own patches, guided by a completion.

    Args:
        image: uint8 [H, W, 3].
        completed: uint8 [H, W, 3], the same with holes filled, as by a network.
        mask: bool [H, W], True = hole.
    Returns:
        uint8 [H, W, 3]; known pixels are those of `image`. A hole around which no patch is known whole stays as it is
        in `completed`. The same arguments give the same bytes.
    Reference: Wexler et al. 2007 (voting, from coarse to fine), Barnes et al. 2009 (propagation of matches).
    Deviations: matches also have to be like the completion, blurred; each level begins with the matches of the one
        before, tries neighbours' and steps of one pixel, and no random ones; the completion is mixed in.
    """
    result = np.where(mask[..., np.newaxis], completed, image)
    for _, window in group_parts(mask, _REACH):
        known, guide = (array[window].astype(np.float32) / 255.0 for array in (image, completed))
        drawn = _synthesize(known, guide, mask[window])
        drawn += _share_of_prediction(drawn, mask[window]) * (guide - drawn)
        drawn = np.uint8(np.clip(np.rint(drawn * 255.0), 0, 255))
        result[window] = np.where(mask[window][..., np.newaxis], drawn, result[window])
    return result


def _synthesize(image, guide, mask):
    """float32 [H, W, 3] in [0, 1], drawn in the holes."""
    guide, found = np.where(mask[..., np.newaxis], guide, image), None
    drawn = guide
    for index, size in enumerate(_sizes(mask)):
        level = _Level.of(image, guide, mask, size)
        if level is None:  # nothing is known whole at this size; perhaps at the next
            continue
        searched = found is None or size[0] * size[1] <= _MOST_PIXELS
        if found is None:
            drawn = np.where(level.mask[..., np.newaxis], level.guide, level.image)
        else:
            matches = level.enlarged(*found)
            drawn = level.vote(matches)
        for round_ in range(_ROUNDS[min(index, len(_ROUNDS) - 1)] if searched else 0):
            if found is None and round_ < _WHOLE_ROUNDS:
                matches, distances = level.compare_all(drawn)
            else:
                matches, distances = level.search_near(drawn, matches)
            drawn = level.vote(matches, distances)
        found = level, matches
    return drawn if drawn.shape == image.shape else guide


def _share_of_prediction(drawn, mask):
    """How much of the prediction a hole drawn from patches takes: the more, the more detail it lacks, in [0, 0.75]."""
    hole = mask.astype(np.uint8)
    around = (cv2.dilate(hole, np.ones([2 * _AROUND + 1] * 2, np.uint8)) > 0) & ~mask
    inner = cv2.erode(hole, np.ones([2 * _RIM + 1] * 2, np.uint8)) > 0
    if not around.any():
        return 0.0
    grey = drawn.mean(axis=-1)
    energy = (grey - cv2.GaussianBlur(grey, (0, 0), _DETAIL)) ** 2 + _FAINT
    lack = np.log(energy[around].mean() / energy[inner if inner.any() else mask].mean())
    return float(np.clip(_MIXED * (lack - _LEAST_LACK), 0.0, _MOST))


def _sizes(mask):
    """Sizes of the levels, the coarsest first."""
    across, times = thickness(mask), 1
    while across > _COARSEST * times or mask.size > _MOST_PIXELS * times**2:
        if min(mask.shape) < 2 * times * _SMALLEST:
            break
        times *= 2
    while times >= 1:
        yield tuple(max(1, round(side / times)) for side in mask.shape)
        times //= 2


@dataclass
class _Level:
    """An image at one size. Positions are int [N, 2], (row, column); patches are known by their middles.

    Attributes:
        image, guide: float32 [h, w, 3].
        patches: a view of the image's, float32 [h, w, 3, 7, 7].
        mask: bool [h, w].
        whole: bool [h, w], where a patch is known whole.
        targets: positions of the patches that touch a hole.
        index: int [h, w], which target a position is, or -1.
        colours: float32 [h, w, 3], the guide's, blurred and weighted.
    """

    image: np.ndarray
    patches: np.ndarray
    guide: np.ndarray
    mask: np.ndarray
    whole: np.ndarray
    targets: np.ndarray
    index: np.ndarray
    colours: np.ndarray

    @classmethod
    def of(cls, image, guide, mask, size):
        """None where no patch is known whole."""
        shrink = (lambda array: array) if size == mask.shape else (lambda array: _shrunk(array, size))
        image, guide, mask = shrink(image), shrink(guide), shrink(mask.astype(np.float32)) > 0
        touched = cv2.dilate(mask.astype(np.uint8), np.ones([_PATCH] * 2, np.uint8)) > 0
        whole = np.zeros_like(mask)
        inside = np.s_[_RADIUS : size[0] - _RADIUS, _RADIUS : size[1] - _RADIUS]
        whole[inside] = ~touched[inside]
        if not whole.any():
            return None
        targets, index = np.argwhere(touched), np.full(size, -1)
        index[touched] = np.arange(len(targets))
        blur = _BLUR * max(1.0, thickness(mask) / _FAMILIAR)
        colours = _GUIDANCE * cv2.GaussianBlur(guide, (0, 0), blur)
        return cls(image, _patches(image), guide, mask, whole, targets, index, colours)

    def compared(self, patches, positions):
        """What is compared of `_patches` of an image: their pixels, and the guide's colour: float32 [N, D]."""
        pixels = _at(patches, positions).reshape(len(positions), 3 * _PATCH * _PATCH)
        return np.concatenate([pixels, _at(self.colours, positions)], axis=1)

    def compare_all(self, drawn):
        """(match of each target, how unlike it is): among all known patches, or every few where they are too many."""
        sources = np.argwhere(self.whole)
        sources = sources[:: -(-len(sources) * len(self.targets) // _MOST_PAIRS)]
        targets, known = self.compared(_patches(drawn), self.targets), self.compared(self.patches, sources)
        lengths = _squares(known)
        best = [
            np.argmin(lengths - 2.0 * targets[first : first + _AT_ONCE] @ known.T, axis=1)
            for first in range(0, len(targets), _AT_ONCE)
        ]
        best = np.concatenate(best)
        return sources[best], _squares(targets - known[best])

    def search_near(self, drawn, matches):
        """(matches, how unlike they are): those given, or better ones that continue a neighbour's, or lie beside."""
        targets, best = self.compared(_patches(drawn), self.targets), matches.copy()
        distances = _squares(targets - self.compared(self.patches, best))

        def attempt(candidates, allowed):
            allowed = allowed & self._within(candidates)
            allowed[allowed] = _at(self.whole, candidates[allowed])
            chosen = np.flatnonzero(allowed)
            found = _squares(targets[chosen] - self.compared(self.patches, candidates[chosen]))
            better = found < distances[chosen]
            best[chosen[better]], distances[chosen[better]] = candidates[chosen[better]], found[better]

        for step in np.concatenate([_NEIGHBOURS, 4 * _NEIGHBOURS]):
            neighbours = self._target_at(self.targets + step)
            attempt(best[neighbours] - step, neighbours >= 0)
        for step in _STEPS:
            attempt(best + step, np.ones(len(best), bool))
        return best, distances

    def enlarged(self, coarser, matches):
        """The matches of a coarser level here: each target goes as far as the nearest one did there."""
        times = np.array(self.mask.shape) / coarser.mask.shape
        there = np.minimum(self.targets / times, np.array(coarser.mask.shape) - 1).astype(int)
        nearest = _at(_nearest(coarser.index >= 0), there)
        nearest = _at(coarser.index, nearest)
        offsets = np.rint((matches - coarser.targets)[nearest] * times).astype(int)
        candidates = np.clip(self.targets + offsets, 0, np.array(self.mask.shape) - 1)
        return _at(_nearest(self.whole), candidates)

    def vote(self, matches, distances=None):
        """The image with its holes drawn: at each pixel the mean of what patches over it found, the likest most."""
        weights = np.ones(len(matches), np.float32)
        if distances is not None:
            weights = np.exp(-2.0 * distances / max(np.percentile(distances, 75), 1e-6)).astype(np.float32) + 1e-6
        holes = np.argwhere(self.mask)
        total, weight = np.zeros((len(holes), 3), np.float32), np.zeros((len(holes), 1), np.float32)
        for row in range(-_RADIUS, _RADIUS + 1):
            for column in range(-_RADIUS, _RADIUS + 1):
                step = np.array([row, column])
                patches = self._target_at(holes - step)
                nearness = np.exp(-(row**2 + column**2) / (2 * _SPREAD**2))
                counts = np.where(patches >= 0, nearness * weights[patches], 0.0)[:, np.newaxis].astype(np.float32)
                total += counts * _at(self.image, matches[patches] + step)
                weight += counts
        drawn = self.image.copy()
        drawn[self.mask] = total / weight
        return drawn

    def _within(self, positions):
        return ((positions >= 0) & (positions < self.mask.shape)).all(axis=1)

    def _target_at(self, positions):
        """Which target lies at each position; -1 where none does, or beyond the image."""
        within = self._within(positions)
        return np.where(within, _at(self.index, np.where(within[:, np.newaxis], positions, 0)), -1)


def _patches(image):
    padded = np.pad(image, ((_RADIUS, _RADIUS), (_RADIUS, _RADIUS), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, (_PATCH, _PATCH), axis=(0, 1))


def _at(array, positions):
    return array[positions[..., 0], positions[..., 1]]


def _squares(rows):
    return np.einsum("ij,ij->i", rows, rows)


def _shrunk(array, size):
    return cv2.resize(array, size[::-1], interpolation=cv2.INTER_AREA)


def _nearest(marked):
    """int [h, w, 2]: for each position the nearest one that is marked, or one of these."""
    _, labels = cv2.distanceTransformWithLabels(
        (~marked).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    positions = np.zeros((labels.max() + 1, 2), int)
    positions[labels[marked]] = np.argwhere(marked)
    return positions[labels]
