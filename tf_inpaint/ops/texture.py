"""Patch-based synthesis: holes filled by patches of what is known, as a network's prediction says.

A network knows what goes where, and small ones blur it; patches of the image itself are sharp, and know nothing. From
coarse to fine, each patch that touches the hole looks for the known patch that is most like it and like the
prediction's blurred colours there; then each pixel of the hole becomes the mean of what the patches found say of it.
The coarsest level compares all with all, finer ones go on from there. Where the patches found lack the detail that lies
around the hole, what belongs there is nowhere else in the image, and the prediction is mixed in. Nothing is random.

Positions are flat, row x width + column, int32 [N]; patches are known by their middles. Blurs and the like are written
as shifts and sums: sizes differ from hole to hole, and TensorFlow's convolutions keep something for each of them.
There are few operations, and what loops do not change is computed before them: all are written down and prepared anew
in every process, which takes longer than a small image.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from tf_inpaint.ops.boxes import Box, mirrored

_PATCH = 7  # side of the patches compared
_RADIUS = _PATCH // 2
_GUIDANCE = 5.0  # weight of the prediction's blurred colours, against the mean difference of a patch's pixels times 7
_BLUR = 2.0  # pixels, of these colours, at every level whose holes are no thicker than
_FAMILIAR = 128  # pixels; of larger ones the prediction is believed less, and blurred more
_SPREAD = 2.0  # pixels: a patch's vote counts most at its middle
_COARSEST = 16  # thickest hole, in pixels, of the level that compares all with all
_SMALLEST = 32  # pixels, below which no side of a level is shrunk
_TIMES = [2**level for level in range(16)]  # by which levels are shrunk
_ROUNDS = (6, 4, 2)  # of search and vote, from the coarsest level on; the last number for all finer ones
_WHOLE_ROUNDS = 3  # of those of the coarsest level, that compare all with all
_MOST_PAIRS = 200_000_000  # that are compared in a round: of more, known patches on a grid only
MOST_PIXELS = 600_000  # of a level in which patches are searched; larger ones take what was found, enlarged
REACH = 256  # least side of what is searched around a hole
_CELL = 32  # pixels: holes in cells of this side are drawn together where at most one such cell lies between
_AT_ONCE = 1024
_NEARLY_HALF = 0.47  # by which values are rounded: halves, which means of pixels are, would fall to either side
_ALIKE = 0.1  # squared levels of a patch, below which differences say nothing
_DETAIL = 1.5  # pixels: what this blur takes away is detail
_AROUND = 16  # pixels around a hole, whose detail it should have
_RIM = 4  # pixels of a hole, where patches are mostly known, and say nothing of what was found
_FAINT = 1e-6  # energy, of values in [0, 1], that counts as none
_MIXED, _LEAST_LACK, _MOST = 0.4, 0.25, 0.75  # share of the prediction for each e-fold of missing energy; from; at most
# By how much patches differ in place from their middles, then what each says of a pixel counts.
_WITHIN = [(y, x) for y in range(-_RADIUS, _RADIUS + 1) for x in range(-_RADIUS, _RADIUS + 1)]
_NEARNESS = [math.exp(-(y * y + x * x) / (2.0 * _SPREAD**2)) for y, x in _WITHIN]
# Whose match is tried, seen from a target, and how far from it: a neighbour's continued, then the own one's neighbours.
_SIDES = [(0, 1), (0, -1), (1, 0), (-1, 0)]
_STEPS = [*_SIDES, (1, 1), (-1, -1), (1, -1), (-1, 1)]
_ATTEMPTS = [((y * far, x * far), (-y * far, -x * far)) for far in (1, 4) for y, x in _SIDES]
_ATTEMPTS += [((0, 0), step) for step in _STEPS]
_FARTHEST = 4  # of them


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
    places, levels = redrawn(image, completed, mask)
    return tf.tensor_scatter_nd_update(image, places, tf.cast(levels, tf.uint8))


def redrawn(image, completed, mask):
    """Which pixels `redraw` draws anew and how: (row, column), int32 [N, 2], and levels, float32 [N, 3]."""
    image, completed, mask = (tf.convert_to_tensor(array) for array in (image, completed, mask))
    groups = _groups(mask)

    def draw(groups, positions, colours):
        group = tf.reduce_max(groups)
        cells = groups == group
        first, size = _window(mask, cells)
        hole = tf.slice(mask, first, size)
        corner, sides = tf.concat([first, [0]], axis=0), tf.concat([size, [3]], axis=0)
        known, guide = (tf.cast(tf.slice(array, corner, sides), tf.float32) / 255.0 for array in (image, completed))
        drawn = _synthesize(known, guide, hole)
        drawn += _share_of_prediction(drawn, hole) * (guide - drawn)
        places = _where(hole) + first
        places = tf.gather_nd(places, tf.where(tf.gather_nd(groups, places // _CELL) == group))
        levels = tf.clip_by_value(tf.round(tf.gather_nd(drawn, places - first) * 255.0), 0.0, 255.0)
        return (
            tf.where(cells, 0, groups),
            tf.concat([positions, places], axis=0),
            tf.concat([colours, levels], axis=0),
        )

    _, positions, colours = tf.while_loop(
        lambda groups, *_: tf.reduce_any(groups > 0),
        draw,
        (groups, tf.zeros([0, 2], tf.int32), tf.zeros([0, 3])),
        shape_invariants=(_PLANE, tf.TensorShape([None, 2]), _COLOURS),
        parallel_iterations=1,
    )
    return positions, colours


def _groups(mask):
    """int32 [h, w]: for each cell with a hole the number, from 1, of the holes drawn together; 0 elsewhere."""
    size = tf.shape(mask)
    cells = (size + _CELL - 1) // _CELL
    padded = tf.pad(mask, tf.stack([[0, 0], cells * _CELL - size], axis=1))
    rows, columns = tf.unstack(cells)
    holes = tf.reduce_any(tf.reshape(padded, [rows, _CELL, columns, _CELL]), axis=[1, 3])
    own = tf.where(holes, 1 + tf.reshape(tf.range(rows * columns), cells), 0)
    beside = [_last(tf.range(length)) + tf.range(5) for length in (rows, columns)]  # in what is continued by 2 cells

    def spread(groups, _):
        largest = tf.pad(groups, [[2, 2], [2, 2]])
        for axis, indices in enumerate(beside):
            largest = tf.reduce_max(tf.gather(largest, indices, axis=axis), axis=axis + 1)
        return tf.where(holes, largest, 0), groups

    groups, _ = tf.while_loop(
        lambda groups, before: tf.reduce_any(groups != before), spread, (own, own - 1), shape_invariants=(_PLANE,) * 2
    )
    return groups


def _window(mask, cells):
    """(first row and column, height and width), int32 [2] each, of what is looked at for the holes in some cells."""
    size = tf.shape(mask)
    near = _bounds(cells).enlarged(_CELL).within(size)
    hole = _bounds(tf.slice(mask, near.first, near.size))
    side = tf.maximum(REACH, 2 * tf.reduce_max(hole.size))
    corner = (2 * near.first + hole.first + hole.end - side) // 2  # ONNX rounds quotients below 0 otherwise
    corner = tf.maximum(tf.minimum(corner, size - side), 0)
    return corner, tf.minimum(corner + side, size) - corner


def _bounds(marked):
    """`Box` around what is marked, bool [h, w], if anything is; that of `ops.boxes` is lost on ONNX within loops."""
    places = _where(marked)
    return Box(tf.reduce_min(places, axis=0), tf.reduce_max(places, axis=0) + 1)


def _synthesize(image, guide, mask):
    """float32 [H, W, 3] in [0, 1], drawn in the holes."""
    hole = _last(mask)
    guide = tf.where(hole, guide, image)
    planes = tf.concat([image, guide, tf.cast(hole, tf.float32)], axis=-1)

    def draw(index, times, drawn, field, across, found):
        level = _Level.of(planes, times)
        rounds = tf.gather(_ROUNDS, tf.minimum(index, len(_ROUNDS) - 1))
        rounds = tf.where(found & (tf.size(level.whole) > MOST_PIXELS), 0, rounds)

        def search(number, drawn, matches):
            """A round; of a level that goes on from a coarser one, round -1 draws what that found."""

            def compare():
                return tf.cond(
                    found | (number >= _WHOLE_ROUNDS),
                    lambda: level.search_near(drawn, matches),
                    lambda: level.compare_all(drawn),
                )

            taken = matches, tf.zeros_like(matches, tf.float32)
            matches, distances = tf.cond(number < 0, lambda: taken, compare)
            return number + 1, level.vote(matches, distances), matches

        def drawn_level():
            _, drawn, matches = tf.while_loop(
                lambda number, *_: number < rounds,
                search,
                (tf.where(found, -1, 0), level.filled, level.enlarged(field, across)),
                shape_invariants=(_NUMBER, _COLOURS, _LIST),
                parallel_iterations=1,
            )
            return drawn, tf.scatter_nd(_last(level.targets), matches, tf.shape(level.whole)), level.width, True

        # Where nothing is known whole at this size, perhaps it is at the next.
        drawn, field, across, found = tf.cond(
            tf.reduce_any(level.whole), drawn_level, lambda: (drawn, field, across, found)
        )
        return index + 1, times // 2, drawn, field, across, found

    _, _, drawn, *_ = tf.while_loop(
        lambda _, times, *__: times > 0,
        draw,
        (0, _coarsest(mask), tf.reshape(guide, [-1, 3]), tf.constant([0]), 1, False),
        shape_invariants=(_NUMBER, _NUMBER, _COLOURS, _LIST, _NUMBER, _NUMBER),
        parallel_iterations=1,
    )
    return tf.reshape(drawn, tf.shape(guide))


def _coarsest(mask):
    """By how much the coarsest level is shrunk, a power of two: int32."""
    times, across = tf.constant(_TIMES), _thickness(mask)
    wanted = (across > _COARSEST * times) | (tf.size(mask) // times // times > MOST_PIXELS)
    larger = wanted & (tf.reduce_min(tf.shape(mask)) >= 2 * times * _SMALLEST)
    return tf.gather(times, tf.argmin(tf.cast(larger, tf.int32)))  # the first that is not


def _share_of_prediction(drawn, mask):
    """How much of the prediction a hole drawn from patches takes: the more, the more detail it lacks, in [0, 0.75]."""
    around, inner = _near(mask, _AROUND) & ~mask, ~_near(~mask, _RIM)
    inner = tf.where(tf.reduce_any(inner), inner, mask)
    grey = tf.reduce_mean(drawn, axis=-1, keepdims=True)
    energy = tf.squeeze(tf.square(grey - _blurred(grey, _DETAIL)), -1) + _FAINT
    means = (tf.reduce_sum(tf.where(place, energy, 0.0)) / _count(place) for place in (around, inner))
    lack = tf.math.log(tf.math.divide_no_nan(*means))
    share = tf.clip_by_value(_MIXED * (lack - _LEAST_LACK), 0.0, _MOST)
    return tf.where(tf.reduce_any(around), share, 0.0)


class _Level(NamedTuple):
    """An image at one size.

    Attributes:
        height, width: of it: int32.
        filled: float32 [h * w, 3], the image's colours, in the holes the guide's.
        counted: float32 [h * w, 4], the same and a 1, of which sums are counts.
        mask: bool [h * w, 1].
        holes: where it has some: int32 [M].
        whole: bool [h * w], where a patch is known whole.
        targets: the patches that touch a hole: int32 [N].
        index: int32 [(h + 8) * (w + 8)], which target a position is of the level continued by 4 pixels; N is none.
        colours: float32 [h * w, 3], the guide's, blurred and weighted; anything where nothing is searched.
    """

    height: tf.Tensor
    width: tf.Tensor
    filled: tf.Tensor
    counted: tf.Tensor
    mask: tf.Tensor
    holes: tf.Tensor
    whole: tf.Tensor
    targets: tf.Tensor
    index: tf.Tensor
    colours: tf.Tensor

    @classmethod
    def of(cls, planes, times):
        """Of an image, a guide and a mask, together [H, W, 7], shrunk so many times."""
        image, guide, share = tf.split(_shrunk(planes, times), [3, 3, 1], axis=-1)
        hole = share > 0.0
        mask = tf.squeeze(hole, -1)
        height, width = tf.unstack(tf.shape(mask))
        touched = _near(mask, _RADIUS)
        rows, columns = (
            (at >= _RADIUS) & (at < length - _RADIUS) for length in (height, width) for at in [tf.range(length)]
        )
        whole = ~touched & _last(rows) & columns
        targets = _flat(_where(_flat(touched)))
        number = tf.size(targets)
        size = (height + 2 * _FARTHEST) * (width + 2 * _FARTHEST)
        index = tf.scatter_nd(_last(_in_index(targets, width)), tf.range(number) - number, [size]) + number

        def colours():
            blur = _BLUR * tf.maximum(1.0, tf.cast(_thickness(mask), tf.float32) / _FAMILIAR)
            return _GUIDANCE * _blurred(guide, blur)

        colours = tf.cond(tf.size(mask) <= MOST_PIXELS, colours, lambda: guide)
        filled = tf.reshape(tf.where(hole, guide, image), [-1, 3])
        return cls(
            height,
            width,
            filled,
            tf.pad(filled, [[0, 0], [0, 1]], constant_values=1.0),
            tf.reshape(hole, [-1, 1]),
            _flat(_where(_flat(hole))),
            _flat(whole),
            targets,
            index,
            tf.reshape(colours, [-1, 3]),
        )

    def enlarged(self, field, across):
        """The matches of a level of half as many rows and columns and that width, here: positions known whole, too."""
        row, column = self.targets // self.width, self.targets % self.width
        found = tf.gather(field, tf.minimum(row // 2 * across + column // 2, tf.size(field) - 1))
        return (found // across * 2 + row % 2) * self.width + found % across * 2 + column % 2

    def compared(self, pixels, middles):
        """What is compared of the patches of an image, [h * w, 3], that lie whole in it: float32 [N, D].

        Their pixels, and the guide's colours, in whole levels: sums of squares stay below 2 ** 24, so that whatever the
        order of adding they are exact, and what is most alike does not depend on the machine or the runtime.
        """
        return self._with_colours(tf.gather(pixels, _last(middles) + self._steps(_WITHIN, self.width)), middles)

    def compared_at_targets(self, pixels):
        """As `compared`, of the targets, which may reach beyond the image: its border goes on there."""
        steps = tf.range(-_RADIUS, _RADIUS + 1)
        rows = tf.clip_by_value(_last(self.targets // self.width) + steps, 0, self.height - 1)
        columns = tf.clip_by_value(_last(self.targets % self.width) + steps, 0, self.width - 1)
        flat = _last(rows) * self.width + tf.expand_dims(columns, 1)  # [N, 7, 7]
        return self._with_colours(tf.gather(pixels, flat), self.targets)

    def _with_colours(self, pixels, middles):
        pixels = tf.reshape(pixels, [-1, 3 * _PATCH * _PATCH])
        values = tf.concat([pixels, tf.gather(self.colours, middles)], axis=1)
        return tf.floor(255.0 * values + _NEARLY_HALF)

    def compare_all(self, drawn):
        """(match of each target, how unlike it is): among all known patches, or every few where they are too many."""
        sources = _flat(_where(self.whole))
        most = tf.maximum(_MOST_PAIRS // tf.size(self.targets), 1)
        number = tf.size(sources)
        sources = tf.gather(sources, tf.range(0, number, 1 + (number - 1) // most))
        targets, known = self.compared_at_targets(drawn), self.compared(self.filled, sources)
        lengths = _squares(known)

        def compare(first, best):
            part = targets[first : first + _AT_ONCE]
            unlike = lengths - 2.0 * tf.matmul(part, known, transpose_b=True)
            return first + _AT_ONCE, tf.concat([best, tf.argmin(unlike, axis=1, output_type=tf.int32)], axis=0)

        _, best = tf.while_loop(
            lambda first, _: first < tf.size(self.targets),
            compare,
            (0, tf.zeros([0], tf.int32)),
            shape_invariants=(_NUMBER, _LIST),
            parallel_iterations=1,
        )
        return tf.gather(sources, best), _squares(targets - tf.gather(known, best))

    def search_near(self, drawn, matches):
        """(matches, how unlike they are): those given, or better ones that continue a neighbour's, or lie beside."""
        targets, middles, last = self.compared_at_targets(drawn), self._in_index(self.targets), tf.size(self.whole) - 1
        distances = _squares(targets - self.compared(self.filled, matches))
        besides, steps = zip(*_ATTEMPTS)
        besides, steps = self._steps(besides, self._index_width), self._steps(steps, self.width)

        def attempt(number, best, distances):
            neighbour = tf.gather(self.index, middles + tf.gather(besides, number))
            # Beyond the border nothing is whole, nor where its flat position comes to lie: matches lie 3 pixels within.
            known = tf.gather(tf.concat([best, [0]], axis=0), neighbour)
            candidates = tf.clip_by_value(known + tf.gather(steps, number), 0, last)
            chosen = _flat(_where(tf.gather(self.whole, candidates) & (candidates != best)))
            candidates = tf.gather(candidates, chosen)
            found = _squares(tf.gather(targets, chosen) - self.compared(self.filled, candidates))
            better = _flat(_where(found < tf.gather(distances, chosen)))
            # TensorFlow Lite has no update in one operation.
            places, shape = _last(tf.gather(chosen, better)), tf.shape(best)
            changed = tf.scatter_nd(places, tf.ones_like(better), shape) > 0
            best = tf.where(changed, tf.scatter_nd(places, tf.gather(candidates, better), shape), best)
            distances = tf.where(changed, tf.scatter_nd(places, tf.gather(found, better), shape), distances)
            return number + 1, best, distances

        _, best, distances = tf.while_loop(
            lambda number, *_: number < len(_ATTEMPTS),
            attempt,
            (0, matches, distances),
            shape_invariants=(_NUMBER, _LIST, _LIST),
            parallel_iterations=1,
        )
        return best, distances

    def vote(self, matches, distances):
        """`filled`, with its holes drawn: at each pixel the mean of what patches over it found, the likest most."""
        usual = tf.gather(tf.sort(distances), 3 * (tf.size(distances) - 1) // 4)
        weights = tf.exp(-2.0 * distances / tf.maximum(usual, _ALIKE)) + 1e-6
        weights = tf.concat([weights, [0.0]], axis=0)  # and of none
        found = tf.concat([matches, matches[:1]], axis=0)
        middles = self._in_index(self.holes)
        besides, steps = self._steps(_WITHIN, self._index_width), self._steps(_WITHIN, self.width)

        def add(number, total):
            patches = tf.gather(self.index, middles - tf.gather(besides, number))
            counts = tf.gather(_NEARNESS, number) * tf.gather(weights, patches)
            seen = tf.gather(found, patches) + tf.gather(steps, number)
            return number + 1, total + _last(counts) * tf.gather(self.counted, seen)

        _, total = tf.while_loop(
            lambda number, _: number < _PATCH**2,
            add,
            (0, tf.zeros_like(tf.gather(self.counted, self.holes))),
            shape_invariants=(_NUMBER, tf.TensorShape([None, 4])),
            parallel_iterations=1,
        )
        total, weight = tf.split(total, [3, 1], axis=1)
        return tf.where(
            self.mask, tf.scatter_nd(_last(self.holes), total / weight, tf.shape(self.filled)), self.filled
        )

    @property
    def _index_width(self):
        return self.width + 2 * _FARTHEST

    def _in_index(self, places):
        return _in_index(places, self.width)

    @staticmethod
    def _steps(steps, width):
        """int32 [N]: steps of so many rows and columns, by flat positions of that width."""
        rows, columns = zip(*steps)
        return tf.constant(rows) * width + columns


_NUMBER, _LIST = tf.TensorShape([]), tf.TensorShape([None])
_PLANE, _COLOURS = tf.TensorShape([None, None]), tf.TensorShape([None, 3])


def _in_index(places, width):
    """Positions of a level of that width, in its `index`."""
    return places + 2 * _FARTHEST * (places // width) + _FARTHEST * (width + 2 * _FARTHEST + 1)


def _where(marked):
    return tf.cast(tf.where(marked), tf.int32)


def _flat(array):
    return tf.reshape(array, [-1])


def _count(marked):
    return tf.reduce_sum(tf.cast(marked, tf.float32))


def _last(array):
    """With a last axis of 1; indexing by `tf.newaxis` is not known to other runtimes."""
    return tf.expand_dims(array, -1)


def _squares(rows):
    return tf.reduce_sum(tf.square(rows), axis=1)


def _shrunk(array, times):
    """[H, W, C] with so many times fewer rows and columns, each the mean of a block; the last go on as they end."""
    lengths = tf.unstack(tf.shape(array))[:2]
    fewer = [(length + times - 1) // times for length in lengths]
    for axis in (0, 1):
        array = tf.gather(array, tf.minimum(tf.range(fewer[axis] * times), lengths[axis] - 1), axis=axis)
    blocks = tf.reshape(array, [fewer[0], times, fewer[1], times, array.shape[2]])
    return tf.reduce_mean(blocks, axis=[1, 3])


def _blurred(array, deviation):
    """[H, W, C] blurred by a Gaussian, continued as its mirror image."""
    radius = tf.cast(tf.math.ceil(4.0 * deviation), tf.int32)
    steps = tf.range(-radius, radius + 1)
    weights = tf.exp(-0.5 * tf.square(tf.cast(steps, tf.float32) / deviation))
    weights /= tf.reduce_sum(weights)

    def along_rows(axis, array):
        length = tf.shape(array)[0]
        seen, rows = tf.gather(array, mirrored(tf.range(-radius, length + radius), length)), tf.range(length)

        def add(number, total):
            return number + 1, total + tf.gather(weights, number) * tf.gather(seen, rows + number)

        _, blurred = tf.while_loop(
            lambda number, _: number < tf.size(weights),
            add,
            (0, tf.zeros_like(array)),
            shape_invariants=(_NUMBER, shape),
            parallel_iterations=1,
        )
        return axis + 1, tf.transpose(blurred, [1, 0, 2])

    shape = tf.TensorShape([None, None, array.shape[2]])
    _, array = tf.while_loop(
        lambda axis, _: axis < 2, along_rows, (0, array), shape_invariants=(_NUMBER, shape), parallel_iterations=1
    )
    return array


def _summed(marked):
    """int32 [h + 1, w + 1]: how many are marked above and left of a corner."""
    return tf.cumsum(tf.cumsum(tf.pad(tf.cast(marked, tf.int32), [[1, 0], [1, 0]]), axis=0), axis=1)


def _near(marked, distance):
    """bool [h, w]: at most so many rows and columns from what is marked."""
    number = _summed(marked)
    for axis, length in enumerate(tf.unstack(tf.shape(marked))):
        at = tf.range(length)
        first, end = tf.maximum(at - distance, 0), tf.minimum(at + (distance + 1), length)
        number = tf.gather(number, end, axis=axis) - tf.gather(number, first, axis=axis)
    return number > 0


def _thickness(mask):
    """Side of the largest square in which all is True, made odd by one more: int32; 0 where nothing is.

    What lies beyond the image counts as False.
    """
    before = _summed(mask)

    def fits(side):
        rows = before[side:] - before[:-side]
        return tf.reduce_any(rows[:, side:] - rows[:, :-side] == tf.square(side))

    def halve(least, most):
        middle = (least + most + 1) // 2
        found = fits(middle)
        return tf.where(found, middle, least), tf.where(found, most, middle - 1)

    side, _ = tf.while_loop(lambda least, most: least < most, halve, (0, tf.reduce_min(tf.shape(mask))))
    return 2 * ((side + 1) // 2)
