"""Pictures and mask files as a protocol has them."""

import hashlib

import numpy as np
import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.evaluation.protocols import HoleFiles, SetDigest, choose, fit_mask, fit_picture, mask_digest
from tf_inpaint.io.images import write_png

RNG = np.random.default_rng(0)


def test_the_middle_square_is_kept_and_nothing_else_changes_at_its_size():
    image = RNG.integers(0, 256, (20, 33, 3), np.uint8)
    np.testing.assert_array_equal(fit_picture(image, choose("centre", 20)), image[:, 6:26])
    np.testing.assert_array_equal(fit_picture(image.swapaxes(0, 1), choose("centre", 20)), image.swapaxes(0, 1)[6:26])


def test_pennet_sees_the_whole_picture():
    image = np.zeros((32, 64, 3), np.uint8)
    image[:, :16] = 200  # outside the middle square
    assert not fit_picture(image, choose("centre", 32)).any()
    stretched = fit_picture(image, choose("pennet", 32))
    assert stretched.shape == (32, 32, 3) and stretched[:, :6].min() > 190 and not stretched[:, 12:].any()


def test_masks_are_cut_as_their_pictures_or_stretched():
    mask = np.arange(8, dtype=np.uint8) * np.ones((4, 1), np.uint8)
    protocol = choose("from_files", 16)
    assert fit_mask(mask, protocol, as_picture=True)[0].tolist() == [level for level in (2, 3, 4, 5) for _ in range(4)]
    assert fit_mask(mask, protocol, as_picture=False)[0].tolist() == [level for level in range(8) for _ in range(2)]
    down = fit_mask(np.arange(48, dtype=np.uint8) * np.ones((48, 1), np.uint8), protocol, as_picture=False)
    assert down[0].tolist() == list(range(1, 48, 3))  # the middle one of three


def test_digests_by_hand():
    hole = np.zeros((3, 3), bool)
    hole[0, 0] = hole[2, 2] = True  # bits 10000000 1, the rest zeros
    assert mask_digest(hole) == hashlib.sha256(bytes([0b10000000, 0b10000000])).hexdigest()
    digest = SetDigest()
    digest.add("ab")
    digest.add("cd")
    assert digest.hexdigest() == hashlib.sha256(b"ab\ncd\n").hexdigest()


@pytest.fixture
def masks(tmp_path):
    """A folder of masks 32 x 32: a and b with a square of their own, full without anything known."""
    for name, corner in (("a", 0), ("b", 16)):
        levels = np.zeros((32, 32), np.uint8)
        levels[corner : corner + 8, :8] = 255
        write_png(tmp_path / f"{name}.png", levels)
    write_png(tmp_path / "full.png", np.full((32, 32), 255, np.uint8))
    return str(tmp_path)


def test_masks_by_name(masks):
    holes = HoleFiles(choose("from_files", 16), masks, ["b.jpg", "full.jpg", "none.jpg", "a.jpg"])
    assert "by name (3 of 4 pictures have one)" in holes.origin
    assert holes.hole(0, "b.jpg", (32, 32, 3))[8:12, :4].all() and holes.hole(0, "b.jpg", (32, 32, 3)).sum() == 16
    with pytest.raises(InputError, match="full.png is all hole"):
        holes.hole(1, "full.jpg", (32, 32, 3))
    with pytest.raises(InputError, match="no mask file has its name"):
        holes.hole(2, "none.jpg", (32, 32, 3))
    with pytest.raises(InputError, match="a.png has 32 x 32 pixels, but the picture has 40 x 30"):
        holes.hole(3, "a.jpg", (30, 40, 3))


def test_masks_by_turns_and_inverted(masks):
    holes = HoleFiles(choose("from_files", 16), [f"{masks}/a.png", f"{masks}/b.png"], ["x.jpg", "y.jpg"], invert=True)
    assert "2 files, by turns, black = hole" in holes.origin
    np.testing.assert_array_equal(holes.hole(0, "x.jpg", (9, 9)), holes.hole(2, "z.jpg", (70, 50)))
    assert holes.hole(1, "y.jpg", (9, 9)).sum() == 16 * 16 - 16


@pytest.mark.parametrize("name, size, said", [("celeba", None, "choose from deepfill_v1_rect"), ("centre", 8, "16 to")])
def test_what_cannot_be_is_said(name, size, said):
    with pytest.raises(InputError, match=said):
        choose(name, size)
