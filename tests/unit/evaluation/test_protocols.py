"""Images and mask files as a protocol has them."""

import hashlib

import numpy as np
import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.evaluation.protocols import Masks, choose, fit_image, fit_mask, mask_digest, set_digest
from tf_inpaint.io.images import write_png

RNG = np.random.default_rng(0)


def test_the_middle_square_is_kept_and_nothing_else_changes_at_its_size():
    image = RNG.integers(0, 256, (20, 33, 3), np.uint8)
    np.testing.assert_array_equal(fit_image(image, choose("centre", 20)), image[:, 6:26])
    np.testing.assert_array_equal(fit_image(image.swapaxes(0, 1), choose("centre", 20)), image.swapaxes(0, 1)[6:26])


def test_pennet_sees_the_whole_image():
    image = np.zeros((32, 64, 3), np.uint8)
    image[:, :16] = 200  # outside the middle square
    assert not fit_image(image, choose("centre", 32)).any()
    stretched = fit_image(image, choose("pennet", 32))
    assert stretched.shape == (32, 32, 3) and stretched[:, :6].min() > 190 and not stretched[:, 12:].any()


def test_masks_are_cut_as_their_images_or_stretched():
    mask = np.arange(8, dtype=np.uint8) * np.ones((4, 1), np.uint8)
    protocol = choose("from_files", 16)
    assert fit_mask(mask, protocol, as_image=True)[0].tolist() == [level for level in (2, 3, 4, 5) for _ in range(4)]
    assert fit_mask(mask, protocol, as_image=False)[0].tolist() == [level for level in range(8) for _ in range(2)]
    down = fit_mask(np.arange(48, dtype=np.uint8) * np.ones((48, 1), np.uint8), protocol, as_image=False)
    assert down[0].tolist() == list(range(1, 48, 3))  # the middle one of three


def test_digests_by_hand():
    mask = np.zeros((3, 3), bool)
    mask[0, 0] = mask[2, 2] = True  # bits 10000000 1, the rest zeros
    assert mask_digest(mask) == hashlib.sha256(bytes([0b10000000, 0b10000000])).hexdigest()
    assert set_digest(["ab", "cd"]) == hashlib.sha256(b"ab\ncd\n").hexdigest()


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
    files = Masks(choose("from_files", 16), ["b.jpg", "full.jpg", "none.jpg", "a.jpg"], masks)
    assert "by name (3 of 4 pictures have one)" in files.origin
    assert files.mask(0, "b.jpg", (32, 32, 3))[8:12, :4].all() and files.mask(0, "b.jpg", (32, 32, 3)).sum() == 16
    with pytest.raises(InputError, match="full.png is all hole"):
        files.mask(1, "full.jpg", (32, 32, 3))
    with pytest.raises(InputError, match="no mask file has its name"):
        files.mask(2, "none.jpg", (32, 32, 3))
    with pytest.raises(InputError, match="a.png has 32 x 32 pixels, but the image has 40 x 30"):
        files.mask(3, "a.jpg", (30, 40, 3))


def test_masks_by_turns_and_inverted(masks):
    files = Masks(choose("from_files", 16), ["x.jpg", "y.jpg"], [f"{masks}/a.png", f"{masks}/b.png"], invert=True)
    assert "2 files, by turns, black = hole" in files.origin
    np.testing.assert_array_equal(files.mask(0, "x.jpg", (9, 9)), files.mask(2, "z.jpg", (70, 50)))
    assert files.mask(1, "y.jpg", (9, 9)).sum() == 16 * 16 - 16


def test_what_of_mask_files_is_the_hole_may_be_said(masks):
    paths, protocol = [f"{masks}/a.png"], choose("from_files", 16)
    dark = Masks(protocol, ["x.jpg"], paths, mask_from="dark")
    assert dark.mask(0, "x.jpg", (9, 9)).sum() == 16 * 16 - 16
    assert dark.identity != Masks(protocol, ["x.jpg"], paths).identity and ", dark = hole" in dark.origin
    with pytest.raises(InputError, match="a.png has no transparent part"):
        Masks(protocol, ["x.jpg"], paths, mask_from="alpha").mask(0, "x.jpg", (9, 9))
    with pytest.raises(InputError, match="draws its holes"):
        Masks(choose("centre", 16), ["x.jpg"], mask_from="dark")


@pytest.mark.parametrize("name, size, said", [("celeba", None, "choose from deepfill_v1_rect"), ("centre", 8, "16 to")])
def test_what_cannot_be_is_said(name, size, said):
    with pytest.raises(InputError, match=said):
        choose(name, size)
