import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops.boxes import (
    Box,
    bounding_box,
    bounds,
    corners_around,
    crop,
    crop_boxes,
    crop_window,
    paste,
    paste_boxes,
    paste_window,
    window_around,
)


def _box(top, left, bottom, right):
    return Box(tf.constant([top, left]), tf.constant([bottom, right]))


def _numbers(box):
    return [*box.first.numpy(), *box.end.numpy()]


def _mask(height, width, rows, columns):
    mask = np.zeros([height, width, 1], np.float32)
    mask[slice(*rows), slice(*columns)] = 1
    return tf.constant(mask)


def test_the_box_around_the_holes_of_a_batch():
    mask = np.zeros([2, 6, 9, 1], np.float32)
    assert _numbers(bounding_box(mask)) == [0, 0, 1, 1], "of no hole, a position"
    mask[0, 2, 4] = mask[0, 3, 7] = 1
    assert _numbers(bounding_box(mask)) == [2, 4, 4, 8]
    mask[1, 5, 0] = 1
    assert _numbers(bounding_box(mask)) == [2, 0, 6, 8]
    assert _numbers(bounding_box(np.ones_like(mask))) == [0, 0, 6, 9]


def test_the_box_around_each_hole():
    mask = np.zeros([2, 6, 9, 1], bool)
    mask[0, 2, 4] = mask[0, 3, 7] = True
    first, end = bounds(mask)
    np.testing.assert_array_equal(first, [[2, 4], [6, 9]])
    np.testing.assert_array_equal(end, [[4, 8], [0, 0]])


def test_boxes_on_coarser_and_finer_grids():
    box = _box(-3, 5, 7, 9)
    assert _numbers(box.shrunk(2)) == [-2, 2, 4, 5], "floor and ceiling, below 0 too"
    assert _numbers(box.enlarged(2)) == [-6, 10, 14, 18]
    assert _numbers(box.grown(2)) == [-5, 3, 9, 11]
    assert _numbers(box.within(tf.constant([6, 8]))) == [0, 5, 6, 8]
    assert _numbers(box.seen_from(_box(-4, 2, 9, 9))) == [1, 3, 11, 7]
    assert box.size.numpy().tolist() == [10, 4]


def test_a_crop_is_pasted_back_among_zeros():
    maps = tf.random.stateless_normal([2, 6, 9, 3], [0, 1]), tf.ones([2, 6, 9, 1])
    box = _box(2, 4, 5, 9)
    inside = tf.pad(tf.ones([1, 3, 5, 1]), [[0, 0], [2, 1], [4, 0], [0, 0]])
    for pasted, original in zip(paste(crop(maps, box), box, tf.constant([6, 9])), maps):
        np.testing.assert_array_equal(pasted, original * inside)


@pytest.mark.parametrize("inset", [(0, 0), (3, 5), (7, 1)])
def test_the_box_around_an_inset_box_is_the_box(inset):
    mask = np.zeros([2, 64, 96, 1], np.float32)
    corners = [(4, 30), (40, 0)]
    for i, (top, left) in enumerate(corners):
        mask[i, top + inset[0] : top + 24 - inset[0], left + inset[1] : left + 32 - inset[1]] = 1
    np.testing.assert_array_equal(corners_around(mask, 24, 32), corners)


def test_the_box_stays_inside_and_an_empty_mask_gets_the_centre():
    mask = np.zeros([3, 64, 64, 1], np.float32)
    mask[0, :2, :2] = 1
    mask[1, -2:, -2:] = 1
    np.testing.assert_array_equal(corners_around(mask, 32, 32), [(0, 0), (32, 32), (16, 16)])


def test_where_holes_reach_farther_the_box_lies_around_the_middle_one():
    mask = np.zeros([3, 64, 64, 1], np.float32)
    mask[:2, 0:10, 0:8] = mask[:2, 50:60, 40:48] = 1
    mask[0, 20:30, 30:42] = 1  # 400 pixels are hole; the 200th is the last of its tenth row
    mask[1, 20:24, 30:34] = 1  # the 176 pixels' middle is in it
    mask[2, 10:40, 20:30] = 1  # one, farther down than the box
    np.testing.assert_array_equal(corners_around(mask, 16, 16), [(17, 28), (14, 24), (17, 17)])
    alone = corners_around(mask[1:2], 16, 16)
    np.testing.assert_array_equal(alone, [(14, 24)])


def test_crops_are_cut_where_asked_and_gradients_come_back_there():
    images = tf.random.normal([2, 16, 16, 3])
    corners = tf.constant([[0, 3], [8, 8]])
    with tf.GradientTape() as tape:
        tape.watch(images)
        crops = crop_boxes(images, corners, 8, 4)
        total = tf.reduce_sum(crops)
    gradient = tape.gradient(total, images).numpy()
    for i, (top, left) in enumerate(corners.numpy()):
        np.testing.assert_array_equal(crops[i], images[i, top : top + 8, left : left + 4])
        expected = np.zeros([16, 16, 3])
        expected[top : top + 8, left : left + 4] = 1
        np.testing.assert_array_equal(gradient[i], expected)


def test_pasting_undoes_cropping():
    images = tf.random.stateless_uniform([2, 9, 11, 3], [1, 2])
    corners = tf.constant([[0, 4], [5, 0]])
    crops = crop_boxes(images, corners, 4, 5)
    pasted = paste_boxes(crops, corners, 9, 11)
    np.testing.assert_array_equal(crop_boxes(pasted, corners, 4, 5), crops)
    assert np.count_nonzero(pasted) == np.count_nonzero(crops)


@pytest.mark.parametrize(
    "image, rows, columns, ratio, centred, expected",
    [
        ((128, 128), (36, 92), (36, 92), 56 / 128, True, (0, 0, 128)),  # what the network was trained on: nothing moves
        ((128, 128), (50, 60), (36, 92), 56 / 128, True, (-9, 0, 128)),
        ((400, 300), (100, 212), (50, 100), 56 / 128, True, (28, -53, 256)),  # a larger hole: seen from further away
        ((400, 300), (100, 110), (150, 160), 56 / 128, True, (41, 91, 128)),  # a small one: not enlarged
        ((64, 64), (20, 40), (20, 40), 56 / 128, True, (-2, -2, 64)),  # a small image
        ((400, 300), (0, 112), (250, 300), 56 / 128, False, (0, 44, 256)),  # anywhere in the window: inside the image
        ((64, 64), (40, 60), (0, 20), 0.5, False, (0, 0, 64)),
        ((200, 300), (190, 200), (0, 10), 1.0, False, (72, 0, 128)),
        ((200, 300), (0, 200), (0, 300), 1.0, False, (-50, 0, 300)),
    ],
)
def test_window(image, rows, columns, ratio, centred, expected):
    window = window_around(_mask(*image, rows, columns), 128, ratio, centred)
    (top, left), side = expected[:2], expected[2]
    assert _numbers(window) == [top, left, top + side, left + side]
    assert top <= rows[0] and rows[1] <= top + side and left <= columns[0] and columns[1] <= left + side


def test_no_hole_is_one_at_the_centre():
    window = window_around(tf.zeros([50, 70, 1]), 32, 0.5)
    (top, left), (height, width) = window.first.numpy(), window.size.numpy()
    assert height == width == 32 and abs(top + 16 - 25) <= 1 and abs(left + 16 - 35) <= 1


def test_beyond_the_image_is_its_mirror_image():
    image = tf.constant(np.arange(12, dtype=np.float32).reshape(3, 4, 1))
    seen = crop_window(image, _box(-2, -1, 6, 7), 8)[..., 0].numpy()
    expected = np.pad(image[..., 0], [(2, 3), (1, 3)], mode="symmetric")
    np.testing.assert_array_equal(seen, expected)


def test_a_window_pasted_unchanged_changes_nothing():
    image = tf.random.stateless_uniform([20, 30, 3], [1, 2])
    window = _box(-3, 7, 13, 23)
    np.testing.assert_array_equal(paste_window(crop_window(image, window, 16), window, image), image)


def test_only_the_window_is_replaced():
    image = tf.zeros([20, 30, 1])
    result = paste_window(tf.ones([8, 8, 1]), _box(-4, 10, 12, 26), image).numpy()
    expected = np.zeros([20, 30, 1])
    expected[:12, 10:26] = 1
    np.testing.assert_allclose(result, expected)
