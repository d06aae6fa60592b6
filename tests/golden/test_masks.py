"""Random holes have the statistics of the original's: 2,000 of ours against the stored samples."""

import json

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops.lama_masks import FIRST_HEADING, FULL_TURN, HEADINGS, MOST_SEGMENTS, mask_numbers
from tf_inpaint.ops.masks import MASKS, MaskOptions

SAMPLES = 2000


@pytest.fixture(scope="module")
def stored(arrays):
    return arrays("masks")


def _draw(kind, size=(256, 256), count=SAMPLES, **options):
    """(areas [count], coverage of rows, coverage of columns)."""
    options = MaskOptions(kind, **options)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)], autograph=False)
    def statistics(number):
        mask = MASKS[kind](tf.stack([11, number]), *size, options)[..., 0]
        return tf.reduce_mean(mask), tf.reduce_mean(mask, axis=1), tf.reduce_mean(mask, axis=0)

    areas, rows, columns = zip(*(statistics(number) for number in range(count)))
    return np.array(areas), np.mean(rows, axis=0), np.mean(columns, axis=0)


def _check_areas(areas, stored, name, samples):
    """Quantiles within three standard errors of both samples' own, estimated by resampling ours."""
    levels, expected = stored["quantile_levels"], stored[f"{name}/area_quantiles"]
    draws = np.random.default_rng(0).choice(areas, (400, samples))
    error = np.percentile(draws, levels, axis=1).std(axis=1) * np.sqrt(1 + samples / len(areas))
    inner = (levels >= 1) & (levels <= 99)
    deviation = np.abs(np.percentile(areas, levels) - expected)[inner]
    assert (deviation <= 3 * error[inner] + 1e-3).all(), np.stack([levels[inner], deviation, error[inner]])


def test_boxes(stored):
    areas, _, _ = _draw("box")
    _check_areas(areas, stored, "bbox", 200)
    assert areas.min() >= stored["bbox/area_quantiles"][0] and areas.max() <= stored["bbox/area_quantiles"][-1]


def test_strokes_as_released(stored, agree):
    areas, rows, columns = _draw("brush_stroke", release_strokes=True)
    _check_areas(areas, stored, "brush_3000", 3000)
    mean, deviation = stored["brush_3000/area_mean_std"]
    agree("free-form masks: mean area of 2,000, absolute", abs(areas.mean() - mean), 0.008)
    agree("free-form masks: deviation of areas, absolute", abs(areas.std() - deviation), 0.006)
    agree("free-form masks: coverage of rows, absolute", np.abs(rows - stored["brush_3000/row_coverage"]).max(), 0.03)
    columns_off = np.abs(columns - stored["brush_3000/column_coverage"]).max()
    agree("free-form masks: coverage of columns, absolute", columns_off, 0.03)
    assert columns[192:].mean() > 2 * columns[:64].mean()  # they lean to the right


def test_strokes_as_in_the_paper(stored):
    areas, _, columns = _draw("brush_stroke")
    _check_areas(areas, stored, "brush_3000", 3000)  # mirroring leaves areas alone
    assert abs(columns[192:].mean() / columns[:64].mean() - 1) < 0.1


def test_unions(stored):
    areas, _, _ = _draw("union", release_strokes=True)
    _check_areas(areas, stored, "union", 200)


def test_strokes_in_a_wide_picture_as_released(stored, agree):
    areas, rows, columns = _draw("brush_stroke", (192, 320), 1000, release_strokes=True)
    _check_areas(areas, stored, "brush_192x320", 600)
    assert (areas == 0).any() and not columns[240:].any()  # the release exchanges height and width
    columns_off = np.abs(columns - stored["brush_192x320/column_coverage"]).max()
    agree("free-form masks, 192 x 320: coverage of columns, absolute", columns_off, 0.05)
    areas, _, columns = _draw("brush_stroke", (192, 320), 300)
    assert areas.min() > 0 and columns[-60:].min() > 0.05


def _release_mask(kind, side, state):
    """The mask that LaMa's release draws from NumPy's state: bool [side, side], True = hole."""
    numbers = mask_numbers(kind, side)
    weights = np.array([1.0, numbers.box_weight] if numbers.box_weight else [1.0], np.float32)
    of_boxes = state.choice(len(weights), p=weights / weights.sum())
    return (_release_boxes if of_boxes else _release_strokes)(numbers, side, state)


def _release_strokes(numbers, side, state):
    mask = np.zeros((side, side), np.uint8)

    def between(pair):
        return state.randint(pair[0], pair[1] + 1)

    for index in range(between(numbers.strokes)):
        x, y = state.randint(side), state.randint(side)
        for _ in range(between((1, MOST_SEGMENTS))):
            heading = FIRST_HEADING + state.randint(HEADINGS)
            heading = FULL_TURN - heading if index % 2 == 0 else heading
            length, width = between(numbers.lengths), between(numbers.widths)
            end = [x + length * np.sin(heading), y + length * np.cos(heading)]
            end = tuple(int(at) for at in np.clip(np.int32(end), 0, side))
            cv2.line(mask, (x, y), end, 1, width)
            x, y = end
    return mask > 0


def _release_boxes(numbers, side, state):
    mask = np.zeros((side, side), bool)
    least, greatest = numbers.box_sides
    greatest = max(least, min(greatest, side - 2 * numbers.margin))
    for _ in range(state.randint(numbers.boxes[0], numbers.boxes[1] + 1)):
        width, height = state.randint(least, greatest + 1), state.randint(least, greatest + 1)
        left = state.randint(numbers.margin, side - numbers.margin - width + 1)
        top = state.randint(numbers.margin, side - numbers.margin - height + 1)
        mask[top : top + height, left : left + width] = True
    return mask


@pytest.mark.parametrize("side", [256, 512])
@pytest.mark.parametrize("kind", ["lama", "thin", "medium", "thick"])
def test_lama_s_seeded_masks_are_exact(arrays, kind, side):
    stored, name = arrays("lama/masks"), "train_places" if kind == "lama" else f"random_{kind}_{side}"
    if kind == "lama" and side == 512:
        pytest.skip("trained at 256")
    for seed, packed in zip(stored[f"seeded/{name}/seeds"], stored[f"seeded/{name}/packed"]):
        mask = _release_mask(kind, side, np.random.RandomState(seed))
        np.testing.assert_array_equal(mask, np.unpackbits(packed, axis=-1).astype(bool))


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, stored, side, count",
    [
        ("lama", "train_places", 256, 2000),
        ("thin", "random_thin_256", 256, 600),
        ("medium", "random_medium_256", 256, 1000),
        ("thick", "random_thick_256", 256, 2000),
        ("thin", "random_thin_512", 512, 150),
        ("medium", "random_medium_512", 512, 300),
        ("thick", "random_thick_512", 512, 400),
    ],
)
def test_lama_s_masks(reference, agree, kind, stored, side, count):
    """Means within four standard errors of the release's samples and ours together."""
    expected = json.loads((reference / "lama" / "masks.json").read_text())[stored]
    areas, rows, columns = _draw(kind, (side, side), count)
    own = areas.std() / np.sqrt(count)
    error = np.hypot(own, expected["area_mean_standard_error"])
    agree("LaMa's masks: mean area, standard errors", abs(areas.mean() - expected["area_mean"]) / error, 4)
    deviation = abs(areas.std() / expected["area_std"] - 1) * np.sqrt(2 * min(count, expected["samples"]))
    agree("LaMa's masks: deviation of areas, standard errors", deviation, 4)
    for found, coverage in ((rows, "row_coverage_16"), (columns, "column_coverage_16")):
        found = found.reshape(16, -1).mean(axis=1)
        agree("LaMa's masks: coverage of rows and columns, absolute", np.abs(found - expected[coverage]).max(), 0.06)
