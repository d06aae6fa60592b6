import numpy as np
import tensorflow as tf

from tf_inpaint.ops.flow import colour_wheel, flow_to_image


def test_wheel_has_55_saturated_colours():
    wheel = colour_wheel()
    assert wheel.shape == (55, 3)
    assert (wheel.max(1) == 255).all() and (wheel.min(1) == 0).all()
    np.testing.assert_array_equal(wheel[0], [255, 0, 0])


def test_no_offset_is_white_and_a_picture_does_not_depend_on_its_neighbours():
    offsets = np.zeros([2, 4, 4, 2], np.int32)
    offsets[1, 0, 0] = (30, 0)
    alone = flow_to_image(offsets[:1])
    assert (alone.numpy() == 1).all()
    np.testing.assert_array_equal(flow_to_image(offsets)[:1], alone)


def test_cumulative_lengths_follow_the_longest_so_far():
    offsets = np.zeros([2, 1, 1, 2], np.int32)
    offsets[0, 0, 0], offsets[1, 0, 0] = (0, 10), (0, 5)
    alone, cumulative = flow_to_image(offsets), flow_to_image(offsets, cumulative=True)
    np.testing.assert_array_equal(alone[0], alone[1])
    assert np.any(cumulative[1] != alone[1])
    np.testing.assert_array_equal(cumulative[0], alone[0])


def test_opposite_directions_have_different_hues():
    colours = flow_to_image(tf.constant([[[[0, 9], [0, -9], [9, 0], [-9, 0]]]])).numpy()[0, 0]
    assert len({tuple(c) for c in colours}) == 4
