"""Masks in integers: the same bits everywhere, and of the kinds they are meant to be."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.evaluation.drawing import RATIO_BINS, Draws, _segment, ratio_limits
from tf_inpaint.evaluation.protocols import PROTOCOLS, choose
from tf_inpaint.ops.masks import MaskOptions, brush_stroke

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "evaluation.md"
DRAWING = [name for name, protocol in PROTOCOLS.items() if protocol.drawing != "files"]

# Written down once: whatever draws other bits on another machine or with another library fails here.
SHA256_OF_12_AT_64 = {
    "deepfill_v1_rect": "448a6aec5114c68f520ecd644a3fc5b461778aaa3620fb61daba37f9a4fa568e",
    "deepfill_v2_freeform": "fe37189b7e544dd95ae6864c1071299d8ed8f654b6d3813485bb865d5d106ff5",
    "centre": "4743b3a419014ea3604a53909dcd2aa3052c191972facf7e8ebf8aa4a5d6d655",
    "small_centre": "db49fa780f241530c139c6a7fbfd489b2b1bda5a10983422556bb5c886a45380",
    "pennet": "4743b3a419014ea3604a53909dcd2aa3052c191972facf7e8ebf8aa4a5d6d655",
    "nvidia_ratio_bins": "ad205aaafdd0c6242a6484f0e4e6b1ac12fab4b3f4b273b61fae49ee87a31357",
    "lama_thin_256": "642538c8ee143a6f5984782dec0b232ac03e9613878a24daf9263e767af4ed8f",
    "lama_medium_256": "b5aecfd1a38808b3e900f41eb70db8ec93ff25a9a1997c5d35b5ef342e56c68c",
    "lama_thick_256": "c2786022082a1c535b0f4f1d220987579610944cc4f6009c3fa3ef27aa9bd357",
    "lama_thin_512": "1ef964b8b491b78b6c218394996a62fc10cd1aa41c113d32b6ff6426113619fe",
    "lama_medium_512": "c12b4f5a4e21eacd2da1aa96a9565e768308fac994a6bfe36fb4f868079d269e",
    "lama_thick_512": "070bc80964c923ee8bdb914ffffd53e722461c6ca7bd3ea181ac8a5f972e836b",
    "outpaint": "b2938884c46ef73293ce3cc892e6bdd136e67f6950378fd0cd2ac06ec12935f3",
}


@pytest.mark.parametrize("name", DRAWING)
def test_masks_are_these_bits_on_every_machine(name):
    assert choose(name, 64).masks_sha256(12) == SHA256_OF_12_AT_64[name]


@pytest.mark.parametrize("name", DRAWING)
def test_the_documents_state_the_digests_at_full_size(name):
    row = next(line for line in DOCUMENT.read_text().splitlines() if line.startswith(f"| `{name}`"))
    assert choose(name).masks_sha256(100) in row


@pytest.mark.parametrize("name", DRAWING)
def test_a_mask_depends_on_seed_and_index_alone(name):
    protocol = choose(name, 32)
    forwards = [protocol.draw(index) for index in range(6)]
    backwards = [protocol.draw(index) for index in reversed(range(6))][::-1]
    assert all(mask.shape == (32, 32) and mask.dtype == bool and mask.any() and not mask.all() for mask in forwards)
    np.testing.assert_array_equal(forwards, backwards)
    other = [choose(name, 32, seed=1).draw(index) for index in range(6)]
    assert (np.array_equal(forwards, other)) == PROTOCOLS[name].drawing.endswith("centre")


def test_draws_are_even_and_within_limits():
    draws = Draws(3, 5)
    values = np.array([draws.below(7) for _ in range(7000)])
    assert set(values) == set(range(7)) and np.bincount(values).min() > 880
    assert {draws.between(-1, 1) for _ in range(100)} == {-1, 0, 1}
    assert Draws(0, 0).below(2**64) == 0x54B54709D08C3814  # the start of `printf 0/0/0 | sha256sum`


def test_boxes_are_half_the_side_and_reach_every_place():
    masks = np.stack([choose("deepfill_v1_rect", 16).draw(index) for index in range(300)])
    assert (masks.sum(axis=(1, 2)) == 64).all()
    tops, lefts = masks.any(axis=2).argmax(axis=1), masks.any(axis=1).argmax(axis=1)
    assert set(tops) == set(lefts) == set(range(9))
    middle = choose("centre", 256).draw(0)
    assert middle[64:192, 64:192].all() and middle.sum() == 128 * 128
    small = choose("small_centre", 256).draw(0)
    assert small[96:160, 96:160].all() and small.sum() == 64 * 64


@pytest.mark.parametrize("size", [16, 64])
def test_ratio_bins_hold_what_they_say_and_take_turns(size):
    for index in range(36):
        low, high = ratio_limits(index % RATIO_BINS, size)
        assert low < choose("nvidia_ratio_bins", size).draw(index).sum() <= high
    assert ratio_limits(0, 100) == (100, 1000) and ratio_limits(5, 100) == (5000, 6000)


@pytest.mark.parametrize("start, end, brush", [((5, 6), (20, 27), 40), ((9, 9), (9, 9), 39), ((31, 0), (2, 31), 12)])
def test_a_segment_is_all_pixels_within_half_the_brush(start, end, brush):
    size = 32
    mask = np.zeros((size, size), bool)
    _segment(mask, start, end, brush * len(mask))
    points = np.stack(np.mgrid[:size, :size], axis=-1).astype(float)
    line = np.subtract(end, start).astype(float)
    along = np.clip((points - start) @ line / max(line @ line, 1.0), 0.0, 1.0)
    distance = np.linalg.norm(points - start - along[..., np.newaxis] * line, axis=-1)
    np.testing.assert_array_equal(mask, distance <= brush * size / 256 / 2 + 1e-9)


def test_strokes_are_like_those_of_training():
    drawn = np.array([choose("deepfill_v2_freeform", 64).draw(index).mean() for index in range(300)])
    options = MaskOptions(brush_width=(3.0, 10.0))
    draw = tf.function(lambda seed: brush_stroke(seed, 64, 64, options), autograph=False)
    trained = np.array([draw(tf.constant([0, index])).numpy().mean() for index in range(300)])
    assert abs(drawn.mean() - trained.mean()) < 0.02 and abs(drawn.std() - trained.std()) < 0.02


def test_lengths_scale_with_the_image():
    ratios = [np.mean([choose("deepfill_v2_freeform", size).draw(i).mean() for i in range(60)]) for size in (32, 128)]
    assert ratios[0] == pytest.approx(ratios[1], abs=0.02)
