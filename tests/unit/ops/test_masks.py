"""Random boxes, and the patch around a hole."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops.masks import MASKS, MaskOptions, box, centre, crop_patches, hole_position


def _boxes(count, options, size=256):
    draw = tf.function(lambda seed: box(seed, size, size, options))
    return np.stack([draw(tf.constant([7, i]))[..., 0] for i in range(count)])


def test_boxes_lie_where_the_release_draws_them():
    masks = _boxes(400, MaskOptions())
    tops = masks.any(2).argmax(1)
    heights, widths = masks.any(2).sum(1), masks.any(1).sum(1)
    for sides in (heights, widths):
        assert set(sides) <= set(range(96, 129, 2))  # 128 less 0 .. 16 on each side
        assert sides.min() <= 98 and sides.max() >= 126
    boxes = tops - (128 - heights) // 2
    assert boxes.min() >= 0 and boxes.max() <= 127
    assert boxes.min() <= 5 and boxes.max() >= 122
    np.testing.assert_allclose(masks.mean(), 0.1915, atol=0.01)  # mean of (112 / 256)^2


def test_box_statistics_are_the_originals(request):
    folder = request.getfixturevalue("reference")
    stored = np.load(folder / "masks.npz")
    areas = _boxes(400, MaskOptions()).mean((1, 2))
    levels, quantiles = stored["quantile_levels"], stored["bbox/area_quantiles"]
    inner = (levels >= 10) & (levels <= 90)
    np.testing.assert_allclose(np.percentile(areas, levels[inner]), quantiles[inner], atol=0.02)


def test_same_seed_same_hole_other_seed_other_hole():
    options = MaskOptions(height=16, width=16, max_delta_height=8, max_delta_width=8)
    first, again, other = (box(tf.constant(seed), 64, 64, options) for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_margins_and_full_size_boxes():
    options = MaskOptions(height=32, width=16, max_delta_height=0, max_delta_width=0, horizontal_margin=20)
    for i in range(20):
        mask = box(tf.constant([0, i]), 32, 64, options).numpy()[..., 0]
        assert mask.sum() == 32 * 16 and not mask[:, :20].any() and not mask[:, 44:].any()


def test_centre():
    options = MaskOptions("centre", 8, 4, 0, 0)
    mask = centre(tf.constant([0, 0]), 16, 16, options).numpy()[..., 0]
    assert mask[4:12, 6:10].all() and mask.sum() == 32


def test_every_mask_is_binary_and_of_the_size_asked_for():
    for name, draw in MASKS.items():
        mask = draw(tf.constant([3, 4]), 48, 64, MaskOptions(name, 16, 24, 4, 4)).numpy()
        assert mask.shape == (48, 64, 1) and mask.dtype == np.float32 and set(np.unique(mask)) == {0.0, 1.0}, name


@pytest.mark.parametrize("inset", [(0, 0), (3, 5), (7, 1)])
def test_the_patch_around_an_inset_box_is_the_box(inset):
    mask = np.zeros([2, 64, 96, 1], np.float32)
    corners = [(4, 30), (40, 0)]
    for i, (top, left) in enumerate(corners):
        mask[i, top + inset[0] : top + 24 - inset[0], left + inset[1] : left + 32 - inset[1]] = 1
    np.testing.assert_array_equal(hole_position(mask, 24, 32), corners)


def test_the_patch_stays_inside_and_an_empty_mask_gets_the_centre():
    mask = np.zeros([3, 64, 64, 1], np.float32)
    mask[0, :2, :2] = 1
    mask[1, -2:, -2:] = 1
    np.testing.assert_array_equal(hole_position(mask, 32, 32), [(0, 0), (32, 32), (16, 16)])


def test_crops_are_cut_where_asked_and_gradients_come_back_there():
    images = tf.random.normal([2, 16, 16, 3])
    position = tf.constant([[0, 3], [8, 8]])
    with tf.GradientTape() as tape:
        tape.watch(images)
        patches = crop_patches(images, position, 8, 4)
        total = tf.reduce_sum(patches)
    gradient = tape.gradient(total, images).numpy()
    for i, (top, left) in enumerate(position.numpy()):
        np.testing.assert_array_equal(patches[i], images[i, top : top + 8, left : left + 4])
        expected = np.zeros([16, 16, 3])
        expected[top : top + 8, left : left + 4] = 1
        np.testing.assert_array_equal(gradient[i], expected)
