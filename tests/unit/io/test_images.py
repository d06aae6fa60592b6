import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from tf_inpaint.errors import InputError
from tf_inpaint.io import atomic, images
from tf_inpaint.io.images import (
    ImageFile,
    as_seen,
    check_image,
    read_image,
    read_mask,
    restore,
    write_image,
    write_png,
)


def _photo(height=12, width=20, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _saved(image, path, **options):
    image.save(path, **options)
    return str(path)


def test_rgb_is_read_as_it_is(tmp_path):
    rgb = _photo()
    image = read_image(_saved(Image.fromarray(rgb), tmp_path / "a.png"))
    np.testing.assert_array_equal(image.rgb, rgb)
    assert image.alpha is None and not image.grey
    assert image.rgb.dtype == np.uint8 and image.rgb.flags.c_contiguous and image.rgb.flags.writeable


def test_alpha_is_kept_apart_from_colour(tmp_path):
    rgba = np.dstack([_photo(), _photo(seed=1)[:, :, :1]])
    image = read_image(_saved(Image.fromarray(rgba), tmp_path / "a.png"))
    np.testing.assert_array_equal(image.rgb, rgba[:, :, :3])
    np.testing.assert_array_equal(image.alpha, rgba[:, :, 3])


def test_palette_with_and_without_transparency(tmp_path):
    indexed = Image.fromarray(np.arange(240, dtype=np.uint8).reshape(12, 20), "P")
    indexed.putpalette(_photo(16, 16).tobytes())
    plain = read_image(_saved(indexed, tmp_path / "plain.png"))
    np.testing.assert_array_equal(plain.rgb, _photo(16, 16).reshape(256, 3)[:240].reshape(12, 20, 3))
    assert plain.alpha is None and not plain.grey
    clear = read_image(_saved(indexed, tmp_path / "clear.png", transparency=7))
    assert clear.alpha[0, 7] == 0 and np.count_nonzero(clear.alpha == 255) == 239


def test_grey_in_8_and_16_bits_and_1(tmp_path):
    levels = np.linspace(0, 65535, 240).astype(np.uint16).reshape(12, 20)
    for name in ("a.png", "a.tif"):
        image = read_image(_saved(Image.fromarray(levels), tmp_path / name))
        np.testing.assert_array_equal(image.rgb[:, :, 0], levels >> 8)
        assert image.grey and image.alpha is None
    levels = (levels >> 8).astype(np.uint8)
    image = read_image(_saved(Image.fromarray(levels), tmp_path / "b.png"))
    np.testing.assert_array_equal(image.rgb, np.dstack([levels] * 3))
    assert image.grey
    image = read_image(_saved(Image.fromarray(levels > 127), tmp_path / "c.png"))
    np.testing.assert_array_equal(image.rgb[:, :, 1], np.where(levels > 127, 255, 0))
    image = read_image(_saved(Image.fromarray(np.dstack([levels, levels]), "LA"), tmp_path / "d.png"))
    assert image.grey and image.alpha[-1, -1] == 255 and image.alpha[0, 0] == 0


def test_a_grey_level_of_16_bits_may_mean_transparent(tmp_path):
    levels = np.arange(240, dtype=np.uint16).reshape(12, 20) * 257
    image = read_image(_saved(Image.fromarray(levels), tmp_path / "a.png", transparency=7 * 257))
    assert image.alpha[0, 7] == 0 and np.count_nonzero(image.alpha == 255) == 239
    mask = np.zeros((12, 20), bool)
    mask[3:5, 3:5] = True
    restored = restore(image, np.full((12, 20, 3), 99, np.uint8), mask)
    assert restored.dtype == np.uint16 and restored.shape == (12, 20, 4)
    np.testing.assert_array_equal(restored[~mask][:, :3], np.repeat(levels[~mask][:, np.newaxis], 3, axis=1))
    assert restored[0, 7, 3] == 0 and (restored[mask] == [99 * 257] * 3 + [65535]).all()


def test_damaged_texts_of_a_png_say_nothing_against_its_image(tmp_path):
    rgb, texts = _photo(), PngInfo()
    texts.add_text("Author", "somebody")
    path = _saved(Image.fromarray(rgb), tmp_path / "a.png", pnginfo=texts)
    contents = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(contents.replace(b"somebody", b"nobody!!"))
    np.testing.assert_array_equal(read_image(path).rgb, rgb)
    (tmp_path / "a.png").write_bytes(contents.replace(b"IDAT", b"IDAU", 1))
    with pytest.raises(InputError):
        read_image(path)


def test_an_orientation_that_stands_in_texts_alone_is_not_seen(tmp_path):
    texts = PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", '<x xmlns:tiff="t" tiff:Orientation="6"/>')
    path = _saved(Image.fromarray(_photo()), tmp_path / "a.png", pnginfo=texts)
    assert read_image(path).rgb.shape == (12, 20, 3)


def test_cmyk_becomes_rgb(tmp_path):
    cmyk = Image.new("CMYK", (20, 12), (0, 255, 255, 0))
    image = read_image(_saved(cmyk, tmp_path / "a.jpg", quality=95))
    assert image.rgb.shape == (12, 20, 3)
    assert abs(image.rgb.astype(int) - [255, 0, 0]).max() < 8


def test_animations_give_their_first_frame(tmp_path):
    frames = [Image.new("L", (20, 12), level) for level in (40, 200)]
    image = read_image(_saved(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:]))
    assert (image.rgb == 40).all()


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_that_of_pillow(tmp_path, orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = _saved(Image.fromarray(_photo()), tmp_path / f"a.{kind}", exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert expected.shape[:2] == ((20, 12) if orientation > 4 else (12, 20))
    np.testing.assert_array_equal(read_image(path).rgb, expected)


def test_floating_point_pictures_are_refused(tmp_path):
    path = _saved(Image.fromarray(np.ones((4, 4), np.float32)), tmp_path / "a.tif")
    with pytest.raises(InputError, match="a.tif has pixels of 32-bit floating point numbers, of which nobody says"):
        read_image(path)


def test_each_wrong_file_is_one_sentence(tmp_path):
    whole = _saved(Image.fromarray(_photo(64, 64)), tmp_path / "whole.jpg")
    content = open(whole, "rb").read()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "cut.png").write_bytes(
        open(_saved(Image.fromarray(_photo(64, 64)), tmp_path / "w.png"), "rb").read()[:900]
    )
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "folder.png").mkdir()
    for name, sentence in {
        "missing.png": "does not exist",
        "folder.png": "is a folder, not an image",
        "empty.png": "is empty",
        "text.png": "is not an image",
        "cut.jpg": "is damaged: image file is truncated",
        "cut.png": "is damaged: ",
    }.items():
        path = str(tmp_path / name)
        with pytest.raises(InputError) as caught:
            read_image(path)
        assert str(caught.value).startswith(f"{path} {sentence}") and "\n" not in str(caught.value)


def test_pixel_limit_stops_before_decoding(tmp_path, monkeypatch):
    path = _saved(Image.new("1", (300, 200)), tmp_path / "a.png")
    assert check_image(path) == (200, 300)
    with pytest.raises(InputError, match=r"a.png is 300 x 200, over the limit of 59,999 pixels"):
        check_image(path, pixel_limit=59_999)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    with pytest.raises(InputError, match=r"a.png has more pixels than the limit of 20,000"):
        read_image(path)


def test_no_program_is_started_for_postscript(tmp_path):
    (tmp_path / "a.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with pytest.raises(InputError, match="is not an image"):
        read_image(tmp_path / "a.png")


def test_grey_masks_are_their_levels(tmp_path):
    levels = np.arange(240, dtype=np.uint8).reshape(12, 20)
    np.testing.assert_array_equal(read_mask(_saved(Image.fromarray(levels), tmp_path / "m.png")), levels)
    opaque = np.dstack([levels, levels, levels, np.full_like(levels, 255)])
    np.testing.assert_array_equal(read_mask(_saved(Image.fromarray(opaque), tmp_path / "o.png")), levels)


def test_a_hole_may_be_painted_in_any_bright_colour(tmp_path):
    mask = np.zeros((12, 20, 3), np.uint8)
    mask[:, :5], mask[:, 5:10], mask[:, 10:15] = (255, 0, 0), (0, 0, 255), (255, 255, 255)
    hole = read_mask(_saved(Image.fromarray(mask), tmp_path / "m.png")) > 127.5
    assert hole[:, :15].all() and not hole[:, 15:].any()


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0)])
@pytest.mark.parametrize("elsewhere", [(0, 0, 0, 0), (255, 255, 255, 0)])
def test_strokes_of_one_colour_on_a_transparent_layer_are_the_mask(tmp_path, colour, elsewhere):
    mask = np.full((12, 20, 4), elsewhere, np.uint8)
    mask[3:9, 5:10] = (*colour, 255)
    mask[2, 5:10] = (9, 8, 7, 30)  # a half-transparent rim
    found = read_mask(_saved(Image.fromarray(mask), tmp_path / "m.png"))
    np.testing.assert_array_equal(found, mask[:, :, 3])


def test_a_transparent_part_of_a_coloured_layer_is_no_hole(tmp_path):
    mask = np.zeros((12, 20, 4), np.uint8)
    mask[:, :10, :3] = 255
    mask[:6, :, 3] = 255
    hole = read_mask(_saved(Image.fromarray(mask), tmp_path / "m.png")) > 127.5
    assert hole[:6, :10].all() and hole.sum() == 60


def test_png_comes_back_bit_for_bit(tmp_path):
    for name, array in {
        "g": _photo()[:, :, 0],
        "rgb": _photo(),
        "rgba": np.dstack([_photo(), _photo()[:, :, :1]]),
    }.items():
        path = tmp_path / "new" / "folders" / f"{name}.PNG"
        write_png(path, array)
        np.testing.assert_array_equal(np.asarray(Image.open(path)), array)
    write_png(path, _photo()[:, :, :1])
    assert Image.open(path).mode == "L"
    write_png(path, _photo()[:, :, 0] > 127)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), np.where(_photo()[:, :, 0] > 127, 255, 0))
    assert sorted(os.listdir(path.parent)) == ["g.PNG", "rgb.PNG", "rgba.PNG"]
    assert stat.S_IMODE(os.stat(path).st_mode) & stat.S_IRUSR


def test_what_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    write_png(tmp_path / "a.png", _photo())
    before = (tmp_path / "a.png").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(atomic.os, "replace", full)
        with pytest.raises(InputError, match="a.png cannot be written: no space left on device"):
            write_png(tmp_path / "a.png", _photo(seed=1))
    assert (tmp_path / "a.png").read_bytes() == before
    assert os.listdir(tmp_path) == ["a.png"]
    with pytest.raises(InputError, match="b.png cannot be written: .*a.png is not a folder"):
        write_png(tmp_path / "a.png" / "b.png", _photo())
    (tmp_path / "c.png").mkdir()
    with pytest.raises(InputError, match="c.png cannot be written: is a directory"):
        write_png(tmp_path / "c.png", _photo())
    with pytest.raises(InputError, match="must end in .png"):
        write_png(tmp_path / "a.jpg", _photo())
    assert sorted(os.listdir(tmp_path)) == ["a.png", "c.png"]


def test_a_file_that_cannot_grow_leaves_nothing(tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # writing stops half-way, as on a full disk
    try:
        with pytest.raises(InputError, match="a.png cannot be written: file too large"):
            write_png(tmp_path / "a.png", _photo())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("array", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros(4, np.uint8)])
def test_only_pictures_are_written(tmp_path, array):
    with pytest.raises(ValueError, match="`array` must be .* Received: "):
        write_png(tmp_path / "a.png", array)


RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
COMPLETED = 255 - RGB
MASK = (np.arange(24) < 7).reshape(4, 6)
ALPHA = np.arange(24, dtype=np.uint8).reshape(4, 6)
GREY = np.repeat(RGB[..., :1], 3, axis=2)


def test_colours_come_back_as_they_are():
    expected = np.where(MASK[..., np.newaxis], COMPLETED, RGB)
    np.testing.assert_array_equal(restore(ImageFile(RGB, None, False), COMPLETED, MASK), expected)


def test_alpha_is_kept_and_goes_on_into_the_hole():
    restored = restore(ImageFile(RGB, ALPHA, False), COMPLETED, MASK)
    np.testing.assert_array_equal(restored[..., :3], np.where(MASK[..., np.newaxis], COMPLETED, RGB))
    np.testing.assert_array_equal(restored[..., 3][~MASK], ALPHA[~MASK])
    assert restored[0, 1, 3] == ALPHA[1, 1]  # the pixel below
    for known in (0, 255):  # nothing that is seen, and nothing that is not
        alpha = restore(ImageFile(RGB, np.where(MASK, 99, known).astype(np.uint8), False), COMPLETED, MASK)[..., 3]
        assert (alpha[MASK] == 255).all()


def test_grey_comes_back_grey_and_known_levels_as_they_were():
    restored = restore(ImageFile(GREY, None, True), COMPLETED, MASK)
    assert restored.shape == (4, 6) and restored.dtype == np.uint8
    np.testing.assert_array_equal(restored[~MASK], GREY[..., 0][~MASK])
    red, green, blue = COMPLETED[0, 0] / 1.0
    assert restored[0, 0] == round(0.299 * red + 0.587 * green + 0.114 * blue)


def test_grey_with_alpha_is_rgba_of_equal_colours():
    restored = restore(ImageFile(GREY, ALPHA, True), COMPLETED, MASK)
    assert restored.shape == (4, 6, 4)
    assert (restored[..., 0] == restored[..., 1]).all() and (restored[..., 1] == restored[..., 2]).all()
    np.testing.assert_array_equal(restored[..., 3][~MASK], ALPHA[~MASK])


@pytest.mark.parametrize(
    "head, said",
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", "it is HEIC, which is read where pillow-heif is installed"),
        (b"8BPS\0\1", "it is a Photoshop file, which is not read"),
        (b"\xff\x0a\0", "it is JPEG XL, which is not read"),
        (b"%PDF-1.7", "it is a PDF, which is not read"),
        (b'<?xml version="1.0"?><svg>', "it is SVG"),
    ],
)
def test_kinds_that_are_not_read_are_named(tmp_path, head, said):
    (tmp_path / "a.png").write_bytes(head + b"\0" * 100)
    with pytest.raises(InputError, match=f"a.png is not an image that is read: {said}"):
        read_image(tmp_path / "a.png")


def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path, kind in ((tmp_path / "pipe.png", "a pipe"), ("/dev/zero", "a device")):
        for read in (read_image, read_mask, check_image):
            with pytest.raises(InputError, match=f"is {kind}, not a file"):
                read(path)


@pytest.mark.parametrize("kind", ["VP8L", "VP8X", "VP8 "])
def test_the_size_of_a_webp_is_known_before_a_reader_makes_room_for_it(tmp_path, kind):
    bodies = {
        "VP8L": b"\x2f" + (16382 | 16382 << 14).to_bytes(4, "little"),
        "VP8X": b"\0" * 4 + (16382).to_bytes(3, "little") * 2,
        "VP8 ": b"\0\0\0\x9d\1\x2a" + (16383).to_bytes(2, "little") * 2,
    }
    body = kind.encode() + (10).to_bytes(4, "little") + bodies[kind].ljust(14, b"\0")
    (tmp_path / "a.webp").write_bytes(b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"WEBP" + body)
    for read in (check_image, read_image):
        with pytest.raises(InputError, match="a.webp is 16383 x 16383, over the limit of 134,217,728 pixels"):
            read(tmp_path / "a.webp")


def test_large_images_are_converted_in_strips_to_the_same_pixels(tmp_path, monkeypatch):
    indexed = Image.fromarray(np.arange(240, dtype=np.uint8).reshape(12, 20), "P")
    indexed.putpalette(_photo(16, 16).tobytes())
    path = _saved(indexed, tmp_path / "a.png", transparency=77)
    expected = read_image(path)
    monkeypatch.setattr(images, "_STRIP", 60)
    found = read_image(path)
    np.testing.assert_array_equal(found.rgb, expected.rgb)
    np.testing.assert_array_equal(found.alpha, expected.alpha)


def test_later_frames_are_said(tmp_path):
    frames = [Image.new("L", (20, 12), level) for level in (40, 200)]
    for name, what in (("a.gif", "frames"), ("a.tif", "pages")):
        image = read_image(_saved(frames[0], tmp_path / name, save_all=True, append_images=frames[1:]))
        assert image.notes == (f"has 2 {what}, of which the first counts",)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_kept_outside_of_the_hole(tmp_path, channels):
    levels = np.random.default_rng(0).integers(0, 2**16, (12, 20, channels), dtype=np.uint16)
    write_png(tmp_path / "a.png", levels)
    image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image.deep, levels)
    np.testing.assert_array_equal(image.rgb, np.broadcast_to(levels[..., :3] >> 8, (12, 20, 3)))
    mask = np.zeros((12, 20), bool)
    mask[3:6, 4:9] = True
    write_png(tmp_path / "b.png", restore(image, np.full((12, 20, 3), 100, np.uint8), mask))
    result = read_image(tmp_path / "b.png").deep
    np.testing.assert_array_equal(result[~mask], levels[~mask])
    assert (result[mask][:, :3] == 100 * 257).all()


def test_twelve_bits_in_sixteen_are_shown_bright(tmp_path):
    levels = np.arange(240, dtype=np.uint16).reshape(12, 20) * 17
    image = read_image(_saved(Image.fromarray(levels), tmp_path / "a.tif"))
    np.testing.assert_array_equal(image.rgb[..., 0], levels >> 4)
    assert image.white == 4095 and image.notes[0].startswith("uses 12 of its 16 bits")
    result = restore(image, np.full((12, 20, 3), 255, np.uint8), np.eye(12, 20, dtype=bool))
    assert result[0, 0] == 4095 and result[0, 1] == 17
    write_image(tmp_path / "a.webp", result, white=image.white)
    assert read_image(tmp_path / "a.webp").rgb[0, 0, 0] == 255


def test_what_a_file_says_is_carried_over(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = 6, "2024:01:02 03:04:05"
    profile = b"\0" * 16 + b"RGB " + b"\1" * 200
    options = {"exif": exif, "dpi": (300, 300), "icc_profile": profile}
    texts = PngInfo()
    texts.add_text("parameters", "made by hand")
    texts.add_text("name", "\u6c34")
    for name, more in (("a.jpg", {}), ("a.png", {"pnginfo": texts})):
        metadata = read_image(_saved(Image.fromarray(_photo()), tmp_path / name, **options, **more)).metadata
        for output in ("o.png", "o.jpg", "o.webp"):
            write_image(tmp_path / output, _photo(), metadata)
            with Image.open(tmp_path / output) as written:
                assert dict(written.getexif()) == {0x0132: "2024:01:02 03:04:05"}, output
                assert written.info["icc_profile"] == profile
                assert output == "o.webp" or abs(written.info["dpi"][0] - 300) < 1
                if more and output == "o.png":
                    assert written.text == {"parameters": "made by hand", "name": "\u6c34"}
        write_image(tmp_path / "g.png", _photo()[..., 0], metadata)  # a profile of colours says nothing of grey
        with Image.open(tmp_path / "g.png") as written:
            assert "icc_profile" not in written.info


def test_other_formats_are_written(tmp_path):
    rgba = np.dstack([_photo(), np.full((12, 20), 255, np.uint8)])
    write_image(tmp_path / "a.webp", rgba)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.webp").convert("RGBA")), rgba)
    rgba[..., 3] = 0
    write_image(tmp_path / "a.jpg", rgba, quality=90)
    assert (np.asarray(Image.open(tmp_path / "a.jpg")) == 255).all()


def test_what_is_transparent_is_unknown():
    alpha = np.full((12, 20), 255, np.uint8)
    alpha[:, :8] = 0
    mask = np.zeros((12, 20), bool)
    mask[4:8, 4:12] = True
    hidden = [np.where(alpha[..., np.newaxis] > 0, _photo(), level).astype(np.uint8) for level in (0, 255)]
    black, white = (as_seen(ImageFile(rgb, alpha, False), mask) for rgb in hidden)
    np.testing.assert_array_equal(black, white)
    np.testing.assert_array_equal(black[alpha > 0], _photo()[alpha > 0])
    np.testing.assert_array_equal(black[0, :8], np.repeat(_photo()[:1, 8], 8, axis=0))


def test_a_tiff_whose_0_is_white_is_not_shown_inverted(tmp_path):
    levels = np.arange(240, dtype=np.uint16).reshape(12, 20) * 257
    image = read_image(_saved(Image.fromarray(levels), tmp_path / "a.tif", tiffinfo={262: 0}))
    np.testing.assert_array_equal(image.deep[..., 0], 65535 - levels)
    np.testing.assert_array_equal(image.rgb[..., 0], 255 - (levels >> 8))
    levels = np.arange(240, dtype=np.uint16).reshape(12, 20) * 17  # 12 bits of them
    image = read_image(_saved(Image.fromarray(levels), tmp_path / "b.tif", tiffinfo={262: 0}))
    assert image.white == 4095
    np.testing.assert_array_equal(image.rgb[..., 0], (4095 - levels) >> 4)


def test_many_pixels_below_the_limit_are_no_warning(tmp_path):
    path = _saved(Image.fromarray(_photo()), tmp_path / "a.png")
    program = "from PIL import Image; Image.MAX_IMAGE_PIXELS = 200; "  # of 240; twice as many are refused
    program += f"from tf_inpaint.io.images import read_image; read_image({str(path)!r})"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stderr == ""
