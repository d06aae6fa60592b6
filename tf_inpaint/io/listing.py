"""Image files: which there are. Folders, globs, lists, CSV, and edges that lie beside images."""

from __future__ import annotations

import csv
import glob
import io
import os
from collections import Counter
from importlib.util import find_spec
from typing import Iterable, Sequence

from tf_inpaint.errors import InputError, reason

_HEIC_EXTENSIONS = (".heic", ".heif")
IMAGE_EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif"),
    *(_HEIC_EXTENSIONS if find_spec("pillow_heif") else ()),
)
LIST_EXTENSIONS = (".flist", ".txt")
EDGES_SUFFIX = "_edge"

_SOURCES = "a folder, a glob such as 'photos/*.jpg', a .flist or .txt with a path a line, a .csv, or a list of these"


def list_files(source: str | Sequence[str], base: str | None = None) -> list[str]:
    """The image files that a source names.

    A folder gives the images in it and below it, by their extension and in the order of their paths, without hidden
    ones; a glob those it matches. A list (.flist, .txt) gives a path per line, blank lines and lines that begin with #
    aside; a .csv its column `image`, or else its first. Relative paths of a list count from the list's folder, or else
    from the working directory. Any other file is taken for an image.

    Args:
        source: one of the above, or a sequence of them, whose files follow one another.
        base: folder from which relative sources count, before the working directory.
    Returns:
        Paths of files, at least one.
    Raises:
        InputError: if there is nothing there; names list and line where a line is wrong.
    """
    sources = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    if not sources or not all(os.fspath(source).strip() for source in sources):
        raise InputError(f"no images are named: give {_SOURCES}")
    return [file for source in sources for file in _list_source(os.fspath(source), base)]


def left_out(folder: str) -> list[str]:
    """Sentences about the files of a folder that `list_files` leaves out for their endings."""
    counts, most = Counter(), 5
    for _, folders, names in os.walk(os.path.expanduser(folder)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        counts.update(
            os.path.splitext(name)[1].lower() or "no ending"
            for name in names
            if not name.startswith(".") and not _has_extension(name)
        )
    if not counts:
        return []
    told = [f"{count} {ending}" for ending, count in counts.most_common(most)] + ["others"] * (len(counts) > most)
    hint = "; HEIC is read where pillow-heif is installed" if counts.keys() & set(_HEIC_EXTENSIONS) else ""
    return [f"{folder}: files left out for their endings: {', '.join(told)}{hint}"]


def source_root(source: str | Sequence[str], files: Sequence[str]) -> str:
    """The folder that a source is, or else the innermost one that holds all files it names."""
    if isinstance(source, (str, os.PathLike)) and os.path.isdir(os.path.expanduser(source)):
        return os.path.expanduser(source)
    return os.path.commonpath([os.path.dirname(os.path.abspath(file)) for file in files])


def split_edges(files: Sequence[str], root: str = "", folder: str = "") -> tuple[list[str], dict[str, str]]:
    """Images, and the edges among them or in a folder of their own.

    A file x_edge.* holds the edges of an image x.* in the same folder, which is the release's naming; without such an
    image it is an image itself. Of several files of edges PNG is preferred.

    Args:
        files: paths, as from `list_files`. Edges need not be among them to be found beside their image.
        root, folder: where edges lie apart, the folder of the images and that of the edges, laid out alike; edges there
            may also have their image's name.
    Returns:
        (images in their order, {image: its edges}).
    """
    stems = {os.path.splitext(file)[0] for file in files}
    images = [file for file in files if not _is_edges(file, stems)]
    folders, edges = {}, {}
    for image in images:
        there = os.path.join(folder, os.path.relpath(image, root)) if folder else image
        here, name = os.path.split(os.path.splitext(there)[0])
        if here not in folders:
            folders[here] = _by_stem(here)
        found = folders[here].get(name + EDGES_SUFFIX, folders[here].get(name) if folder else None)
        if found is not None and os.path.abspath(os.path.join(here, found)) != os.path.abspath(image):
            edges[image] = os.path.join(here, found)
    return images, edges


def _by_stem(folder: str) -> dict[str, str]:
    """{name without extension: name} of the images in a folder, PNG preferred; none where there is no folder."""
    named = {}
    if os.path.isdir(folder or os.curdir):
        entries = sorted(os.listdir(folder or os.curdir), key=lambda entry: not entry.lower().endswith(".png"))
        for entry in filter(_has_extension, entries):
            named.setdefault(os.path.splitext(entry)[0], entry)
    return named


def _is_edges(file: str, stems: set[str]) -> bool:
    stem = os.path.splitext(file)[0]
    return stem.endswith(EDGES_SUFFIX) and stem[: -len(EDGES_SUFFIX)] in stems


def _list_source(source: str, base: str | None) -> list[str]:
    path = _locate(source, base) or source
    if os.path.isdir(path):
        files = _walk(path)
        nothing = f"{path} holds no images: no file in it or below it ends in .jpg, .png, .webp or the like"
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
            files = files or sorted(file for file in glob.glob(pattern, recursive=True) if _is_image(file))
        nothing = f"{source} matches no images"
    else:
        raise InputError(f"{source} does not exist: give {_SOURCES}")
    if not files:
        raise InputError(nothing)
    return files


def _walk(folder: str) -> list[str]:
    """Images in and below a folder; links are followed, but no folder is entered twice."""

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


def _is_image(path: str) -> bool:
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
            raise InputError(f"{list_path}:{line}: {entry} is a folder, not an image")
        files.append(file)
    return files


def _lines(path: str) -> list[tuple[int, str]]:
    """Numbered entries of a list: lines that are neither blank nor comments."""
    numbered = ((number, line.strip()) for number, line in enumerate(_text(path).split("\n"), 1))
    return [(number, line) for number, line in numbered if line and not line.startswith("#")]


def csv_rows(path: str | os.PathLike) -> list[tuple[int, list[str]]]:
    """The rows of a CSV that are not empty, with the number of their last line; spaces around a cell do not count.

    Raises:
        InputError: if it cannot be read, or is none.
    """
    try:
        reader = csv.reader(io.StringIO(_text(path), newline=""), skipinitialspace=True)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}") from error
    return [(line, row) for line, row in rows if any(row)]


def _cells(path: str) -> list[tuple[int, str]]:
    """Numbered entries of a CSV: its column `image`, or else its first; the first row may be a heading."""
    rows = csv_rows(path)
    if not rows:
        return []
    heading = [cell.lower() for cell in rows[0][1]]
    column = heading.index("image") if "image" in heading else 0
    if "image" in heading or not _has_extension(heading[0]):
        rows = rows[1:]
    for line, row in rows:
        if len(row) <= column or not row[column]:
            raise InputError(f"{path}:{line}: the column of images (number {column + 1}) is empty")
    return [(line, row[column]) for line, row in rows]


def _text(path: str | os.PathLike) -> str:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a list: its bytes are not UTF-8 text") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}") from error
