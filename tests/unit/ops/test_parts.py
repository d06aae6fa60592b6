import numpy as np
import tensorflow as tf

from tf_inpaint.ops.parts import Part, bounding_part, cut, put


def _part(top, left, bottom, right):
    return Part(tf.constant([top, left]), tf.constant([bottom, right]))


def _numbers(part):
    return [*part.first.numpy(), *part.end.numpy()]


def test_the_part_around_the_holes_of_a_batch():
    mask = np.zeros([2, 6, 9, 1], np.float32)
    assert _numbers(bounding_part(mask)) == [0, 0, 1, 1], "of no hole, a position"
    mask[0, 2, 4] = mask[0, 3, 7] = 1
    assert _numbers(bounding_part(mask)) == [2, 4, 4, 8]
    mask[1, 5, 0] = 1
    assert _numbers(bounding_part(mask)) == [2, 0, 6, 8]
    assert _numbers(bounding_part(np.ones_like(mask))) == [0, 0, 6, 9]


def test_parts_on_coarser_and_finer_grids():
    part = _part(-3, 5, 7, 9)
    assert _numbers(part.shrunk(2)) == [-2, 2, 4, 5], "floor and ceiling, below 0 too"
    assert _numbers(part.enlarged(2)) == [-6, 10, 14, 18]
    assert _numbers(part.within(tf.constant([6, 8]))) == [0, 5, 6, 8]
    assert _numbers(part.seen_from(_part(-4, 2, 9, 9))) == [1, 3, 11, 7]


def test_what_is_cut_out_is_put_back_among_zeros():
    maps = tf.random.stateless_normal([2, 6, 9, 3], [0, 1]), tf.ones([2, 6, 9, 1])
    part = _part(2, 4, 5, 9)
    inside = tf.pad(tf.ones([1, 3, 5, 1]), [[0, 0], [2, 1], [4, 0], [0, 0]])
    for each, original in zip(put(cut(maps, part), part, tf.constant([6, 9])), maps):
        np.testing.assert_array_equal(each, original * inside)
