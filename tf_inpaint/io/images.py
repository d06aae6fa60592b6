"""Picture files: which there are, what is in them, how results are written. No TensorFlow here.

Arrays are uint8, RGB, upright: the EXIF orientation is applied, palettes and CMYK become RGB, 16 bits become 8 (the
high byte, as TensorFlow's PNG decoder does), of animations the first frame counts, colour profiles are ignored.
Whatever is wrong with a file is one sentence that begins with its path, raised as InputError.
"""

from __future__ import annotations

import csv
import functools
import glob
import io
import os
from typing import Iterable, NamedTuple, Sequence

import numpy as np
from PIL import Image, UnidentifiedImageError

from tf_inpaint.errors import InputError, reason
from tf_inpaint.io.atomic import write_whole
from tf_inpaint.ops.levels import MASK_THRESHOLD

IMAGE_EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif"),
)
SKETCH_SUFFIX = "_edge"
LIST_EXTENSIONS = (".flist", ".txt")
PIXEL_LIMIT = 2**27  # 134 million, 402 MB as RGB: every camera fits, a decompression bomb does not

# Named, because Pillow would otherwise also try readers that start other programs (EPS starts Ghostscript).
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "MPO", "PPM", "JPEG2000", "AVIF")
_ORIENTATION_TAG = 0x0112
_SOURCES = "a folder, a glob such as 'photos/*.jpg', a .flist or .txt with a path a line, a .csv, or a list of these"


class Picture(NamedTuple):
    """A picture as its viewer sees it.

    Attributes:
        rgb: uint8 [H, W, 3].
        alpha: uint8 [H, W], 255 = opaque; None where the file has no transparency.
        grey: whether the file holds grey levels only.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None
    grey: bool


def read_image(path, pixel_limit: int = PIXEL_LIMIT) -> Picture:
    """A picture file, upright, as RGB.

    Args:
        path: JPEG, PNG, WebP, BMP, GIF, TIFF, PNM, JPEG 2000 or AVIF, whatever its name ends in; or the bytes of one.
        pixel_limit: refuse pictures of more pixels, before they are decoded; Pillow's own `Image.MAX_IMAGE_PIXELS`
            (refuses at twice its value) holds besides.
    Raises:
        InputError: if there is no such picture, or it is damaged, or too large.
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
    return Picture(upright(rgb, orientation), alpha, grey)


def read_mask(path, pixel_limit: int = PIXEL_LIMIT) -> np.ndarray:
    """A mask file as grey levels; above half is a hole.

    Each pixel counts as its brightest channel, so that a hole may be painted in any bright colour on black; for grey
    pictures that is the level itself, as in the release. Transparency counts where it varies: strokes of a single
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
    """Reads the head of a picture file only: quick, and finds what is missing, empty, no picture or too large.

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
        array: uint8 [H, W], [H, W, 1] (grey), [H, W, 3] (RGB) or [H, W, 4] (RGBA).
    Raises:
        InputError: if it cannot be written there; nothing half-written is left.
    """
    path = os.fspath(path)
    array = np.asarray(array)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (3,), (4,)):
        raise ValueError(f"`array` must be uint8 [H, W] or [H, W, 1 | 3 | 4]. Received: {array.dtype} {array.shape}")
    if not path.lower().endswith(".png"):
        raise InputError(f"{path} cannot be written: pictures are written as PNG, so the name must end in .png")
    encoded = io.BytesIO()
    Image.fromarray(array[:, :, 0] if array.shape[2:] == (1,) else array).save(encoded, "PNG")
    write_whole(path, encoded.getbuffer())


def list_files(source: str | Sequence[str], base: str | None = None) -> list[str]:
    """The picture files that a source names.

    A folder gives the pictures in it and below it, by their extension and in the order of their paths, without hidden
    ones; a glob those it matches. A list (.flist, .txt) gives a path per line, blank lines and lines that begin with #
    aside; a .csv its column `image`, or else its first. Relative paths of a list count from the list's folder, or else
    from the working directory. Any other file is taken for a picture.

    Args:
        source: one of the above, or a sequence of them, whose files follow one another.
        base: folder from which relative sources count, before the working directory.
    Returns:
        Paths of files, at least one.
    Raises:
        InputError: if there is nothing there; names list and line where a line is wrong.
    """
    sources = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    if not sources or not all(os.fspath(one).strip() for one in sources):
        raise InputError(f"no pictures are named: give {_SOURCES}")
    return [file for one in sources for file in _list_source(os.fspath(one), base)]


def source_root(source: str | Sequence[str], files: Sequence[str]) -> str:
    """The folder that a source is, or else the innermost one that holds all files it names."""
    if isinstance(source, (str, os.PathLike)) and os.path.isdir(os.path.expanduser(source)):
        return os.path.expanduser(source)
    return os.path.commonpath([os.path.dirname(os.path.abspath(file)) for file in files])


def split_sketches(files: Sequence[str], root: str = "", folder: str = "") -> tuple[list[str], dict[str, str]]:
    """Pictures, and the sketches among them or in a folder of their own.

    A file x_edge.* is the sketch of a picture x.* in the same folder, which is the release's naming; without such a
    picture it is a picture itself. Of several sketches PNG is preferred.

    Args:
        files: paths, as from `list_files`. A sketch need not be among them to be found beside its picture.
        root, folder: where sketches lie apart, the folder of the pictures and that of the sketches, laid out alike; a
            sketch there may also have its picture's own name.
    Returns:
        (pictures in their order, {picture: its sketch}).
    """
    stems = {os.path.splitext(file)[0] for file in files}
    pictures = [file for file in files if not _is_sketch(file, stems)]
    folders, sketches = {}, {}
    for picture in pictures:
        place = os.path.join(folder, os.path.relpath(picture, root)) if folder else picture
        here, name = os.path.split(os.path.splitext(place)[0])
        if here not in folders:
            folders[here] = _by_stem(here)
        sketch = folders[here].get(name + SKETCH_SUFFIX, folders[here].get(name) if folder else None)
        if sketch is not None and os.path.abspath(os.path.join(here, sketch)) != os.path.abspath(picture):
            sketches[picture] = os.path.join(here, sketch)
    return pictures, sketches


def _by_stem(folder: str) -> dict[str, str]:
    """{name without extension: name} of the pictures in a folder, PNG preferred; none where there is no folder."""
    named = {}
    if os.path.isdir(folder or os.curdir):
        entries = sorted(os.listdir(folder or os.curdir), key=lambda entry: not entry.lower().endswith(".png"))
        for entry in filter(_has_extension, entries):
            named.setdefault(os.path.splitext(entry)[0], entry)
    return named


def _is_sketch(file: str, stems: set[str]) -> bool:
    stem = os.path.splitext(file)[0]
    return stem.endswith(SKETCH_SUFFIX) and stem[: -len(SKETCH_SUFFIX)] in stems


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
    """What a picture is called in sentences."""
    return "the upload" if isinstance(path, bytes) else path


def _open(path, pixel_limit):
    """An opened, undecoded Pillow image within the limit."""
    source, path = io.BytesIO(path) if isinstance(path, bytes) else path, _named(path)
    if source is path and os.path.isdir(path):
        raise InputError(f"{path} is a folder, not a picture")
    try:
        image = Image.open(source, formats=_formats())
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except UnidentifiedImageError:
        if (os.path.getsize(path) if source is path else source.getbuffer().nbytes) == 0:
            raise InputError(f"{path} is empty (0 bytes)") from None
        raise InputError(f"{path} is not a picture, whatever its name says, or damaged from its start on") from None
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
            raise ValueError("its pixels have 32 bits, which no picture needs: save it with 8 or 16")
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


def _list_source(source: str, base: str | None) -> list[str]:
    path = _locate(source, base) or source
    if os.path.isdir(path):
        files = _walk(path)
        nothing = f"{path} holds no pictures: no file in it or below it ends in .jpg, .png, .webp or the like"
    elif os.path.isfile(path):
        extension = os.path.splitext(path)[1].lower()
        nothing = f"{path} is an empty list"
        if extension in LIST_EXTENSIONS:
            files = _from_entries(path, _lines(path))
        elif extension == ".csv":
            files = _from_entries(path, _cells(path))
        else:
            files = [path]
    elif glob.has_magic(source):
        files = []
        for folder in dict.fromkeys((base or "", "")):
            pattern = os.path.join(folder, os.path.expanduser(source))
            files = files or sorted(file for file in glob.glob(pattern, recursive=True) if _is_picture(file))
        nothing = f"{source} matches no pictures"
    else:
        raise InputError(f"{source} does not exist: give {_SOURCES}")
    if not files:
        raise InputError(nothing)
    return files


def _walk(folder: str) -> list[str]:
    """Pictures in and below a folder; links are followed, but no folder is entered twice."""

    def fail(error):
        raise InputError(f"{error.filename} cannot be listed: {reason(error)}") from error

    files, entered = [], set()
    for here, folders, names in os.walk(folder, followlinks=True, onerror=fail):
        real = os.path.realpath(here)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += (os.path.join(here, name) for name in names if _has_extension(name) and not name.startswith("."))
    return sorted(files)


def _is_picture(path: str) -> bool:
    return _has_extension(path) and os.path.isfile(path)


def _has_extension(name: str) -> bool:
    return name.lower().endswith(IMAGE_EXTENSIONS)


def _locate(path: str, folder: str | None) -> str | None:
    """Where a path leads, seen from a folder and else from the working directory; None if nowhere."""
    path = os.path.expanduser(path)
    for candidate in (os.path.join(folder or "", path), path):
        if os.path.exists(candidate):
            return candidate
    return None


def _from_entries(list_path: str, entries: Iterable[tuple[int, str]]) -> list[str]:
    files = []
    folder = os.path.dirname(list_path)
    for line, entry in entries:
        file = _locate(entry, folder)
        if file is None:
            where = "" if os.path.isabs(entry) else f" in {folder or os.curdir} or the working directory"
            raise InputError(f"{list_path}:{line}: {entry} does not exist{where}")
        if os.path.isdir(file):
            raise InputError(f"{list_path}:{line}: {entry} is a folder, not a picture")
        files.append(file)
    return files


def _lines(path: str) -> list[tuple[int, str]]:
    """Numbered entries of a list: lines that are neither blank nor comments."""
    numbered = ((number, line.strip()) for number, line in enumerate(_text(path).split("\n"), 1))
    return [(number, line) for number, line in numbered if line and not line.startswith("#")]


def _cells(path: str) -> list[tuple[int, str]]:
    """Numbered entries of a CSV: its column `image`, or else its first; the first row may be a heading."""
    try:
        reader = csv.reader(io.StringIO(_text(path), newline=""))
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}") from error
    rows = [(line, row) for line, row in rows if any(row)]
    if not rows:
        return []
    heading = [cell.lower() for cell in rows[0][1]]
    column = heading.index("image") if "image" in heading else 0
    if "image" in heading or not _has_extension(heading[0]):
        rows = rows[1:]
    for line, row in rows:
        if len(row) <= column or not row[column]:
            raise InputError(f"{path}:{line}: the column of pictures (number {column + 1}) is empty")
    return [(line, row[column]) for line, row in rows]


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a list: its bytes are not UTF-8 text") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}") from error
