"""Free-form strokes. Their statistics are compared with the original's in tests/golden/test_masks.py."""

import numpy as np
import tensorflow as tf

from tf_inpaint.ops.masks.strokes import _segment, strokes


def _many(samples, size=(64, 64), **options):
    draw = tf.function(lambda seed: strokes(seed, *size, **options), input_signature=[tf.TensorSpec([2], tf.int32)])
    return np.stack([draw([1, i])[..., 0] for i in range(samples)])


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
    few, many = (_many(60, count=(n, n), brush_width=(6.0, 7.0)).mean() for n in (1, 4))
    assert 2 * few < many < 4 * few  # they overlap


def test_the_brush_is_as_wide_as_asked():
    masks = _many(40, count=(1, 1), segments=(1, 1), brush_width=(8.0, 9.0), angle=90.0, angle_spread=0.0)
    widths = masks.sum(2).max(1)  # of upright strokes
    inner = widths[(masks[:, :, 4:-4].sum((1, 2)) == masks.sum((1, 2)))]
    assert len(inner) > 10 and set(inner) == {9.0}  # radius 4 about a pixel's middle


def test_mirroring_takes_away_the_drift():
    def lean(masks):
        coverage = masks.mean((0, 1))
        return coverage[32:].sum() / coverage[:32].sum()

    assert lean(_many(200, as_released=True)) > 1.3
    assert 0.8 < lean(_many(200)) < 1.25


def test_tall_pictures_are_covered_to_their_ends():
    coverage = _many(150, (160, 48)).mean((0, 2))
    assert coverage[:20].mean() > 0.02 and coverage[-20:].mean() > 0.02
    released = _many(150, (160, 48), as_released=True).mean((0, 2))
    assert released[-40:].max() == 0  # height and width exchanged
