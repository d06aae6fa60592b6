"""Image files: what is in them, how results are written. No TensorFlow here.

Arrays are uint8, RGB, upright: the EXIF orientation is applied, palettes and CMYK become RGB, 16 bits become 8 (the
high byte, as TensorFlow's PNG decoder does), of animations the first frame counts. What eight bits of RGB do not hold,
16 bits, colour profile, camera data, is kept beside them. Whatever is wrong with a file is one sentence that begins
with its path, raised as InputError.
"""

from __future__ import annotations

import functools
import io
import os
import stat
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from tf_inpaint.errors import InputError, reason
from tf_inpaint.io.atomic import write_whole
from tf_inpaint.io.kinds import (
    PNG_SIGNATURE,
    is_heic,
    tiff_numbers,
    unread_kind,
    webp_size,
    without_damaged_extras,
)
from tf_inpaint.io.metadata import NO_METADATA, Metadata, metadata_of, with_chunks
from tf_inpaint.ops.levels import MASK_THRESHOLD

PIXEL_LIMIT = 2**27  # 134 million, 402 MB as RGB: every camera fits, a decompression bomb does not

# Named, because Pillow would otherwise also try readers that start other programs (EPS starts Ghostscript).
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "MPO", "PPM", "JPEG2000", "AVIF", "HEIF")
# Not where images are opened: filters belong to the process, and threads open them.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # `PIXEL_LIMIT` judges
NEAR = 12  # levels around a colour that count as it
_ORIENTATION_TAG = 0x0112
_PHOTOMETRIC_TAG = 262
_HEAD = 65536  # bytes of a file in which its kind and its directory are looked for
_STRIP = 2**22  # pixels converted at a time, so that a large palette image is never there in three forms
_WRITTEN = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


class ImageFile(NamedTuple):
    """What an image file holds, as its viewer sees it.

    Attributes:
        rgb: uint8 [H, W, 3].
        alpha: uint8 [H, W], 255 = opaque; None where the file has no transparency.
        grey: whether the file holds grey levels only.
        deep: uint16 [H, W, 1 | 3 | 4], the levels as a file of 16 bits has them; None otherwise.
        white: the level of `deep` that is white.
        metadata: what the file says besides its pixels.
        notes: sentences about what of the file does not count, each to follow the file's name.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None
    grey: bool
    deep: np.ndarray | None = None
    white: int = 0xFFFF
    metadata: Metadata = NO_METADATA
    notes: tuple[str, ...] = ()


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
        name = _named(path)
        try:
            image.load()
            rgb, alpha, grey = _pixels(image)
            deep = _deep(image, path, rgb, alpha)
        except MemoryError:
            raise
        except _Unread as error:
            raise InputError(f"{name} {error}") from error
        except Exception as error:  # Pillow's readers raise a dozen types at damaged data
            raise InputError(f"{name} is damaged: {reason(error)}") from error
        orientation, metadata, notes = _orientation(image), metadata_of(image), _frames(image)
        white = 0xFFFF if deep is None or image.format != "TIFF" else _white(deep)
        if deep is None and _bits(image, path) > 8:
            notes += (f"has {_bits(image, path)} bits a level, of which 8 are kept",)
        if white < 0xFFFF:
            rgb = np.broadcast_to(deep[..., :3] >> 4, rgb.shape).astype(np.uint8)
            notes += (f"uses 12 of its 16 bits: the network is shown it as if {white} were white",)
    alpha, deep = (array if array is None else upright(array, orientation) for array in (alpha, deep))
    return ImageFile(upright(rgb, orientation), alpha, grey, deep, white, metadata, notes)


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
    return mask_levels(read_image(path, pixel_limit))


def mask_levels(image: ImageFile) -> np.ndarray:
    """`read_mask` of an image that was read."""
    rgb, alpha = image.rgb, image.alpha
    brightest = rgb.max(axis=2)
    if alpha is None or alpha.min() == alpha.max():
        return brightest
    painted = rgb[alpha > MASK_THRESHOLD]  # half-transparent rims of a stroke have their colours rounded
    if not len(painted) or (np.ptp(painted, axis=0) <= 2 * NEAR).all():
        return alpha
    return (brightest.astype(np.uint16) * alpha // 255).astype(np.uint8)


def check_image(path, pixel_limit: int = PIXEL_LIMIT) -> tuple[int, int]:
    """Reads the head of an image file only: quick, and finds what is missing, empty, no image or too large.

    Returns:
        (height, width) as stored, before its EXIF orientation.
    Raises:
        InputError: as `read_image`, for what the head can tell.
    """
    size = webp_size(_head(path))
    if size is not None:
        _check_size(_named(path), *size, pixel_limit)
        return size[1], size[0]
    with _open(path, pixel_limit) as image:
        return image.height, image.width


def write_png(path, array: np.ndarray, metadata: Metadata = NO_METADATA) -> None:
    """Writes a PNG file as a whole or not at all, with its folders.

    Args:
        path: ends in .png; a file of that name is replaced.
        array: uint8 or uint16 [H, W], [H, W, 1] (grey), [H, W, 3] (RGB) or [H, W, 4] (RGBA); or bool [H, W], True =
            white.
        metadata: what the file says besides its pixels.
    Raises:
        InputError: if it cannot be written there; nothing half-written is left.
    """
    path = os.fspath(path)
    if not path.lower().endswith(".png"):
        raise InputError(f"{path} cannot be written: images are written as PNG, so the name must end in .png")
    write_whole(path, encode_png(array, metadata))


def write_image(
    path, array: np.ndarray, metadata: Metadata = NO_METADATA, quality: int | None = None, white: int = 0xFFFF
) -> None:
    """Writes PNG, JPEG or WebP, by the ending of its name, as a whole or not at all, with its folders.

    JPEG and WebP hold 8 bits a level, and JPEG no alpha: what it covered becomes white.

    Args:
        path, array, metadata: as in `write_png`.
        quality: 1 to 100, of JPEG (default: 95) and WebP (default: without loss).
        white: the level that is white, where those are uint16: 2^n - 1, of which JPEG and WebP keep the upper 8 bits.
    Raises:
        InputError: as `write_png`.
    """
    path = os.fspath(path)
    if _WRITTEN.get(os.path.splitext(path)[1].lower()) in ("JPEG", "WEBP"):
        write_whole(path, encode_image(path, array, metadata, quality, white))
    else:
        write_png(path, array, metadata)


def encode_image(
    path, array: np.ndarray, metadata: Metadata = NO_METADATA, quality: int | None = None, white: int = 0xFFFF
) -> bytes:
    """The bytes of the PNG, JPEG or WebP that `write_image` writes; of PNG unless the name ends otherwise."""
    kind = _WRITTEN.get(os.path.splitext(path)[1].lower(), "PNG")
    if kind == "PNG":
        return encode_png(array, metadata)
    array = np.asarray(array)
    if array.dtype == np.uint16:
        array = (array >> white.bit_length() - 8).astype(np.uint8)
    if kind == "JPEG" and array.ndim == 3 and array.shape[2] == 4:
        weight = array[..., 3:].astype(np.float32) / 255
        array = np.rint(array[..., :3] * weight + 255 * (1 - weight)).astype(np.uint8)
    options = metadata.options(grey=array.ndim == 2)
    if kind == "JPEG":
        options.update(quality=quality or 95, subsampling=0)
    else:
        options.update({"quality": quality} if quality else {"lossless": True, "exact": True})
        options.pop("dpi", None)
    encoded = io.BytesIO()
    try:
        Image.fromarray(array).save(encoded, kind, **options)
    except (OSError, ValueError) as error:  # more than 65,500 or 16,383 pixels a side
        raise InputError(f"{path} cannot be written: {reason(error)}; PNG takes it") from error
    return encoded.getvalue()


def encode_png(array: np.ndarray, metadata: Metadata = NO_METADATA, **options) -> bytes:
    """The bytes of a PNG file; `array` and `metadata` as in `write_png`, options those of Pillow."""
    array = np.asarray(array)
    if array.dtype == bool:
        array = np.where(array, np.uint8(255), np.uint8(0))
    known = array.dtype in (np.uint8, np.uint16) and array.ndim in (2, 3)
    if not known or array.shape[2:] not in ((), (1,), (3,), (4,)):
        raise ValueError(f"`array` must be uint8 [H, W] or [H, W, 1 | 3 | 4]. Received: {array.dtype} {array.shape}")
    array = array[:, :, 0] if array.shape[2:] == (1,) else array
    if array.dtype == np.uint16:
        encoded = _encode_deep(array)
    else:
        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, "PNG", **options)
        encoded = buffer.getvalue()
    return with_chunks(encoded, metadata, grey=array.ndim == 2)


def as_seen(original: ImageFile, mask: np.ndarray) -> np.ndarray:
    """An image as a network is shown it: what is transparent is unknown, whatever colour a file hides there.

    Args:
        original: the image.
        mask: bool [H, W], True = hole.
    Returns:
        uint8 [H, W, 3]: transparent pixels have the colour of the nearest known one that is seen; others are as they
        are.
    """
    if original.alpha is None:
        return original.rgb
    hidden = original.alpha == 0
    sources = ~hidden & ~mask
    if not hidden.any() or not sources.any():
        return original.rgb
    rgb = original.rgb.copy()
    rgb[hidden] = original.rgb[sources][_nearest(sources)[hidden]]
    return rgb


def restore(original: ImageFile, rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A completed image in the form of its original: grey if that was grey, with its alpha, in its depth.

    Known pixels are those of the original. Alpha goes on into the hole from the nearest known pixel; where nothing
    known is opaque, the hole is. Grey with alpha becomes RGBA with equal colours.

    Args:
        original: the image before.
        rgb: uint8 [H, W, 3], completed.
        mask: bool [H, W], True = hole.
    Returns:
        uint8, or uint16 where the original is, [H, W] (grey), [H, W, 3] (RGB) or [H, W, 4] (RGBA).
    """
    if original.grey:
        luma = np.rint(rgb @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
        result = np.where(mask, luma, original.rgb[..., 0])
    else:
        result = np.where(mask[..., np.newaxis], rgb, original.rgb)
    if original.alpha is not None:
        result = np.repeat(result[..., np.newaxis], 3, axis=-1) if original.grey else result
        result = np.dstack([result, _completed_alpha(original.alpha, mask)])
    if original.deep is None:
        return result
    deep = original.deep[..., 0] if original.deep.shape[2] == 1 else original.deep
    predicted = np.rint(result * (original.white / 255)).astype(np.uint16)
    return np.where(mask if deep.ndim == 2 else mask[..., np.newaxis], predicted, deep)


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


class _Unread(ValueError):
    """A sound file of a kind that is not read; its sentence goes on after the file's name."""


def _head(path, length=_HEAD) -> bytes:
    """The first bytes of a file, which has to be one: what is read from pipes and devices need never end."""
    if isinstance(path, bytes):
        return path[:length]
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path} is a folder, not an image")
        if not stat.S_ISREG(mode):
            kind = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
            raise InputError(f"{path} is {kind}, not a file: save the image to a file first")
        with open(path, "rb") as file:
            return file.read(length)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read: {reason(error)}") from error


def _open(path, pixel_limit):
    """An opened, undecoded Pillow image within the limit."""
    head = _head(path)
    source, path = io.BytesIO(path) if isinstance(path, bytes) else path, _named(path)
    size = webp_size(head)
    if size is not None:
        _check_size(path, *size, pixel_limit)
    if is_heic(head):
        _read_heic()
    try:
        image = _image_of(source, head)
    except UnidentifiedImageError:
        if not head:
            raise InputError(f"{path} is empty (0 bytes)") from None
        numbers = tiff_numbers(_head(source, None) if source is path else source.getvalue())
        if numbers:
            raise InputError(f"{path} {_unread_numbers(numbers)}") from None
        kind = unread_kind(head, str(path))
        if kind:
            raise InputError(f"{path} is not an image that is read: it {kind}") from None
        raise InputError(f"{path} is not an image, whatever its name says, or damaged from its start on") from None
    except Image.DecompressionBombError:
        limit = min(pixel_limit, 2 * Image.MAX_IMAGE_PIXELS)
        raise InputError(f"{path} has more pixels than the limit of {limit:,}: make it smaller first") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}") from error
    except Exception as error:
        raise InputError(f"{path} is damaged: {reason(error)}") from error
    try:
        _check_size(path, *image.size, pixel_limit)
    except InputError:
        image.close()
        raise
    return image


def _image_of(source, head):
    """Opened by Pillow, which unlike others refuses a PNG whose image is sound and whose texts are damaged."""
    try:
        return Image.open(source, formats=_formats())
    except UnidentifiedImageError:
        if not head.startswith(PNG_SIGNATURE):
            raise
    contents = source.getvalue() if isinstance(source, io.BytesIO) else _head(source, None)
    return Image.open(io.BytesIO(without_damaged_extras(contents)), formats=_formats())


def _check_size(path, width, height, pixel_limit):
    if width < 1 or height < 1:
        raise InputError(f"{path} has no pixels ({width} x {height})")
    if width * height > pixel_limit:
        complaint = f"over the limit of {pixel_limit:,} pixels: make it smaller first"
        raise InputError(f"{path} is {width} x {height}, {complaint}")


def _pixels(image) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """(rgb, alpha, grey) of a decoded image, as stored."""
    if image.format == "TIFF":
        sample = image.tag_v2.get(339, 1)
        sample = sample[0] if isinstance(sample, tuple) else sample
        if sample in (2, 3) or image.mode == "I":
            bits = image.tag_v2.get(258, (32,))[0]
            kinds = {2: "numbers with a sign", 3: "floating point numbers"}
            raise _Unread(_unread_numbers(f"{bits}-bit {kinds.get(sample, 'whole numbers')}"))
    if image.mode == "F":
        raise _Unread(_unread_numbers("floating point numbers"))
    if image.mode.startswith("I"):  # 16 bits; what Pillow calls I is 32 bits wide but holds 16 in every PNG and PNM
        levels = _grey_levels(image)
        if levels.min() < 0 or levels.max() > 0xFFFF:
            raise _Unread(_unread_numbers("32-bit whole numbers"))
        key = image.info.get("transparency")
        alpha = np.where(levels == key, np.uint8(0), np.uint8(255)) if isinstance(key, int) else None
        return np.repeat((levels >> 8).astype(np.uint8)[:, :, np.newaxis], 3, axis=2), alpha, True
    grey = image.mode in ("1", "L", "LA")
    if image.mode.lower().endswith("a") or "transparency" in image.info:
        rgba = _converted(image, "RGBA")
        return rgba[:, :, :3], rgba[:, :, 3], grey
    return _converted(image, "RGB"), None, grey


def _grey_levels(image) -> np.ndarray:
    """The levels of a grey image of more than 8 bits, in which Pillow, unlike in 8, lets a TIFF's 0 mean white."""
    levels = np.asarray(image)
    of_white = image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC_TAG) == 0
    return _white(levels) - levels if of_white else levels


def _white(levels) -> int:
    """The level that is white in a TIFF of 16 bits: of microscopes and sensors, some use 12 of these."""
    return 0xFFF if 0xFF < levels.max() < 0x1000 else 0xFFFF


def _converted(image, mode) -> np.ndarray:
    """An image in another mode, strip by strip where it is large."""
    width, height = image.size
    rows = max(1, _STRIP // width)
    if rows >= height:
        return np.array(image.convert(mode))
    result = np.empty((height, width, len(mode)), np.uint8)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(height, top + rows)))
        strip.info = image.info  # a transparent key
        result[top : top + rows] = np.asarray(strip.convert(mode))
    return result


def _unread_numbers(numbers) -> str:
    return f"has pixels of {numbers}, of which nobody says what is white: save it with 8 or 16 bits"


def _bits(image, path) -> int:
    """Bits of each level, as the file says."""
    if image.format == "PNG":
        head = _head(path, 25)
        return head[24] if head[12:16] == b"IHDR" and len(head) > 24 else 8
    if image.format == "TIFF":
        bits = image.tag_v2.get(258, (1,))
        return max(bits) if isinstance(bits, tuple) else bits
    return 16 if image.mode.startswith("I") else 8


def _deep(image, path, rgb, alpha) -> np.ndarray | None:
    """The 16-bit levels of a decoded image, uint16 [H, W, 1 | 3 | 4] as stored; None where it has 8, or nobody reads
    them."""
    if image.mode.startswith("I"):
        levels = _grey_levels(image).astype(np.uint16)[..., np.newaxis]
        return levels if alpha is None else np.dstack([levels, levels, levels, alpha * np.uint16(257)])
    if _bits(image, path) != 16:
        return None
    import cv2  # Pillow reads colours in 8 bits only

    contents = np.frombuffer(_head(path, None), np.uint8)
    deep = cv2.imdecode(contents, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    channels = 3 if alpha is None else 4
    if deep is None or deep.dtype != np.uint16 or deep.shape != (*rgb.shape[:2], channels):
        return None
    deep = deep[..., [2, 1, 0, 3][:channels]]
    same = (deep[..., :3] >> 8 == rgb).all() and (alpha is None or (deep[..., 3] >> 8 == alpha).all())
    return deep if same else None


def _encode_deep(array) -> bytes:
    import cv2

    order = array if array.ndim == 2 else array[..., [2, 1, 0, 3][: array.shape[2]]]
    return cv2.imencode(".png", np.ascontiguousarray(order))[1].tobytes()


def _frames(image) -> tuple[str, ...]:
    try:
        count = getattr(image, "n_frames", 1)
    except Exception:  # later frames that are damaged do not count
        count = 1
    if count < 2 or image.format == "MPO":  # the second image of a camera's MPO is its preview or the other eye
        return ()
    what = "pages" if image.format == "TIFF" else "frames"
    return (f"has {count} {what}, of which the first counts",)


def _nearest(sources) -> np.ndarray:
    """For every pixel, which of the sources, in the order of `array[sources]`, is nearest: int [H, W]."""
    import cv2

    away = np.where(sources, np.uint8(0), np.uint8(255))
    labels = cv2.distanceTransformWithLabels(away, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    order = np.empty(labels.max() + 1, np.int64)
    order[labels[sources]] = np.arange(np.count_nonzero(sources))
    return order[labels]


def _completed_alpha(alpha, mask) -> np.ndarray:
    known = ~mask
    if not known.any() or not alpha[known].any():
        return np.where(mask, np.uint8(255), alpha)
    return np.where(mask, alpha[known][_nearest(known)], alpha)


@functools.lru_cache(maxsize=None)
def _read_heic() -> None:
    """Makes Pillow read HEIC where the library is installed that does."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return
    register_heif_opener()
    _formats.cache_clear()


def _orientation(image) -> int:
    try:
        if image.format not in ("JPEG", "MPO", "PNG"):
            return image.getexif().get(_ORIENTATION_TAG, 1)
        exif = Image.Exif()  # by itself, without what texts say beside it, as TensorFlow's reader in `ops.decode`
        exif.load(image.info.get("exif", b""))
        return exif.get(_ORIENTATION_TAG, 1)
    except Exception:  # a damaged EXIF block says nothing against the pixels
        return 1
