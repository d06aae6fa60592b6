"""What an image file says besides its pixels: colour profile, gamma, camera data, texts, resolution."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

_ORIENTATION_TAG = 0x0112
_SIGNATURE = 8  # bytes before a PNG's first chunk
_HEADER = 25  # bytes of that chunk
_INCH = 0.0254  # metres
_LONGEST_TEXT = 2**20


class Metadata(NamedTuple):
    """What is carried over to a completed image.

    Attributes:
        profile: an ICC profile.
        exif: an EXIF block without its orientation, as images are written upright, and without its thumbnail.
        dpi: dots an inch, (across, down).
        texts: keywords and their texts, of a PNG.
        gamma: of a PNG, that of its levels.
    """

    profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    texts: tuple[tuple[str, str], ...] = ()
    gamma: float | None = None

    def profile_for(self, grey: bool) -> bytes | None:
        """The profile, if it is one of images in grey or in RGB."""
        fits = self.profile and self.profile[16:20] == (b"GRAY" if grey else b"RGB ")
        return self.profile if fits else None

    def options(self, grey: bool) -> dict:
        """What Pillow is told as it writes JPEG or WebP."""
        given = {"icc_profile": self.profile_for(grey), "exif": self.exif and b"Exif\0\0" + self.exif, "dpi": self.dpi}
        return {name: value for name, value in given.items() if value}


NO_METADATA = Metadata()


def metadata_of(image) -> Metadata:
    """The metadata of a Pillow image that was decoded; what is damaged is left out."""
    info = image.info
    profile, dpi, gamma = info.get("icc_profile"), info.get("dpi"), info.get("gamma")
    try:
        dpi = tuple(float(side) for side in dpi)
        dpi = dpi if len(dpi) == 2 and all(0 < side < 1e6 for side in dpi) else None
    except (TypeError, ValueError, ZeroDivisionError):
        dpi = None
    texts = tuple(
        (key, str(text))
        for key, text in (getattr(image, "text", None) or {}).items()
        if 0 < len(key) < 80 and key.isascii() and len(text) <= _LONGEST_TEXT and not key.startswith(("XML:", "Raw "))
    )
    return Metadata(
        profile if isinstance(profile, bytes) and len(profile) > 128 else None,
        _exif(image),
        dpi,
        texts,
        gamma if isinstance(gamma, float) and 0 < gamma < 100 else None,
    )


def with_chunks(png: bytes, metadata: Metadata, grey: bool) -> bytes:
    """The bytes of a PNG with metadata; `grey` says that it has no colours."""
    chunks = []
    profile = metadata.profile_for(grey)
    if profile:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)))
    elif metadata.gamma:
        chunks.append((b"gAMA", struct.pack(">I", round(metadata.gamma * 1e5))))
    if metadata.dpi:
        chunks.append((b"pHYs", struct.pack(">IIB", *(round(side / _INCH) for side in metadata.dpi), 1)))
    for key, text in metadata.texts:
        try:
            chunks.append((b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1")))
        except UnicodeEncodeError:
            chunks.append((b"iTXt", key.encode() + b"\0\0\0\0\0" + text.encode(errors="replace")))
    if metadata.exif:
        chunks.append((b"eXIf", metadata.exif))
    cut = _SIGNATURE + _HEADER
    return png[:cut] + b"".join(_chunk(*chunk) for chunk in chunks) + png[cut:] if chunks else png


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _exif(image) -> bytes | None:
    """The EXIF block for an upright image, beginning with its TIFF header; None where there is none to keep."""
    try:
        exif = image.getexif()
        exif.pop(_ORIENTATION_TAG, None)
        if image.format == "TIFF":  # its directory is about how its pixels lie
            kept = {tag: value for tag, value in exif.items() if tag in _DESCRIPTIONS}
            exif = type(exif)()
            exif.update(kept)
        block = exif.tobytes() if len(exif) else b""
    except Exception:  # damaged, which says nothing against the pixels
        return None
    block = block[6:] if block.startswith(b"Exif\0\0") else block
    return block if 8 < len(block) < 65000 else None  # the most that JPEG takes


_DESCRIPTIONS = {0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298}  # what a TIFF says about its origin
