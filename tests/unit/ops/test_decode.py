"""Orientation and mask levels; images of all formats are decoded in tests/unit/data."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_inpaint.io.images import read_mask
from tf_inpaint.ops.decode import decode_mask, exif_orientation


def _tiff(order, entries, first=8):
    number = {"II": "little", "MM": "big"}[order.decode()]
    words = [(0x2A).to_bytes(2, number), first.to_bytes(4, number), len(entries).to_bytes(2, number)]
    for tag, kind, value in entries:
        words += [part.to_bytes(2, number) for part in (tag, kind)]
        words += [(1).to_bytes(4, number), value.to_bytes(2, number), b"\0\0"]
    return order + b"".join(words)


def _jpeg(*segments):
    return b"\xff\xd8" + b"".join(
        b"\xff" + bytes([kind]) + (len(body) + 2).to_bytes(2, "big") + body for kind, body in segments
    )


@pytest.mark.parametrize("order", [b"II", b"MM"])
def test_orientation_in_both_byte_orders(order):
    tiff = _tiff(order, [(0x010F, 3, 1), (0x0112, 3, 6), (0x0128, 3, 2)])
    exif, end = (0xE1, b"Exif\0\0" + tiff), b"\xff\xda\0\x08" + b"*" * 30
    assert exif_orientation(_jpeg(exif) + end).numpy() == 6
    before = (0xE0, b"JFIF\0"), (0xFE, b"Exif\0\0II*\0"), (0xE2, bytes(65533))
    assert exif_orientation(_jpeg(*before, exif) + end).numpy() == 6
    assert exif_orientation(_jpeg(exif, (0xE1, b"Exif\0\0" + _tiff(order, [(0x0112, 3, 3)]))) + end).numpy() == 6
    assert exif_orientation(b"\x89PNG...eXIf" + tiff).numpy() == 6
    assert exif_orientation(b"\x89PNG" + b"x" * 200_000 + b"eXIf" + tiff + b"IEND").numpy() == 6


def test_orientation_as_a_long_number():
    tiff = b"II*\0\x08\0\0\0\1\0\x12\1\4\0\1\0\0\0\6\0\0\0"
    assert exif_orientation(b"\x89PNG...eXIf" + tiff).numpy() == 6


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"*",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe0 no exif at all, but a II*\0",
        _jpeg((0xFE, b"Exif\0\0" + _tiff(b"II", [(0x0112, 3, 6)]))),
        _jpeg((0xDA, b""), (0xE1, b"Exif\0\0" + _tiff(b"II", [(0x0112, 3, 6)]))),
        *(
            _jpeg((0xE1, b"Exif\0\0" + tiff))
            for tiff in (
                b"II*\0",
                b"MM\0*\xff\xff\xff\xff\xff\xff",
                _tiff(b"II", [(0x0112, 3, 6)], first=4000),
                _tiff(b"II", [(0x0112, 3, 6)])[:-9],
                _tiff(b"II", [(0x0112, 3, 9)]),
                _tiff(b"MM", [(0x0112, 3, 0)]),
                _tiff(b"MM", [(0x0112, 2, 6)]),
                _tiff(b"MM", []),
            )
        ),
        b"\x89PNG" + b"x" * 70_000 + b"eXIf" + _tiff(b"MM", [(0x0112, 3, 6)]) + b"x" * 70_000,
    ],
)
def test_without_a_sound_orientation_pictures_stay(contents):
    assert exif_orientation(contents).numpy() == 1


def test_mask_levels_are_those_of_every_command(tmp_path):
    generator = np.random.default_rng(0)
    grey = Image.fromarray(generator.integers(0, 256, (24, 40), dtype=np.uint8))
    colour = Image.fromarray(generator.integers(0, 256, (24, 40, 3), dtype=np.uint8))
    hole = Image.fromarray(np.where(generator.random((24, 40)) < 0.3, np.uint8(255), np.uint8(0)))
    red, several, clear = Image.new("RGB", (40, 24), (200, 0, 0)), colour.copy(), colour.copy()
    red.putalpha(hole)
    several.putalpha(grey)
    clear.putalpha(99)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, image, options in (
        ("grey.png", grey, {}),
        ("1_bit.png", grey.convert("1"), {}),
        ("16_bits.png", Image.fromarray(np.asarray(grey).astype(np.uint16) * 256 + 9), {}),
        ("colour.png", colour, {}),
        ("palette.png", colour.quantize(16), {}),
        ("palette_with_alpha.png", colour.quantize(16), {"transparency": 3}),
        ("stroke_on_a_clear_layer.png", red, {}),
        ("colours_on_a_clear_layer.png", several, {}),
        ("grey_with_alpha.png", several.convert("LA"), {}),
        ("evenly_clear.png", clear, {}),
        ("nothing_opaque.png", Image.merge("RGBA", [*colour.split(), grey.point(lambda level: level // 3)]), {}),
        ("turned.png", grey, {"exif": exif}),
        ("turned.jpg", hole, {"exif": exif, "quality": 100}),
    ):
        image.save(tmp_path / name, **options)
        expected = read_mask(tmp_path / name)
        found = decode_mask(tf.io.read_file(str(tmp_path / name)))[..., 0].numpy()
        assert found.shape == expected.shape, name
        assert abs(found.astype(int) - expected).max() <= (2 if name.endswith("jpg") else 0), name
