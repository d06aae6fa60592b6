"""All kinds of masks, and boxes above all."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops.masks import MASKS, MaskOptions, box, centre


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


def _draw(kind, size=(48, 64), seed=0, **options):
    boxes = {"height": 16, "width": 16, "max_delta_height": 8, "max_delta_width": 8}
    options = MaskOptions(kind, **{**boxes, **options})
    return MASKS[kind](tf.constant([9, seed]), *size, options).numpy()[..., 0]


@pytest.mark.parametrize("kind", ["box", "brush_stroke", "union", "shapes"])
def test_same_seed_same_hole_other_seed_other_hole(kind):
    np.testing.assert_array_equal(_draw(kind), _draw(kind))
    assert len({_draw(kind, seed=i).tobytes() for i in range(20)}) == 20


@pytest.mark.parametrize("kind", MASKS)
def test_holes_can_be_compiled(kind):
    """The numbers drawn are others: the compiler has a generator of its own."""
    options = MaskOptions(kind, 16, 16, 8, 8)
    mask = tf.function(lambda seed: MASKS[kind](seed, 96, 64, options), jit_compile=True)(tf.constant([9, 1])).numpy()
    assert mask.shape == (96, 64, 1) and set(np.unique(mask)) == {0, 1}


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("size", [(64, 64), (96, 160), (40, 24)])
def test_some_is_hole_and_some_is_known_whatever_the_kind(kind, size):
    for seed in range(20):
        mask = _draw(kind, size, seed, brush_width=(4.0, 8.0), segments=(4, 6))
        assert mask.shape == size and set(np.unique(mask)) == {0, 1}


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_half(side):
    mask = _draw("half", (8, 6), side=side)
    expected = np.zeros((8, 6))
    place = {"left": np.s_[:, :3], "right": np.s_[:, 3:], "top": np.s_[:4], "bottom": np.s_[4:]}[side]
    expected[place] = 1
    np.testing.assert_array_equal(mask, expected)


def test_random_halves_are_all_four():
    assert len({_draw("half", (8, 6), seed).tobytes() for seed in range(40)}) == 4


def test_outpainting_leaves_the_middle():
    mask = _draw("outpainting", (8, 20), border=0.25)
    expected = np.ones((8, 20))
    expected[2:6, 5:15] = 0
    np.testing.assert_array_equal(mask, expected)
    assert _draw("outpainting", (3, 3), border=0.49).sum() == 8


def test_union_is_a_box_and_strokes():
    thin = {"strokes": (1, 1), "segments": (1, 1), "brush_width": (2.0, 3.0)}
    mask = _draw("union", (64, 64), **thin, max_delta_height=0, max_delta_width=0)
    rows = mask.sum(1) >= 16
    assert rows.sum() >= 16 and mask.sum() > 256


def test_margins_and_full_size_boxes():
    options = MaskOptions(height=32, width=16, max_delta_height=0, max_delta_width=0, horizontal_margin=20)
    for i in range(20):
        mask = box(tf.constant([0, i]), 32, 64, options).numpy()[..., 0]
        assert mask.sum() == 32 * 16 and not mask[:, :20].any() and not mask[:, 44:].any()


def test_centre():
    options = MaskOptions("centre", 8, 4, 0, 0)
    mask = centre(tf.constant([0, 0]), 16, 16, options).numpy()[..., 0]
    assert mask[4:12, 6:10].all() and mask.sum() == 32
