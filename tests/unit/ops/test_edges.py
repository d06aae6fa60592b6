"""Canny's edges, and thinning."""

import cv2
import numpy as np
import pytest

from tf_inpaint.ops.edges import canny_edges, thin, thin_edges


def _square(size=64, low=40, high=200):
    image = np.full((size, size, 3), low, np.uint8)
    image[16:48, 16:48] = high
    return image


def test_a_square_has_lines_at_its_border_only():
    edges = canny_edges(_square())
    assert edges.dtype == np.uint8 and set(np.unique(edges)) == {0, 255}
    y, x = np.nonzero(edges)
    inside = np.maximum(np.abs(y - 31.5), np.abs(x - 31.5))  # 16 on the border
    assert (np.abs(inside - 16) <= 2).all()
    for middle in (edges[32], edges[:, 32]):
        assert (middle > 0).sum() == 2


@pytest.mark.parametrize("low, high", [(10, 30), (40, 200), (225, 255)])
def test_faint_pictures_have_lines_too_and_flat_ones_none(low, high):
    assert (canny_edges(_square(low=low, high=high)) > 0).sum() > 90
    assert not canny_edges(_square(low=high, high=high)).any()
    noise = np.random.default_rng(0).integers(low, low + 3, (64, 64, 3)).astype(np.uint8)
    assert not canny_edges(noise).any()


def test_what_is_faint_has_lines_beside_what_is_not():
    image = np.full((256, 256, 3), 30, np.uint8)
    image[:, 150:180] = image[:, 220:] = 255  # windows
    image[100:150, 30:80] = 60  # a face in the shade
    assert (canny_edges(image)[90:160, 20:90] > 0).sum() > 150


def test_a_larger_picture_has_the_same_lines():
    tiles = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    lengths = []
    for side in (32, 64, 256, 512):
        image = np.kron(tiles, np.ones((side, side, 1), np.uint8))
        lengths.append((canny_edges(image) > 0).sum() / side)
    assert 10 < min(lengths) and max(lengths) < 1.25 * min(lengths) and max(lengths) < 24  # the borders are 24 sides


def test_specks_are_left_out():
    image = np.full((256, 256, 3), 90, np.uint8)
    image[60:62, 60:62] = 255
    assert 5 < (canny_edges(image, smallest=1) > 0).sum() < 30
    assert not canny_edges(image, smallest=30).any()


def _components(lines, connectivity):
    return cv2.connectedComponents(lines.astype(np.uint8), connectivity=connectivity)[0] - 1


def test_a_thick_ring_becomes_a_thin_ring():
    y, x = np.mgrid[:61, :61] - 30
    radius = np.hypot(y, x)
    ring = (radius > 15) & (radius < 23)
    lines = thin(ring)
    blocks = lines[1:, 1:] & lines[1:, :-1] & lines[:-1, 1:] & lines[:-1, :-1]
    assert not blocks.any() and not (lines & ~ring).any()
    assert _components(lines, 8) == 1 and _components(~lines, 4) == 2  # still closed: an inside and an outside
    assert 2 * np.pi * 15 * 0.7 < lines.sum() < 2 * np.pi * 23


def _blobs(generator):
    return cv2.GaussianBlur(generator.random((64, 64)).astype(np.float32), (0, 0), 2) > 0.52


def test_thinning_neither_breaks_nor_joins_nor_loses_anything():
    generator = np.random.default_rng(0)
    for lines in [_blobs(generator) for _ in range(20)] + [generator.random((40, 40)) < 0.5 for _ in range(20)]:
        thinned = thin(lines)
        assert not (thinned & ~lines).any()
        assert _components(thinned, 8) == _components(lines, 8)
        outside, outside_before = (~np.pad(each, 1) for each in (thinned, lines))
        assert _components(outside, 4) == _components(outside_before, 4)
        np.testing.assert_array_equal(thin(thinned), thinned)


def test_lines_two_pixels_wide_stay():
    diagonal = np.eye(20, dtype=bool) | np.eye(20, k=1, dtype=bool)
    assert thin(diagonal).sum() == 19
    assert thin(np.ones((2, 2), bool)).sum() == 2


def test_thinning_keeps_thin_lines_and_the_picture_s_edge():
    lines = np.zeros((20, 20), bool)
    lines[5], lines[:, 0] = True, True
    thinned = thin(lines)
    assert thinned[5, 2:-1].all() and thinned[8:18, 0].all()
    assert not thin(np.zeros((5, 5), bool)).any()


def test_a_sketch_is_above_the_level_thin_and_without_specks():
    likelihood = np.zeros((256, 256), np.float32)
    likelihood[10:13, 5:35] = 0.7  # a line
    likelihood[25:28, 5:35] = 0.55  # fainter than 0.6
    likelihood[35, 35:46] = 0.9  # a speck
    lines = thin_edges(likelihood)
    assert set(np.nonzero(lines)[0]) == {11} and set(np.unique(lines)) == {0, 255}
    assert (thin_edges(likelihood, level=0.5)[26] > 0).sum() > 20
    assert (thin_edges(likelihood, smallest=1)[35] > 0).any()
