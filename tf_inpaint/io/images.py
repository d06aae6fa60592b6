"""Image files: what is in them, how results are written. No TensorFlow here.

Arrays are uint8, RGB, upright: the EXIF orientation is applied, palettes and CMYK become RGB, 16 bits become 8 (the
high byte, as TensorFlow's PNG decoder does), of animations the first frame counts, colour profiles are ignored.
Whatever is wrong with a file is one sentence that begins with its path, raised as InputError.
"""

from __future__ import annotations

import functools
import io
import os
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from tf_inpaint.errors import InputError, reason
from tf_inpaint.io.atomic import write_whole
from tf_inpaint.ops.levels import MASK_THRESHOLD

PIXEL_LIMIT = 2**27  # 134 million, 402 MB as RGB: every camera fits, a decompression bomb does not

# Named, because Pillow would otherwise also try readers that start other programs (EPS starts Ghostscript).
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "MPO", "PPM", "JPEG2000", "AVIF")
_ORIENTATION_TAG = 0x0112


class ImageFile(NamedTuple):
    """What an image file holds, as its viewer sees it.

    Attributes:
        rgb: uint8 [H, W, 3].
        alpha: uint8 [H, W], 255 = opaque; None where the file has no transparency.
        grey: whether the file holds grey levels only.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None
    grey: bool


def read_image(path, pixel_limit: int = PIXEL_LIMIT) -> ImageFile:
    """An image file, upright, as RGB.

    Args:
        path: JPEG, PNG, WebP, BMP, GIF, TIFF, PNM, JPEG 2000 or AVIF, whatever its name ends in; or the bytes of one.
        pixel_limit: refuse images of more pixels, before they are decoded; Pillow's own `Image.MAX_IMAGE_PIXELS`
            (refuses at twice its value) holds besides.
    Raises:
        InputError: if there is no such image, or it is damaged, or too large.
    """
    with _open(path, pixel_limit) as image:
        path = _named(path)
        try:
            image.load()
            rgb, alpha, grey = _pixels(image)
        except MemoryError:
            raise
        except Exception as error:  # Pillow's readers raise a dozen types at damaged data
            raise InputError(f"{path} is damaged: {reason(error)}") from error
        orientation = _orientation(image)
    if alpha is not None:
        alpha = upright(alpha, orientation)
    return ImageFile(upright(rgb, orientation), alpha, grey)


def read_mask(path, pixel_limit: int = PIXEL_LIMIT) -> np.ndarray:
    """A mask file as grey levels; above half is a hole.

    Each pixel counts as its brightest channel, so that a hole may be painted in any bright colour on black; for grey
    images that is the level itself, as in the release. Transparency counts where it varies: strokes of a single
    colour on a transparent layer are the mask (opaque = hole, whatever the colour), and on a layer of several colours
    what is transparent is no hole.

    Args:
        path, pixel_limit: as in `read_image`.
    Returns:
        uint8 [H, W].
    Raises:
        InputError: as `read_image`.
    """
    rgb, alpha, _ = read_image(path, pixel_limit)
    brightest = rgb.max(axis=2)
    if alpha is None or alpha.min() == alpha.max():
        return brightest
    painted = rgb[alpha > MASK_THRESHOLD]  # half-transparent rims of a stroke have their colours rounded
    if not len(painted) or (painted == painted[0]).all():
        return alpha
    return (brightest.astype(np.uint16) * alpha // 255).astype(np.uint8)


def check_image(path, pixel_limit: int = PIXEL_LIMIT) -> tuple[int, int]:
    """Reads the head of an image file only: quick, and finds what is missing, empty, no image or too large.

    Returns:
        (height, width) as stored, before its EXIF orientation.
    Raises:
        InputError: as `read_image`, for what the head can tell.
    """
    with _open(path, pixel_limit) as image:
        return image.height, image.width


def write_png(path, array: np.ndarray) -> None:
    """Writes a PNG file as a whole or not at all, with its folders.

    Args:
        path: ends in .png; a file of that name is replaced.
        array: uint8 [H, W], [H, W, 1] (grey), [H, W, 3] (RGB) or [H, W, 4] (RGBA); or bool [H, W], True = white.
    Raises:
        InputError: if it cannot be written there; nothing half-written is left.
    """
    path = os.fspath(path)
    if not path.lower().endswith(".png"):
        raise InputError(f"{path} cannot be written: images are written as PNG, so the name must end in .png")
    write_whole(path, encode_png(array))


def encode_png(array: np.ndarray, **options) -> bytes:
    """The bytes of a PNG file; `array` as in `write_png`, options those of Pillow."""
    array = np.asarray(array)
    if array.dtype == bool:
        array = np.where(array, np.uint8(255), np.uint8(0))
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (3,), (4,)):
        raise ValueError(f"`array` must be uint8 [H, W] or [H, W, 1 | 3 | 4]. Received: {array.dtype} {array.shape}")
    encoded = io.BytesIO()
    Image.fromarray(array[:, :, 0] if array.shape[2:] == (1,) else array).save(encoded, "PNG", **options)
    return encoded.getvalue()


def restore(original: ImageFile, rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A completed image in the form of its original: grey if that was grey, with its alpha, opaque in the hole.

    Grey with alpha becomes RGBA with equal colours.

    Args:
        original: the image before.
        rgb: uint8 [H, W, 3], completed.
        mask: bool [H, W], True = hole.
    Returns:
        uint8 [H, W] (grey), [H, W, 3] (RGB) or [H, W, 4] (RGBA).
    """
    if original.grey:
        luma = np.rint(rgb @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
        grey = np.where(mask, luma, original.rgb[..., 0])
        if original.alpha is None:
            return grey
        rgb = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    if original.alpha is None:
        return rgb
    return np.dstack([rgb, np.where(mask, np.uint8(255), original.alpha)])


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Turns stored rows and columns [H, W, ...] the way the EXIF `orientation` (1 .. 8) says they are seen."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


@functools.lru_cache(maxsize=None)
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _named(path):
    """What an image is called in sentences."""
    return "the upload" if isinstance(path, bytes) else path


def _open(path, pixel_limit):
    """An opened, undecoded Pillow image within the limit."""
    source, path = io.BytesIO(path) if isinstance(path, bytes) else path, _named(path)
    if source is path and os.path.isdir(path):
        raise InputError(f"{path} is a folder, not an image")
    try:
        image = Image.open(source, formats=_formats())
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except UnidentifiedImageError:
        if (os.path.getsize(path) if source is path else source.getbuffer().nbytes) == 0:
            raise InputError(f"{path} is empty (0 bytes)") from None
        raise InputError(f"{path} is not an image, whatever its name says, or damaged from its start on") from None
    except Image.DecompressionBombError:
        limit = min(pixel_limit, 2 * Image.MAX_IMAGE_PIXELS)
        raise InputError(f"{path} has more pixels than the limit of {limit:,}: make it smaller first") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}") from error
    except Exception as error:
        raise InputError(f"{path} is damaged: {reason(error)}") from error
    width, height = image.size
    if width < 1 or height < 1:
        complaint = f"has no pixels ({width} x {height})"
    elif width * height > pixel_limit:
        complaint = f"is {width} x {height}, over the limit of {pixel_limit:,} pixels: make it smaller first"
    else:
        return image
    image.close()
    raise InputError(f"{path} {complaint}")


def _pixels(image) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """(rgb, alpha, grey) of a decoded image, as stored."""
    if image.mode.startswith("I"):  # 16 bits; what Pillow calls I is 32 bits wide but holds 16 in every PNG and PNM
        levels = np.asarray(image)
        if levels.min() < 0 or levels.max() > 0xFFFF:
            raise ValueError("its pixels have 32 bits, which no image needs: save it with 8 or 16")
        return np.repeat((levels >> 8).astype(np.uint8)[:, :, np.newaxis], 3, axis=2), None, True
    if image.mode == "F":
        raise ValueError("its pixels are floating point numbers without an agreed white: save it with 8 or 16 bits")
    grey = image.mode in ("1", "L", "LA")
    if image.mode.lower().endswith("a") or "transparency" in image.info:
        rgba = np.array(image.convert("RGBA"))
        return rgba[:, :, :3], rgba[:, :, 3], grey
    return np.array(image.convert("RGB")), None, grey


def _orientation(image) -> int:
    try:
        return image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a damaged EXIF block says nothing against the pixels
        return 1
