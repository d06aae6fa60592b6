"""Masks from files and mixes; the drawn kinds are tested where they are drawn."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_inpaint.data.masks import Masks
from tf_inpaint.data.reader import plainly
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import write_png
from tf_inpaint.ops.masks import MASKS, MaskOptions

SMALL = {"height": 16, "width": 16, "max_delta_height": 0, "max_delta_width": 0}


@pytest.fixture
def folder(tmp_path):
    """Three masks of another size than the images: a corner, a bar, a dot."""
    masks = np.zeros((3, 64, 96), np.uint8)
    masks[0, :20, :30] = 255
    masks[1, 30:34] = 200
    masks[2, 50:, 80:] = 128
    for number, mask in enumerate(masks):
        write_png(tmp_path / f"{number}.png", mask)
    return tmp_path


def _draw(masks, count=30, seed=4):
    seeds = tf.data.Dataset.range(count).map(plainly(lambda i: tf.stack([seed, tf.cast(i, tf.int32)])))
    return np.stack([mask[..., 0] for mask in masks.dataset(seeds)])


def test_files_are_stretched_and_all_drawn(folder):
    masks = _draw(Masks(MaskOptions("files", files=str(folder), flip_files=False), (32, 48)))
    corner, bar, dot = np.zeros((3, 32, 48))
    corner[:10, :15], bar[15:17], dot[25:, 40:] = 1, 1, 1
    expected = {mask.tobytes() for mask in (corner, bar, dot)}
    assert {mask.astype(float).tobytes() for mask in masks} == expected


def test_files_are_mirrored_both_ways(folder):
    masks = _draw(Masks(MaskOptions("files", files=str(folder / "0.png")), (32, 48)), 60)
    corners = {tuple(mask[[0, 0, -1, -1], [0, -1, 0, -1]]) for mask in masks}
    assert corners == {(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)}


def test_black_can_mean_hole(folder):
    drawn = Masks(MaskOptions("files", files=str(folder / "0.png"), invert_files=True, flip_files=False), (64, 96))
    mask = _draw(drawn, 1)[0]
    assert mask[:20, :30].sum() == 0 and mask.sum() == 64 * 96 - 600


def test_a_mix_draws_each_kind_by_its_weight():
    options = MaskOptions("mix", mix=(("box", 3.0), ("outpainting", 1.0)), **SMALL)
    masks = _draw(Masks(options, (64, 64)), 200)
    boxes = (masks.sum((1, 2)) == 256).mean()
    outer = (masks.sum((1, 2)) == 64 * 64 * 0.75).mean()
    assert boxes + outer == 1 and abs(boxes - 0.75) < 0.1


def test_a_mix_with_files(folder):
    options = MaskOptions("mix", mix=(("box", 1.0), ("files", 1.0)), files=str(folder / "1.png"), **SMALL)
    areas = set(_draw(Masks(options, (64, 96))).sum((1, 2)))
    assert areas == {256, 4 * 96}


def test_a_mix_decodes_no_file_that_is_not_drawn(folder, monkeypatch):
    options = MaskOptions("mix", mix=(("half", 1.0), ("files", 1.0)), files=str(folder / "1.png"), side="top")
    drawn = Masks(options, (64, 96), 1.0)
    (folder / "1.png").unlink()
    read = []
    monkeypatch.setattr(
        drawn._files, "read", lambda index: read.append(index) or {"mask": np.eye(64, 96, dtype="u1")[..., None]}
    )
    masks = _draw(drawn)
    assert 5 < read.count(0) < 25 and (masks.sum((1, 2)) == 64).sum() == read.count(0)


@pytest.mark.parametrize("kind", MASKS)
def test_a_kind_alone_is_the_kind(kind):
    options = MaskOptions(kind, **SMALL)
    expected = [MASKS[kind](tf.constant([4, i]), 64, 48, options)[..., 0] for i in range(3)]
    np.testing.assert_array_equal(_draw(Masks(options, (64, 48)), 3), expected)


def test_a_seed_is_a_mask(folder):
    mix = (("union", 1.0), ("files", 1.0), ("shapes", 1.0))
    options = MaskOptions("mix", mix=mix, files=str(folder), **SMALL)
    masks = _draw(Masks(options, (40, 40)))
    np.testing.assert_array_equal(masks, _draw(Masks(options, (40, 40))))
    assert not np.array_equal(masks, _draw(Masks(options, (40, 40)), seed=5))


@pytest.mark.parametrize("kind", ["brush_stroke", "shapes", "box"])
def test_something_is_known_however_broad_the_brush(kind):
    box = {"height": 16, "width": 16, "max_delta_height": 0, "max_delta_width": 0}
    options = MaskOptions(kind, shapes=(9, 9), shape_radius=(1.0, 1.0), **box)
    masks = _draw(Masks(options, (16, 16)), 60)
    known = (masks == 0).mean((1, 2))
    assert known.min() > 0 and (known == 0.25).any()  # the middle of "outpainting", where all would be hole


# Mask files


def test_what_the_hole_is_is_found_out_as_everywhere(tmp_path):
    alpha = np.full((40, 56), 255, np.uint8)
    alpha[:20] = 0
    noise = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    write_png(tmp_path / "rubbed.png", np.dstack([noise, alpha]))
    said = "is a photograph of which 50% are transparent: mask.files_from alpha takes that"
    drawn = Masks(MaskOptions("files", files=str(tmp_path)), (20, 28))
    with pytest.raises(tf.errors.OpError):
        _draw(drawn, 1)
    assert said in str(drawn.failure)
    options = MaskOptions("files", files=str(tmp_path), files_from="alpha", flip_files=False)
    masks = _draw(Masks(options, (20, 28)), 2)
    assert (masks[:, :10] == 1).all() and (masks[:, 10:] == 0).all()


def test_all_formats_are_read_alike(folder):
    for number in range(3):
        Image.open(folder / f"{number}.png").save(folder / f"{number}.bmp")
    plain, other = (
        _draw(Masks(MaskOptions("files", files=str(folder / f"*.{kind}")), (32, 48))) for kind in ("png", "bmp")
    )
    np.testing.assert_array_equal(plain, other)


def test_missing_files_and_folders_are_named_at_the_start(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        Masks(MaskOptions("files", files=str(tmp_path / "none")), (32, 32))
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(InputError, match="none of the 1 files of mask.files can be read: .*a.png is not an image"):
        Masks(MaskOptions("files", files=str(tmp_path)), (32, 32), 0.5)


def test_too_many_broken_masks_stop(folder):
    (folder / "0.png").write_text("no image")
    with pytest.raises(InputError, match="1 of 3 files of mask.files cannot be read, more than .* 0.2: .*0.png is not"):
        Masks(MaskOptions("files", files=str(folder)), (32, 32), 0.2)


def test_the_next_takes_the_place_of_a_useless_mask(folder, caplog):
    noise = np.random.default_rng(0).integers(0, 256, (64, 96), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "3.png")
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:2000])
    write_png(folder / "4.png", np.zeros((64, 96), np.uint8))
    write_png(folder / "5.png", np.full((64, 96), 255, np.uint8))
    write_png(folder / "6.png", np.eye(64, 96, dtype=np.uint8) * 255)
    drawn = Masks(MaskOptions("files", files=str(folder), flip_files=False), (64, 96), 0.5)
    masks = _draw(drawn, 60)
    assert len({mask.tobytes() for mask in masks}) == 4
    assert (masks.sum((1, 2)) == 64).mean() > 0.35  # 6 stands for 3, 4 and 5, too
    reasons = {file[-5:]: reason for file, reason in drawn.broken}
    assert reasons.pop("3.png").startswith("is damaged")
    assert reasons == {"4.png": "is all known as a mask", "5.png": "is all hole as a mask"}
    for name in ("3.png", "4.png", "5.png"):
        assert len([record for record in caplog.records if name in record.getMessage()]) == 1
    np.testing.assert_array_equal(masks, _draw(drawn, 60))


def test_masks_that_all_break_later_end_in_a_sentence(folder):
    drawn = Masks(MaskOptions("files", files=str(folder / "0.png")), (32, 48))
    (folder / "0.png").unlink()
    with pytest.raises(tf.errors.OpError):
        _draw(drawn)
    assert "none of the 1 files of mask.files can be read" in str(drawn.failure)
    assert "0.png does not exist" in str(drawn.failure)


def test_files_that_are_missing_are_said_of_their_key(tmp_path):
    with pytest.raises(InputError, match="mask.files: .*none does not exist"):
        Masks(MaskOptions("files", files=str(tmp_path / "none")), (32, 48))
