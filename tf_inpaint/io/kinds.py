"""Kinds of image files by their first bytes: what cannot be read is named, and sizes are known before a reader runs."""

from __future__ import annotations

import struct
import zlib

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CONVERT = "convert it to JPEG or PNG first"
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_UNREAD = (
    (b"8BPS", "a Photoshop file"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"%PDF", "a PDF"),
    (b"%!PS", "PostScript"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file"),
    (b"IIU\0", "a camera's raw file"),
    (b"IIRO", "a camera's raw file"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"gimp xcf", "a GIMP file"),
    (b"\x1aE\xdf\xa3", "a video"),
)
_RAW_ENDINGS = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw")


def unread_kind(head: bytes, name: str = "") -> str | None:
    """What a file is that no reader takes, and what to do, as the end of a sentence; None: nobody knows.

    Args:
        head: its first bytes, 64 or more.
        name: of the file.
    """
    if name.lower().endswith(_RAW_ENDINGS):
        return f"is a camera's raw file, which is not read: {_CONVERT}"
    for magic, kind in _UNREAD:
        if head.startswith(magic):
            return f"is {kind}, which is not read: {_CONVERT}"
    if head[4:8] == b"ftyp":
        if head[8:12] in _HEIC_BRANDS:
            return f"is HEIC, which is read where pillow-heif is installed: install it, or {_CONVERT}"
        if head[8:12] in (b"avif", b"avis"):
            return f"is AVIF, which this Pillow does not read: take a newer one, or {_CONVERT}"
        return "is a video, or a kind of image that is not read"
    if head.lstrip()[:5].lower() in (b"<?xml", b"<svg ") and b"<svg" in head.lower():
        return f"is SVG, a drawing without pixels, which is not read: {_CONVERT}"
    return None


def is_heic(head: bytes) -> bool:
    """Whether a file is HEIC by its first bytes."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS


def webp_size(head: bytes) -> tuple[int, int] | None:
    """(width, height) of a WebP by its first 30 bytes, as Pillow's reader makes room for it before it tells."""
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP" or len(head) < 25:
        return None
    head = head.ljust(30, b"\0")
    if head[12:16] == b"VP8X":
        return tuple(1 + int.from_bytes(head[first : first + 3], "little") for first in (24, 27))
    if head[12:16] == b"VP8L":
        bits = struct.unpack_from("<I", head, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if head[12:16] == b"VP8 ":
        return tuple(side & 0x3FFF for side in struct.unpack_from("<HH", head, 26))
    return None


def without_damaged_extras(png: bytes) -> bytes:
    """A PNG without chunks that its image does not need (texts, profile) and whose checksum is wrong.

    Of EXIF it is put right: TensorFlow's reader in `ops.decode` looks at no checksums, and both have to see the same.
    """
    kept, place = [png[: len(PNG_SIGNATURE)]], len(PNG_SIGNATURE)
    while place + 12 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        end = place + 12 + length
        checksum = struct.pack(">I", zlib.crc32(png[place + 4 : end - 4]))
        extra = kind[0] & 0x20
        if kind == b"eXIf":
            kept.append(png[place : end - 4] + checksum)
        elif not extra or checksum == png[end - 4 : end]:
            kept.append(png[place:end])
        place = end
    return b"".join(kept)


def tiff_numbers(head: bytes) -> str | None:
    """What a TIFF's pixels are, where they are no whole numbers of 16 bits or fewer; None otherwise.

    Args:
        head: its first bytes; a directory beyond them is not seen.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(head[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(order + "I", head, 4)
        (entries,) = struct.unpack_from(order + "H", head, start)
        tags = {}
        for entry in range(entries):
            tag, kind, count, value = struct.unpack_from(order + "HHI4s", head, start + 2 + 12 * entry)
            if kind == 3:  # SHORT: in place, or where the value points to
                if count <= 2:
                    tags[tag] = struct.unpack_from(order + "H", value)[0]
                else:
                    tags[tag] = struct.unpack_from(order + "H", head, struct.unpack(order + "I", value)[0])[0]
    except struct.error:
        return None
    bits, sample = tags.get(258, 1), tags.get(339, 1)
    if sample == 3:
        return f"{bits}-bit floating point numbers"
    if sample == 2:
        return f"{bits}-bit numbers with a sign"
    if sample in (5, 6):
        return "complex numbers"
    return f"{bits}-bit whole numbers" if bits > 16 else None
