import numpy as np
import pytest

from tf_inpaint.inference import texture
from tf_inpaint.inference.texture import redraw


def _noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _hole(height, width, rows, columns):
    mask = np.zeros((height, width), bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def _filled(image, mask, level=128):
    return np.where(mask[..., np.newaxis], np.uint8(level), image)


def _checks(height, width, cell=4):
    rows, columns = np.arange(height)[:, np.newaxis] // cell, np.arange(width) // cell
    return np.repeat(((rows + columns) % 2 * 200 + 20).astype(np.uint8)[..., np.newaxis], 3, axis=-1)


def test_known_pixels_stay_and_the_same_comes_out_twice():
    image, mask = _noise(60, 80), _hole(60, 80, (20, 40), (30, 55))
    one = redraw(image, _filled(image, mask), mask)
    np.testing.assert_array_equal(one[~mask], image[~mask])
    np.testing.assert_array_equal(redraw(image, _filled(image, mask), mask), one)


def test_a_regular_texture_goes_on_where_the_network_only_knew_its_mean():
    image, mask = _checks(96, 128), _hole(96, 128, (32, 60), (40, 77))
    blurred = _filled(image, mask, 120)
    drawn = redraw(image, blurred, mask).astype(int)
    assert np.abs(drawn - image)[mask].mean() < 12 < np.abs(blurred.astype(int) - image)[mask].mean() / 7


def test_the_prediction_says_which_texture_belongs_where():
    """The left of the image is dark noise, the right bright; the hole could be either."""
    image = _noise(96, 128) // 3 + np.where(np.arange(128) < 64, 0, 160).astype(np.uint8)[:, np.newaxis]
    mask = _hole(96, 128, (32, 64), (48, 80))
    for level in (40, 200):
        drawn = redraw(image, _filled(image, mask, level), mask)[32:64, 48:80]
        assert abs(drawn.mean() - level) < 25
        inner = drawn[8:-8, 8:-8].astype(float)
        assert inner.std() > 10  # noise, not the flat guide


def test_every_group_of_holes_is_drawn_from_around_it():
    image = np.concatenate([_checks(64, 500), _noise(64, 500)], axis=1)
    mask = _hole(64, 1000, (20, 40), (100, 120)) | _hole(64, 1000, (20, 40), (800, 820))
    drawn = redraw(image, _filled(image, mask), mask).astype(int)
    assert np.abs(drawn - image)[20:40, 100:120].mean() < 12
    assert drawn[20:40, 800:820].std() > 30


@pytest.mark.parametrize(
    "mask",
    [
        np.ones((40, 40), bool),  # nothing is known
        _hole(40, 40, (3, 37), (3, 37)),  # no patch is known whole
        _hole(5, 5, (2, 3), (2, 3)),  # the image is smaller than a patch
        np.zeros((40, 40), bool),
    ],
)
def test_where_no_patch_is_known_the_prediction_stays(mask):
    image = _noise(*mask.shape)
    completed = _filled(image, mask)
    np.testing.assert_array_equal(redraw(image, completed, mask), completed)


@pytest.mark.parametrize("size", [(7, 300), (300, 8), (9, 9), (1, 50)])
def test_thin_and_small_images(size):
    image, mask = _noise(*size), np.zeros(size, bool)
    mask[size[0] // 2, size[1] // 2 :] = True
    drawn = redraw(image, _filled(image, mask), mask)
    np.testing.assert_array_equal(drawn[~mask], image[~mask])


def test_holes_at_the_border():
    image = _checks(64, 64)
    mask = _hole(64, 64, (0, 16), (0, 20)) | _hole(64, 64, (50, 64), (40, 64))
    drawn = redraw(image, _filled(image, mask, 120), mask).astype(int)
    assert np.abs(drawn - image)[mask].mean() < 50  # the guide is 100 off


def test_levels_too_large_to_search_take_what_was_found(monkeypatch):
    image, mask = _checks(128, 128, 8) // 2 + _noise(128, 128) // 4, _hole(128, 128, (40, 90), (40, 90))
    searched = redraw(image, _filled(image, mask, 120), mask)
    monkeypatch.setattr(texture, "_MOST_PIXELS", 64 * 64)
    rough = redraw(image, _filled(image, mask, 120), mask)
    assert not np.array_equal(searched, rough)
    for drawn in (searched, rough):
        assert np.abs(drawn.astype(int) - image)[mask].mean() < 30


def test_few_of_many_known_patches_are_compared(monkeypatch):
    image, mask = _checks(96, 128), _hole(96, 128, (32, 60), (40, 77))
    monkeypatch.setattr(texture, "_MOST_PAIRS", 20_000)
    drawn = redraw(image, _filled(image, mask, 120), mask).astype(int)
    assert np.abs(drawn - image)[mask].mean() < 40


def test_a_match_is_the_nearest_patch_by_pixels_and_colour():
    """One round of comparing all, against a loop."""
    image, mask = _noise(24, 24), _hole(24, 24, (10, 13), (10, 13))
    completed = _filled(image, mask).astype(np.float32) / 255
    level = texture._Level.of(image.astype(np.float32) / 255, completed, mask, mask.shape)
    (matches, distances), radius = level.compare_all(completed), texture._RADIUS
    padded = np.pad(completed, ((radius, radius), (radius, radius), (0, 0)), mode="edge")

    def patch(row, column):
        return padded[row : row + 2 * radius + 1, column : column + 2 * radius + 1]

    known = [
        (row, column)
        for row in range(radius, 24 - radius)
        for column in range(radius, 24 - radius)
        if not mask[row - radius : row + radius + 1, column - radius : column + radius + 1].any()
    ]
    for target, match, distance in zip(level.targets, matches, distances):
        costs = [
            ((patch(*target) - patch(*place)) ** 2).sum()
            + ((level.colours[tuple(target)] - level.colours[place]) ** 2).sum()
            for place in known
        ]
        assert tuple(match) == known[int(np.argmin(costs))]
        np.testing.assert_allclose(distance, min(costs), rtol=1e-4)


def test_what_is_nowhere_else_in_the_image_is_as_the_network_draws_it():
    """The guide's colours are known without any detail alone, and detail is all around."""
    image, mask = _noise(128, 160, seed=3), _hole(128, 160, (40, 88), (50, 110))
    image[20:110, 30:130] = 128  # flat: known patches with the guide's colours have no detail
    image[34:40, 44:116] = _noise(6, 72)
    image[88:94, 44:116] = _noise(6, 72)
    assert texture._share_of_prediction(image / np.float32(255), mask) == pytest.approx(0.75)
    predicted = _filled(image, mask, 150)
    drawn = redraw(image, predicted, mask).astype(int)
    assert np.abs(drawn - predicted)[mask].mean() < np.abs(drawn - image)[mask].mean()


def test_a_hole_of_as_much_detail_as_around_it_takes_nothing_of_the_prediction():
    image, mask = _noise(96, 96), _hole(96, 96, (32, 64), (32, 64))
    assert texture._share_of_prediction(image / np.float32(255), mask) == 0.0
    assert texture._share_of_prediction(np.zeros((9, 9, 3), np.float32), np.ones((9, 9), bool)) == 0.0
