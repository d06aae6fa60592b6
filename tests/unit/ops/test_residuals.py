"""Contextual residual aggregation: against a loop over positions, and what it may and may not change."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops.boxes import Box
from tf_inpaint.ops.residuals import add_residuals, paste_residuals

RNG = np.random.default_rng(0)


def _offsets_to(best):
    """Offsets of positions whose best matches are (row, column) of `best` [B, h, w, 2]."""
    positions = np.stack(np.meshgrid(*map(np.arange, best.shape[1:3]), indexing="ij"), axis=-1)
    return (best - positions).astype(np.int32)


def _random_offsets(b, h, w):
    return _offsets_to(np.stack([RNG.integers(0, h, (b, h, w)), RNG.integers(0, w, (b, h, w))], axis=-1))


def _pasted_one_by_one(residuals, offsets, stride):
    (b, h, w), half = offsets.shape[:3], stride // 2
    fading = np.sin(np.pi * (np.arange(2 * stride) + 0.5) / (2 * stride)) ** 2
    window = np.outer(fading, fading)[..., np.newaxis]
    around = np.pad(residuals, [(0, 0), (half, half), (half, half), (0, 0)])
    result = np.zeros_like(around)
    for n, y, x in np.ndindex(b, h, w):
        row, column = (np.array([y, x]) + offsets[n, y, x]) * stride
        patch = around[n, row : row + 2 * stride, column : column + 2 * stride]
        result[n, y * stride : (y + 2) * stride, x * stride : (x + 2) * stride] += window * patch
    return result[:, half:-half, half:-half]


@pytest.mark.parametrize("stride, h, w", [(8, 5, 7), (4, 3, 3), (2, 6, 1)])
def test_it_is_a_window_of_each_best_match(stride, h, w):
    residuals = RNG.normal(size=(2, h * stride, w * stride, 3)).astype(np.float32)
    offsets = _random_offsets(2, h, w)
    expected = _pasted_one_by_one(residuals, offsets, stride)
    np.testing.assert_allclose(paste_residuals(residuals, offsets, stride), expected, atol=1e-5)


def test_positions_that_match_alike_paste_one_piece():
    residuals = RNG.normal(size=(1, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(
        paste_residuals(residuals, np.zeros([1, 8, 8, 2], np.int32), 8)[:, 4:-4, 4:-4],
        residuals[:, 4:-4, 4:-4],
        atol=1e-6,
    )


def test_a_box_is_pasted_as_in_the_whole():
    residuals = RNG.normal(size=(2, 48, 72, 3)).astype(np.float32)
    offsets = _random_offsets(2, 6, 9)
    whole = paste_residuals(residuals, offsets, 8).numpy()
    pasted = paste_residuals(residuals, offsets, 8, Box(tf.constant([1, 3]), tf.constant([5, 8])))
    inside = pasted[:, 8:-8, 8:-8]  # beyond, positions outside of the box paste too
    np.testing.assert_allclose(inside, whole[:, 16:32, 32:56], atol=1e-6)


def _textured(hole):
    """Noise, of which a hole has lost its high frequencies, and the offsets to the left half."""
    image = RNG.uniform(-0.8, 0.8, (1, 64, 96, 3)).astype(np.float32)
    mask = np.zeros([1, 64, 96, 1], np.float32)
    mask[0][hole] = 1
    rows, columns = np.meshgrid(np.arange(8), np.arange(12), indexing="ij")
    best = np.stack([rows, columns % 6], axis=-1)[np.newaxis]
    return image * (1 - mask), mask, _offsets_to(best)


def test_in_a_box_it_is_the_same():
    for hole in (np.s_[16:48, 56:88], np.s_[0:9, 49:95], np.s_[50:64, 90:96]):
        image, mask, offsets = _textured(hole)
        whole = add_residuals(image, mask, offsets, 8, 1.0)
        np.testing.assert_allclose(add_residuals(image, mask, offsets, 8, 1.0, wanted=mask), whole, atol=1e-6)
        assert np.abs(whole - image).max() > 0.1


def test_a_smooth_hole_becomes_as_rough_as_where_it_looks():
    image, mask, offsets = _textured(np.s_[16:48, 56:88])
    added = add_residuals(image, mask, offsets, 8, 1.0).numpy()
    inside = mask[..., 0] > 0
    assert image[inside].std() == 0
    assert 0.8 < added[:, 24:40, 64:80].std() / image[:, 24:40, 16:32].std() < 1.1
    np.testing.assert_array_equal(added[~inside], image[~inside])
    half = add_residuals(image, mask, offsets, 8, 0.5)
    np.testing.assert_allclose(half - image, (added - image) / 2, atol=1e-6)


def test_what_is_rough_already_gets_nothing():
    image, mask, offsets = _textured(np.s_[16:48, 56:88])
    rough = image + mask * RNG.uniform(-0.8, 0.8, image.shape).astype(np.float32)
    change = np.abs(add_residuals(rough, mask, offsets, 8, 1.0) - rough)[mask[..., 0] > 0]
    assert change.mean() < 0.25 * np.abs(rough[mask[..., 0] > 0]).mean()


def test_nothing_is_added_from_nothing():
    flat = np.full([1, 32, 32, 3], 0.25, np.float32)
    offsets = np.zeros([1, 4, 4, 2], np.int32)
    for mask in (np.ones([1, 32, 32, 1], np.float32), np.zeros([1, 32, 32, 1], np.float32)):
        np.testing.assert_allclose(add_residuals(flat, mask, offsets, 8, 1.0), flat, atol=1e-6)


def test_each_image_of_a_batch_gets_what_it_gets_alone_and_offsets_far_away_are_not_read():
    one, other = _textured(np.s_[16:48, 56:88]), _textured(np.s_[0:9, 49:95])
    together = add_residuals(*map(np.concatenate, zip(one, other)), 8, 1.0)
    for index, (image, mask, offsets) in enumerate((one, other)):
        alone = add_residuals(image, mask, offsets, 8, 1.0)
        np.testing.assert_allclose(together[index], alone[0], atol=1e-6)
    image, mask, offsets = one
    near = np.zeros([1, 8, 12, 1], np.int32)
    near[:, 1:7, 6:12] = 1
    elsewhere = _random_offsets(1, 8, 12)
    np.testing.assert_array_equal(
        add_residuals(image, mask, offsets * near + elsewhere * (1 - near), 8, 1.0),
        add_residuals(image, mask, offsets, 8, 1.0),
    )
