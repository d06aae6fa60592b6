import cv2
import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops import texture


def _graph():
    """`redraw` as it is when it is traced."""
    image, mask = tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([None, None], tf.bool)
    graph = tf.function(texture.redraw, input_signature=[image, image, mask], autograph=False)
    return lambda *example: graph(*example).numpy()


redraw = _graph()


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
    monkeypatch.setattr(texture, "MOST_PIXELS", 64 * 64)
    rough = _graph()(image, _filled(image, mask, 120), mask)
    assert not np.array_equal(searched, rough)
    for drawn in (searched, rough):
        assert np.abs(drawn.astype(int) - image)[mask].mean() < 30


def test_few_of_many_known_patches_are_compared(monkeypatch):
    image, mask = _checks(96, 128), _hole(96, 128, (32, 60), (40, 77))
    monkeypatch.setattr(texture, "_MOST_PAIRS", 20_000)
    drawn = _graph()(image, _filled(image, mask, 120), mask).astype(int)
    assert np.abs(drawn - image)[mask].mean() < 40


def _compared(level, row, column):
    """What is compared of a patch, pixel by pixel: of a filled level with its borders repeated."""
    radius, width = texture._RADIUS, int(level.width)
    filled = level.filled.numpy().reshape(-1, width, 3)
    padded = np.pad(filled, ((radius, radius), (radius, radius), (0, 0)), mode="edge")
    patch = padded[row : row + 2 * radius + 1, column : column + 2 * radius + 1]
    values = np.concatenate([patch.ravel(), level.colours.numpy()[row * width + column]])
    return np.floor(255 * values + texture._NEARLY_HALF)


@pytest.fixture(scope="module")
def level():
    """One of two holes, of which one lies at a corner, with what is known whole in it."""
    image, mask = _noise(24, 30), _hole(24, 30, (10, 13), (10, 13)) | _hole(24, 30, (0, 2), (28, 30))
    completed = _filled(image, mask).astype(np.float32) / 255
    planes = np.concatenate([image.astype(np.float32) / 255, completed, mask[..., np.newaxis]], axis=-1)
    level = texture._Level.of(tf.constant(planes, tf.float32), 1)
    known = [
        (row, column)
        for row in range(3, 21)
        for column in range(3, 27)
        if not mask[row - 3 : row + 4, column - 3 : column + 4].any()
    ]
    np.testing.assert_array_equal(np.argwhere(tf.reshape(level.whole, [24, 30])), known)
    return level, [row * 30 + column for row, column in known], [_compared(level, *place) for place in known]


def test_a_match_is_the_nearest_patch_by_pixels_and_colour(level):
    """One round of comparing all, against a loop."""
    level, positions, known = level
    matches, distances = level.compare_all(level.filled)
    assert len(matches) == 9 * 9 + 5 * 5
    for target, match, distance in zip(level.targets.numpy(), matches, distances):
        costs = [((_compared(level, *divmod(target, 30)) - each) ** 2).sum() for each in known]
        assert match == positions[int(np.argmin(costs))]
        assert distance == min(costs)


def test_a_search_nearby_finds_what_lies_beside_and_what_neighbours_found(level):
    """From matches of which every fourth is the best one there is."""
    level, positions, known = level
    best, least = level.compare_all(level.filled)
    number = len(best)
    matches = tf.where(tf.range(number) % 4 == 0, best, positions[0])
    found, distances = level.search_near(level.filled, matches)
    for target, match, distance in zip(level.targets.numpy(), found.numpy(), distances):
        cost = ((_compared(level, *divmod(target, 30)) - known[positions.index(match)]) ** 2).sum()
        assert distance == cost
    before = level.search_near(level.filled, best)
    np.testing.assert_array_equal(before[0], best)
    assert (distances.numpy()[::4] == least.numpy()[::4]).all()
    wanted, seen = level.compared_at_targets(level.filled), level.compared(level.filled, matches)
    given = tf.reduce_sum((wanted - seen) ** 2, axis=1)
    assert (distances <= given).numpy().all() and (distances < given).numpy().sum() > number // 2


def test_a_pixel_is_the_mean_of_what_patches_over_it_found(level):
    level = level[0]
    matches, distances = level.compare_all(level.filled)
    drawn = level.vote(matches, distances).numpy()
    weights = np.exp(-2 * distances / np.sort(distances)[3 * (len(distances) - 1) // 4]) + 1e-6
    for row, column in [(11, 11), (10, 12), (0, 29)]:
        total = weight = 0.0
        for target, match, each in zip(level.targets.numpy(), matches.numpy(), weights):
            down, right = row - target // 30, column - target % 30
            if max(abs(down), abs(right)) <= 3:
                counts = each * np.exp(-(down**2 + right**2) / 8)
                total += counts * level.filled.numpy()[match + down * 30 + right]
                weight += counts
        np.testing.assert_allclose(drawn[row * 30 + column], total / weight, rtol=1e-4)
    known = ~level.mask.numpy()[:, 0]
    np.testing.assert_array_equal(drawn[known], level.filled.numpy()[known])


def test_holes_near_each_other_are_drawn_together_and_the_others_apart():
    mask = (
        _hole(300, 700, (10, 20), (10, 20))
        | _hole(300, 700, (60, 90), (60, 90))
        | _hole(300, 700, (250, 260), (690, 700))
    )
    groups = texture._groups(mask).numpy()
    assert groups.shape == (10, 22) and len(np.unique(groups)) == 3
    assert groups[0, 0] == groups[2, 2] != 0 and groups[8, 21] not in (0, groups[0, 0])


def test_parts_agree_with_opencv():
    rng = np.random.default_rng(5)
    image, mask = rng.random((37, 50, 3), np.float32), cv2.blur(rng.random((37, 50)), (9, 9)) > 0.5
    for deviation in (1.5, 2.0, 3.3):
        side = 2 * int(np.ceil(4 * deviation)) + 1
        expected = cv2.GaussianBlur(image, (side, side), deviation, borderType=cv2.BORDER_REFLECT)
        np.testing.assert_allclose(texture._blurred(tf.constant(image), deviation), expected, atol=1e-6)
    for distance in (1, 3, 8):
        expected = cv2.dilate(mask.astype(np.uint8), np.ones([2 * distance + 1] * 2)) > 0
        np.testing.assert_array_equal(texture._near(mask, distance), expected)
    across = 2 * cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_C, 3).max()
    assert texture._thickness(mask) == across > 4
    assert texture._thickness(np.ones((9, 30), bool)) == 10 and texture._thickness(np.zeros((9, 9), bool)) == 0
    shrunk = texture._shrunk(tf.constant(image[:36, :48]), 4)
    np.testing.assert_allclose(shrunk, cv2.resize(image[:36, :48], (12, 9), interpolation=cv2.INTER_AREA), atol=1e-6)
    corner = (image[36, 48] + 3 * image[36, 49]) / 4  # the border goes on
    np.testing.assert_allclose(texture._shrunk(tf.constant(image), 4)[9, 12], corner, rtol=1e-6)


def test_what_is_nowhere_else_in_the_image_is_as_the_network_draws_it():
    """The guide's colours are known without any detail alone, and detail is all around."""
    image, mask = _noise(128, 160, seed=3), _hole(128, 160, (40, 88), (50, 110))
    image[20:110, 30:130] = 128  # flat: known patches with the guide's colours have no detail
    image[34:40, 44:116] = _noise(6, 72)
    image[88:94, 44:116] = _noise(6, 72)
    assert float(texture._share_of_prediction(tf.constant(image / np.float32(255)), mask)) == pytest.approx(0.75)
    predicted = _filled(image, mask, 150)
    drawn = redraw(image, predicted, mask).astype(int)
    assert np.abs(drawn - predicted)[mask].mean() < np.abs(drawn - image)[mask].mean()


def test_a_hole_of_as_much_detail_as_around_it_takes_nothing_of_the_prediction():
    image, mask = _noise(96, 96), _hole(96, 96, (32, 64), (32, 64))
    assert texture._share_of_prediction(tf.constant(image / np.float32(255)), mask) == 0.0
    assert texture._share_of_prediction(tf.zeros([9, 9, 3]), np.ones((9, 9), bool)) == 0.0
