"""All kinds of masks. Their statistics are compared with the originals' in tests/golden/test_masks.py."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops.masks import MASKS, MaskOptions
from tf_inpaint.ops.masks.strokes import _segment
from tf_inpaint.ops.masks.turned_box import turn_box


def _draw(kind, size=(48, 64), seed=0, **options):
    boxes = {"height": 16, "width": 16, "max_delta_height": 8, "max_delta_width": 8}
    options = MaskOptions(kind, **{**boxes, **options})
    return MASKS[kind](tf.constant([9, seed]), *size, options).numpy()[..., 0]


def _many(count, kind, size=(64, 64), **options):
    """Masks of `count` seeds: float [count, H, W]."""
    options = MaskOptions(kind, **options)
    signature = [tf.TensorSpec([2], tf.int32)]
    draw = tf.function(lambda seed: MASKS[kind](seed, *size, options), input_signature=signature, autograph=False)
    return np.stack([draw([1, i])[..., 0] for i in range(count)])


@pytest.mark.parametrize("kind", ["box", "brush_stroke", "union", "shapes"])
def test_same_seed_same_hole_other_seed_other_hole(kind):
    np.testing.assert_array_equal(_draw(kind), _draw(kind))
    assert len({_draw(kind, seed=i).tobytes() for i in range(20)}) == 20


@pytest.mark.parametrize("kind", MASKS)
def test_holes_can_be_compiled(kind):
    """The numbers drawn are others: the compiler has a generator of its own."""
    options = MaskOptions(kind, 16, 16, 8, 8)
    draw = tf.function(lambda seed: MASKS[kind](seed, 96, 64, options), jit_compile=True, autograph=False)
    mask = draw(tf.constant([9, 1])).numpy()
    assert mask.shape == (96, 64, 1) and set(np.unique(mask)) == {0, 1}


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("size", [(64, 64), (96, 160), (40, 24)])
def test_some_is_hole_and_some_is_known_whatever_the_kind(kind, size):
    boxes = {"height": 16, "width": 16, "max_delta_height": 8, "max_delta_width": 8}
    for mask in _many(20, kind, size, **boxes, brush_width=(4.0, 8.0), segments=(4, 6)):
        assert mask.shape == size and set(np.unique(mask)) == {0, 1}


def test_boxes_lie_where_the_release_draws_them():
    masks = _many(400, "box", (256, 256))
    tops = masks.any(2).argmax(1)
    heights, widths = masks.any(2).sum(1), masks.any(1).sum(1)
    for sides in (heights, widths):
        assert set(sides) <= set(range(96, 129, 2))  # 128 less 0 .. 16 on each side
        assert sides.min() <= 98 and sides.max() >= 126
    boxes = tops - (128 - heights) // 2
    assert boxes.min() >= 0 and boxes.max() <= 127
    assert boxes.min() <= 5 and boxes.max() >= 122
    np.testing.assert_allclose(masks.mean(), 0.1915, atol=0.01)  # mean of (112 / 256)^2


def test_several_boxes_have_places_of_their_own_and_may_overlap():
    masks = _many(60, "boxes", (64, 64), height=16, width=12, max_delta_height=0, max_delta_width=0, boxes=(2, 3))
    areas = masks.sum(axis=(1, 2)) / (16 * 12)
    assert areas.max() == 3 and areas.min() >= 1 and (areas % 1 > 0).any()
    one = _many(5, "boxes", (64, 64), height=16, width=12, max_delta_height=0, max_delta_width=0, boxes=(1, 1))
    assert (one.sum(axis=(1, 2)) == 16 * 12).all()


def test_margins_and_full_size_boxes():
    exact = {"height": 32, "width": 16, "max_delta_height": 0, "max_delta_width": 0}
    for mask in _many(20, "box", (32, 64), horizontal_margin=20, **exact):
        assert mask.sum() == 32 * 16 and not mask[:, :20].any() and not mask[:, 44:].any()


def test_centre():
    mask = _draw("centre", (16, 16), height=8, width=4, max_delta_height=0, max_delta_width=0)
    assert mask[4:12, 6:10].all() and mask.sum() == 32


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_half(side):
    mask = _draw("half", (8, 6), side=side)
    expected = np.zeros((8, 6))
    expected[{"left": np.s_[:, :3], "right": np.s_[:, 3:], "top": np.s_[:4], "bottom": np.s_[4:]}[side]] = 1
    np.testing.assert_array_equal(mask, expected)


def test_random_halves_are_all_four():
    assert len({_draw("half", (8, 6), seed).tobytes() for seed in range(40)}) == 4


def test_outpainting_leaves_the_middle():
    mask = _draw("outpainting", (8, 20), border=0.25)
    expected = np.ones((8, 20))
    expected[2:6, 5:15] = 0
    np.testing.assert_array_equal(mask, expected)
    assert _draw("outpainting", (3, 3), border=0.49).sum() == 8


def test_a_segment_by_hand():
    mask = _segment(5, 9, (2.0, 2.0), (2.0, 6.0), 1.0)
    expected = np.zeros((5, 9))
    expected[1:4, 2:7] = 1  # the flat sides
    expected[2, 1:8] = 1  # round ends
    np.testing.assert_array_equal(mask, expected)


def test_a_segment_without_length_is_a_disc():
    mask = _segment(7, 7, (3.0, 3.0), (3.0, 3.0), 2.0)
    y, x = np.mgrid[:7, :7] - 3
    np.testing.assert_array_equal(mask, y * y + x * x <= 4)


def test_more_strokes_cover_more():
    few, many = (_many(60, "brush_stroke", strokes=(n, n), brush_width=(6.0, 7.0)).mean() for n in (1, 4))
    assert 2 * few < many < 4 * few  # they overlap


def test_the_brush_is_as_wide_as_asked():
    upright = {"strokes": (1, 1), "segments": (1, 1), "stroke_angle": 90.0, "stroke_angle_spread": 0.0}
    masks = _many(40, "brush_stroke", brush_width=(8.0, 9.0), **upright)
    widths = masks.sum(2).max(1)
    inner = widths[(masks[:, :, 4:-4].sum((1, 2)) == masks.sum((1, 2)))]
    assert len(inner) > 10 and set(inner) == {9.0}  # radius 4 about a pixel's middle


def test_mirroring_takes_away_the_drift():
    def lean(masks):
        coverage = masks.mean((0, 1))
        return coverage[32:].sum() / coverage[:32].sum()

    assert lean(_many(200, "brush_stroke", release_strokes=True)) > 1.3
    assert 0.8 < lean(_many(200, "brush_stroke")) < 1.25


def test_tall_images_are_covered_to_their_ends():
    coverage = _many(150, "brush_stroke", (160, 48)).mean((0, 2))
    assert coverage[:20].mean() > 0.02 and coverage[-20:].mean() > 0.02
    released = _many(150, "brush_stroke", (160, 48), release_strokes=True).mean((0, 2))
    assert released[-40:].max() == 0  # height and width exchanged


def test_union_is_a_box_and_strokes():
    thin = {"strokes": (1, 1), "segments": (1, 1), "brush_width": (2.0, 3.0)}
    mask = _draw("union", (64, 64), **thin, max_delta_height=0, max_delta_width=0)
    rows = mask.sum(1) >= 16
    assert rows.sum() >= 16 and mask.sum() > 256


def test_blobs_have_about_the_area_of_their_circles():
    masks = _many(200, "shapes", (64, 96), shapes=(1, 1), shape_radius=(0.2, 0.2))
    whole = ~(masks[:, [0, -1]].any((1, 2)) | masks[:, :, [0, -1]].any((1, 2)))  # not cut by the image's border
    areas = masks[whole].sum((1, 2)) / (np.pi * (0.2 * 64) ** 2)
    assert len(areas) > 30 and 0.9 < areas.mean() < 1.4 and areas.std() > 0.01


def test_more_blobs_cover_more():
    one, four = (_many(60, "shapes", (64, 96), shapes=(n, n)).mean() for n in (1, 4))
    assert 1.5 * one < four


def test_blobs_are_never_empty_even_if_tiny():
    assert _many(50, "shapes", (64, 96), shape_radius=(1e-3, 2e-3)).any((1, 2)).all()


@pytest.mark.parametrize("size", [(64, 64), (128, 128), (48, 160)])
def test_noise_covers_an_allowed_fraction(size):
    fractions = _many(40, "noise", size, noise_fraction=(0.2, 0.3)).mean((1, 2))
    inside = (fractions >= 0.2) & (fractions <= 0.3)
    assert inside.mean() >= 0.95 and fractions.std() > 0.01


def test_noise_is_blotches_not_pixels():
    mask = _draw("noise", (128, 128), noise_fraction=(0.2, 0.3))
    changes = np.mean(mask[:, 1:] != mask[:, :-1])
    assert 0.01 < changes < 0.06  # white noise of this fraction: 0.38


def test_a_turned_box_keeps_its_shape_and_shrinks_with_the_canvas():
    upright = turn_box(64, 64, 32, 32, 10, 4, 0).numpy()[..., 0]
    expected = np.zeros([64, 64])
    expected[9:43, 3:37] = 1  # one pixel wider all around
    np.testing.assert_array_equal(upright, expected)
    turned = turn_box(64, 64, 32, 32, 16, 16, 45).numpy()[..., 0]
    np.testing.assert_allclose(turned.mean(), 0.14, atol=0.02)
    rows, columns = np.nonzero(turned)
    assert turned[32, columns.min()] and turned[rows.min(), 32] and not turned[rows.min(), columns.min()]  # a diamond


def test_turned_boxes_are_drawn_everywhere():
    masks = _many(60, "turned_box", height=32, width=32)
    assert masks.max(axis=0).mean() > 0.6 and len({float(mask.mean()) for mask in masks}) > 30
