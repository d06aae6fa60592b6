"""Patch-based synthesis: holes filled by patches of what is known, as a network's prediction says.

A network knows what goes where, and small ones blur it; patches of the image itself are sharp, and know nothing. From
coarse to fine, each patch that touches the hole looks for the known patch that is most like it and like the
prediction's blurred colours there; then each pixel of the hole becomes the mean of what the patches found say of it.
The coarsest level compares all with all, finer ones go on from there. Where the patches found lack the detail that lies
around the hole, what belongs there is nowhere else in the image, and the prediction is mixed in. Nothing is random.

Positions are flat, row x width + column, int32 [N]; patches are known by their middles. Blurs and the like are written
as shifts and sums: sizes differ from hole to hole, and TensorFlow's convolutions keep something for each of them.
"""

from __future__ import annotations

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
_MOST_PIXELS = 600_000  # of a level in which patches are searched; larger ones take what was found, enlarged
_REACH = 256  # least side of what is searched around a hole
_CELL = 32  # pixels: holes in cells of this side are drawn together where at most one such cell lies between
_AT_ONCE = 1024
_NEARLY_HALF = 0.47  # by which values are rounded: halves, which means of pixels are, would fall to either side
_ALIKE = 0.1  # squared levels of a patch, below which differences say nothing
_DETAIL = 1.5  # pixels: what this blur takes away is detail
_AROUND = 16  # pixels around a hole, whose detail it should have
_RIM = 4  # pixels of a hole, where patches are mostly known, and say nothing of what was found
_FAINT = 1e-6  # energy, of values in [0, 1], that counts as none
_MIXED, _LEAST_LACK, _MOST = 0.4, 0.25, 0.75  # share of the prediction for each e-fold of missing energy; from; at most
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
        window = _window(mask, groups == group)
        rows, columns = (slice(window.first[axis], window.end[axis]) for axis in (0, 1))
        hole, known, guide = mask[rows, columns], *(_to_unit(array[rows, columns]) for array in (image, completed))
        drawn = _synthesize(known, guide, hole)
        drawn += _share_of_prediction(drawn, hole) * (guide - drawn)
        inside = _where(hole)
        inside = tf.boolean_mask(inside, tf.gather_nd(groups, (inside + window.first) // _CELL) == group)
        levels = tf.clip_by_value(tf.round(tf.gather_nd(drawn, inside) * 255.0), 0.0, 255.0)
        return (
            tf.where(groups == group, 0, groups),
            tf.concat([positions, inside + window.first], axis=0),
            tf.concat([colours, levels], axis=0),
        )

    _, positions, colours = tf.while_loop(
        lambda groups, *_: tf.reduce_any(groups > 0),
        draw,
        (groups, tf.zeros([0, 2], tf.int32), tf.zeros([0, 3])),
        shape_invariants=(tf.TensorShape([None, None]), tf.TensorShape([None, 2]), tf.TensorShape([None, 3])),
        parallel_iterations=1,
    )
    return positions, colours


def _groups(mask):
    """int32 [h, w]: for each cell with a hole the number, from 1, of the holes drawn together; 0 elsewhere."""
    size = tf.shape(mask)
    cells = (size + _CELL - 1) // _CELL
    padded = tf.pad(mask, tf.stack([[0, 0], cells * _CELL - size], axis=1))
    holes = tf.reduce_any(tf.reshape(padded, [cells[0], _CELL, cells[1], _CELL]), axis=[1, 3])
    own = tf.where(holes, 1 + tf.reshape(tf.range(cells[0] * cells[1]), cells), 0)

    def spread(groups, _):
        largest = groups
        for axis in (0, 1):
            shifted = (_shifted(largest, step, axis) for step in (-2, -1, 1, 2))
            largest = tf.reduce_max(tf.stack([largest, *shifted]), axis=0)
        return tf.where(holes, largest, 0), groups

    shape = tf.TensorShape([None, None])
    groups, _ = tf.while_loop(
        lambda groups, before: tf.reduce_any(groups != before), spread, (own, own - 1), shape_invariants=(shape, shape)
    )
    return groups


def _window(mask, cells):
    """`Box` of what is looked at for the holes in some cells."""
    near = _bounds(cells).enlarged(_CELL).within(tf.shape(mask))
    hole = _bounds(mask[near.first[0] : near.end[0], near.first[1] : near.end[1]])
    side = tf.maximum(_REACH, 2 * tf.reduce_max(hole.size))
    corner = (2 * near.first + hole.first + hole.end - side) // 2  # ONNX rounds quotients below 0 otherwise
    corner = tf.maximum(tf.minimum(corner, tf.shape(mask) - side), 0)
    return Box(corner, tf.minimum(corner + side, tf.shape(mask)))


def _bounds(marked):
    """`Box` around what is marked, bool [h, w], if anything is; that of `ops.boxes` is lost on ONNX within loops."""
    places = _where(marked)
    return Box(tf.reduce_min(places, axis=0), tf.reduce_max(places, axis=0) + 1)


def _synthesize(image, guide, mask):
    """float32 [H, W, 3] in [0, 1], drawn in the holes."""
    guide = tf.where(_last(mask), guide, image)

    def draw(index, times, drawn, field, found):
        level = _Level.of(image, guide, mask, times)
        rounds = tf.gather(_ROUNDS, tf.minimum(index, len(_ROUNDS) - 1))
        rounds = tf.where(found & (tf.size(level.mask) > _MOST_PIXELS), 0, rounds)

        def search(number, drawn, matches):
            """A round; of a level that goes on from a coarser one, round -1 draws what that found."""

            def compare():
                return tf.cond(
                    found | (number >= _WHOLE_ROUNDS),
                    lambda: level.search_near(drawn, matches),
                    lambda: level.compare_all(drawn),
                )

            taken = matches, tf.zeros(tf.shape(matches))
            matches, distances = tf.cond(number < 0, lambda: taken, compare)
            return number + 1, level.vote(matches, distances), matches

        def drawn_level():
            filled = tf.where(_last(level.mask), level.guide, level.image)
            matches = level.enlarged(field)
            _, drawn, matches = tf.while_loop(
                lambda number, *_: number < rounds,
                search,
                (tf.where(found, -1, 0), filled, matches),
                shape_invariants=(tf.TensorShape([]), _COLOURS, _LIST),
                parallel_iterations=1,
            )
            return drawn, level.spread(matches), True

        # Where nothing is known whole at this size, perhaps it is at the next.
        drawn, field, found = tf.cond(tf.reduce_any(level.whole), drawn_level, lambda: (drawn, field, found))
        return index + 1, times // 2, drawn, field, found

    nothing = tf.zeros([1, 1], tf.int32)
    *_, drawn, _, _ = tf.while_loop(
        lambda _, times, *__: times > 0,
        draw,
        (0, _coarsest(mask), guide, nothing, False),
        shape_invariants=(*[tf.TensorShape([])] * 2, _COLOURS, tf.TensorShape([None, None]), tf.TensorShape([])),
        parallel_iterations=1,
    )
    return drawn


def _coarsest(mask):
    """By how much the coarsest level is shrunk, a power of two: int32."""
    times, across = tf.constant(_TIMES), _thickness(mask)
    wanted = (across > _COARSEST * times) | (tf.size(mask) // times // times > _MOST_PIXELS)
    larger = wanted & (tf.reduce_min(tf.shape(mask)) >= 2 * times * _SMALLEST)
    return times[tf.argmin(tf.cast(larger, tf.int32))]  # the first that is not


def _share_of_prediction(drawn, mask):
    """How much of the prediction a hole drawn from patches takes: the more, the more detail it lacks, in [0, 0.75]."""
    around, inner = _near(mask, _AROUND) & ~mask, ~_near(~mask, _RIM)
    inner = tf.cond(tf.reduce_any(inner), lambda: inner, lambda: mask)
    grey = tf.reduce_mean(drawn, axis=-1, keepdims=True)
    energy = ((grey - _blurred(grey, _DETAIL)) ** 2)[..., 0] + _FAINT
    means = (tf.reduce_sum(tf.where(place, energy, 0.0)) / _count(place) for place in (around, inner))
    lack = tf.math.log(tf.math.divide_no_nan(*means))
    share = tf.clip_by_value(_MIXED * (lack - _LEAST_LACK), 0.0, _MOST)
    return tf.where(tf.reduce_any(around), share, 0.0)


class _Level(NamedTuple):
    """An image at one size.

    Attributes:
        image, guide: float32 [h, w, 3].
        mask: bool [h, w].
        whole: bool [h * w], where a patch is known whole.
        targets: of the patches that touch a hole, (row, column): int32 [N, 2].
        index: int32 [(h + 8) * (w + 8)], which target a position is of the level continued by 4 pixels; N is none.
        colours: float32 [h * w, 3], the guide's, blurred and weighted; anything where nothing is searched.
    """

    image: tf.Tensor
    guide: tf.Tensor
    mask: tf.Tensor
    whole: tf.Tensor
    targets: tf.Tensor
    index: tf.Tensor
    colours: tf.Tensor

    @classmethod
    def of(cls, image, guide, mask, times):
        image, guide = _shrunk(image, times), _shrunk(guide, times)
        mask = _shrunk(_last(tf.cast(mask, tf.float32)), times)[..., 0] > 0.0
        size = tf.shape(mask)
        touched = _near(mask, _RADIUS)
        inside = [tf.range(size[axis]) for axis in (0, 1)]
        inside = [(at >= _RADIUS) & (at < tf.size(at) - _RADIUS) for at in inside]
        whole = ~touched & _last(inside[0]) & inside[1]
        targets = _where(touched)
        number = tf.shape(targets)[0]
        index = tf.scatter_nd(targets + _FARTHEST, tf.range(number) - number, size + 2 * _FARTHEST) + number

        def colours():
            blur = _BLUR * tf.maximum(1.0, tf.cast(_thickness(mask), tf.float32) / _FAMILIAR)
            return _GUIDANCE * _blurred(guide, blur)

        colours = tf.cond(tf.size(mask) <= _MOST_PIXELS, colours, lambda: guide)
        return cls(image, guide, mask, _flat(whole), targets, _flat(index), tf.reshape(colours, [-1, 3]))

    @property
    def width(self):
        return tf.shape(self.mask)[1]

    def enlarged(self, field):
        """The matches of a level of half as many rows and columns, see `spread`, here: positions known whole, too."""
        row, column = tf.unstack(self.targets, axis=1)
        width = tf.shape(field)[1]
        found = tf.gather(_flat(field), tf.minimum(row // 2 * width + column // 2, tf.size(field) - 1))
        return (found // width * 2 + row % 2) * self.width + found % width * 2 + column % 2

    def spread(self, matches):
        """int32 [h, w]: what each target found."""
        return tf.scatter_nd(self.targets, matches, tf.shape(self.mask))

    def compared(self, image, middles):
        """What is compared of the patches of an image that lie whole in it: float32 [N, D].

        Their pixels, and the guide's colours, in whole levels: sums of squares stay below 2 ** 24, so that whatever the
        order of adding they are exact, and what is most alike does not depend on the machine or the runtime.
        """
        steps = tf.range(-_RADIUS, _RADIUS + 1)
        steps = _flat(_last(steps) * self.width + steps)
        pixels = tf.gather(tf.reshape(image, [-1, 3]), _last(middles) + steps)
        return self._with_colours(pixels, middles)

    def compared_at_targets(self, image):
        """As `compared`, of the targets, which may reach beyond the image: its border goes on there."""
        steps, places = tf.range(-_RADIUS, _RADIUS + 1), []
        for axis, side in enumerate(tf.unstack(tf.shape(self.mask))):
            places.append(tf.clip_by_value(_last(self.targets[:, axis]) + steps, 0, side - 1))
        flat = _last(places[0]) * self.width + tf.expand_dims(places[1], 1)  # [N, 7, 7]
        pixels = tf.gather(tf.reshape(image, [-1, 3]), flat)
        return self._with_colours(pixels, self.targets[:, 0] * self.width + self.targets[:, 1])

    def _with_colours(self, pixels, middles):
        pixels = tf.reshape(pixels, [-1, 3 * _PATCH * _PATCH])
        values = tf.concat([pixels, tf.gather(self.colours, middles)], axis=1)
        return tf.floor(255.0 * values + _NEARLY_HALF)

    def compare_all(self, drawn):
        """(match of each target, how unlike it is): among all known patches, or every few where they are too many."""
        sources = _where(self.whole)[:, 0]
        most = tf.maximum(_MOST_PAIRS // tf.shape(self.targets)[0], 1)
        number = tf.shape(sources)[0]
        sources = tf.gather(sources, tf.range(0, number, 1 + (number - 1) // most))
        targets, known = self.compared_at_targets(drawn), self.compared(self.image, sources)
        lengths = _squares(known)

        def compare(first, best):
            part = targets[first : first + _AT_ONCE]
            unlike = lengths - 2.0 * tf.matmul(part, known, transpose_b=True)
            return first + _AT_ONCE, tf.concat([best, tf.argmin(unlike, axis=1, output_type=tf.int32)], axis=0)

        _, best = tf.while_loop(
            lambda first, _: first < tf.shape(targets)[0],
            compare,
            (0, tf.zeros([0], tf.int32)),
            shape_invariants=(tf.TensorShape([]), _LIST),
            parallel_iterations=1,
        )
        return tf.gather(sources, best), _squares(targets - tf.gather(known, best))

    def search_near(self, drawn, matches):
        """(matches, how unlike they are): those given, or better ones that continue a neighbour's, or lie beside."""
        targets, middles, last = self.compared_at_targets(drawn), self._in_index(self.targets), tf.size(self.mask) - 1
        distances = _squares(targets - self.compared(self.image, matches))

        def attempt(number, best, distances):
            beside, step = tf.unstack(tf.gather(_ATTEMPTS, number))
            neighbour = tf.gather(self.index, middles + beside[0] * self._index_width + beside[1])
            # Beyond the border nothing is whole, nor where its flat position comes to lie: matches lie 3 pixels within.
            known = tf.gather(tf.concat([best, [0]], axis=0), neighbour)
            candidates = tf.clip_by_value(known + step[0] * self.width + step[1], 0, last)
            chosen = _where(tf.gather(self.whole, candidates) & (candidates != best))[:, 0]
            candidates = tf.gather(candidates, chosen)
            found = _squares(tf.gather(targets, chosen) - self.compared(self.image, candidates))
            better = _where(found < tf.gather(distances, chosen))[:, 0]
            places = tf.gather(chosen, better)
            best = _replaced(best, places, tf.gather(candidates, better))
            return number + 1, best, _replaced(distances, places, tf.gather(found, better))

        _, best, distances = tf.while_loop(
            lambda number, *_: number < len(_ATTEMPTS),
            attempt,
            (0, matches, distances),
            shape_invariants=(tf.TensorShape([]), _LIST, _LIST),
            parallel_iterations=1,
        )
        return best, distances

    def vote(self, matches, distances):
        """The image with its holes drawn: at each pixel the mean of what patches over it found, the likest most."""
        usual = tf.sort(distances)[3 * (tf.size(distances) - 1) // 4]
        weights = tf.exp(-2.0 * distances / tf.maximum(usual, _ALIKE)) + 1e-6
        weights, found = tf.concat([weights, [0.0]], axis=0), tf.concat([matches, matches[:1]], axis=0)  # and of none
        holes, pixels = _where(self.mask), tf.reshape(self.image, [-1, 3])
        middles = self._in_index(holes)

        def add(number, total, weight):
            row, column = number // _PATCH - _RADIUS, number % _PATCH - _RADIUS
            patches = tf.gather(self.index, middles - row * self._index_width - column)
            nearness = tf.exp(-tf.cast(row**2 + column**2, tf.float32) / (2 * _SPREAD**2))
            counts = nearness * _last(tf.gather(weights, patches))
            seen = tf.gather(found, patches) + row * self.width + column
            return number + 1, total + counts * tf.gather(pixels, seen), weight + counts

        empty = tf.zeros([tf.shape(holes)[0], 1])
        _, total, weight = tf.while_loop(
            lambda number, *_: number < _PATCH**2,
            add,
            (0, tf.tile(empty, [1, 3]), empty),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, 3]), tf.TensorShape([None, 1])),
            parallel_iterations=1,
        )
        return tf.where(_last(self.mask), tf.scatter_nd(holes, total / weight, tf.shape(self.image)), self.image)

    @property
    def _index_width(self):
        return self.width + 2 * _FARTHEST

    def _in_index(self, places):
        """Flat positions in `index` of (row, column)."""
        return (places[:, 0] + _FARTHEST) * self._index_width + places[:, 1] + _FARTHEST


_COLOURS, _LIST = tf.TensorShape([None, None, 3]), tf.TensorShape([None])


def _to_unit(levels):
    return tf.cast(levels, tf.float32) / 255.0


def _where(marked):
    return tf.cast(tf.where(marked), tf.int32)


def _flat(array):
    return tf.reshape(array, [-1])


def _count(marked):
    return tf.reduce_sum(tf.cast(marked, tf.float32))


def _last(array):
    """With a last axis of 1; indexing by `tf.newaxis` is not known to other runtimes."""
    return tf.expand_dims(array, -1)


def _replaced(values, places, others):
    """Values, [N], of which those at some places are others. TensorFlow Lite has no update in one operation."""
    places, shape = _last(places), tf.shape(values)
    changed = tf.scatter_nd(places, tf.ones_like(others), shape) > 0
    return tf.where(changed, tf.scatter_nd(places, others, shape), values)


def _squares(rows):
    return tf.reduce_sum(rows**2, axis=1)


def _shifted(array, step, axis):
    """What lies `step` farther along an axis, and 0 beyond the end."""
    length = tf.shape(array)[axis]
    at = tf.range(length) + step
    inside = tf.cast((at >= 0) & (at < length), array.dtype)
    moved = tf.gather(array, tf.clip_by_value(at, 0, length - 1), axis=axis)
    return moved * (_last(inside) if axis == 0 else inside)


def _shrunk(array, times):
    """[H, W, C] with so many times fewer rows and columns, each the mean of a block; the last go on as they end."""
    size = tf.shape(array)
    fewer = (size[:2] + times - 1) // times
    for axis in (0, 1):
        array = tf.gather(array, tf.minimum(tf.range(fewer[axis] * times), size[axis] - 1), axis=axis)
    blocks = tf.reshape(array, [fewer[0], times, fewer[1], times, array.shape[2]])
    return tf.reduce_mean(blocks, axis=[1, 3])


def _blurred(array, deviation):
    """[H, W, C] blurred by a Gaussian, continued as its mirror image."""
    radius = tf.cast(tf.math.ceil(4.0 * deviation), tf.int32)
    steps = tf.range(-radius, radius + 1)
    weights = tf.exp(-0.5 * (tf.cast(steps, tf.float32) / deviation) ** 2)
    weights /= tf.reduce_sum(weights)
    for axis in (0, 1):
        length = tf.shape(array)[axis]
        seen = tf.gather(array, mirrored(tf.range(-radius, length + radius), length), axis=axis)

        def add(number, total, seen=seen, length=length, axis=axis):
            beside = seen[number : number + length] if axis == 0 else seen[:, number : number + length]
            return number + 1, total + weights[number] * beside

        _, array = tf.while_loop(
            lambda number, _: number < tf.size(steps),
            add,
            (0, tf.zeros_like(array)),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None, array.shape[2]])),
            parallel_iterations=1,
        )
    return array


def _near(marked, distance):
    """bool [h, w]: at most so many rows and columns from what is marked."""
    for axis in (0, 1):
        length = tf.shape(marked)[axis]
        paddings = [[1, 0], [0, 0]] if axis == 0 else [[0, 0], [1, 0]]
        before = tf.pad(tf.cumsum(tf.cast(marked, tf.int32), axis=axis), paddings)
        at = tf.range(length)
        first, end = tf.maximum(at - distance, 0), tf.minimum(at + distance + 1, length)
        marked = tf.gather(before, end, axis=axis) > tf.gather(before, first, axis=axis)
    return marked


def _thickness(mask):
    """Side of the largest square in which all is True, made odd by one more: int32; 0 where nothing is.

    What lies beyond the image counts as False.
    """
    size = tf.reduce_min(tf.shape(mask))
    before = tf.cumsum(tf.cumsum(tf.pad(tf.cast(mask, tf.int32), [[1, 0], [1, 0]]), axis=0), axis=1)

    def fits(side):
        inside = before[side:, side:] - before[:-side, side:] - before[side:, :-side] + before[:-side, :-side]
        return tf.reduce_any(inside == side**2)

    def halve(least, most):
        middle = (least + most + 1) // 2
        found = fits(middle)
        return tf.where(found, middle, least), tf.where(found, most, middle - 1)

    side, _ = tf.while_loop(lambda least, most: least < most, halve, (0, size))
    return 2 * ((side + 1) // 2)
