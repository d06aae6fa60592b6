"""Which image is completed with which mask, and where the result goes: single files, folders, lists."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace

from tf_inpaint.errors import InputError
from tf_inpaint.io.atomic import refuse_overwriting
from tf_inpaint.io.images import check_image
from tf_inpaint.io.listing import EDGES_SUFFIX, csv_rows, list_files, split_edges

ENDINGS = {"png": (".png",), "jpg": (".jpg", ".jpeg"), "webp": (".webp",)}  # of outputs, by --format
_MASK_NAMES = ("{}_mask", "mask_{}", "{}.mask")  # of the mask of an image {}
_LONGEST_NAME = 255  # bytes, of every common file system


@dataclass(frozen=True)
class Job:
    """An image to complete.

    Attributes:
        mask: None where a folder of masks has none for it; the image where its own transparency is the hole.
        edges: None where there are none.
        problem: a sentence that says why it cannot be done, or None.
    """

    image: str
    mask: str | None
    output: str
    edges: str | None = None
    problem: str | None = None

    @property
    def coarse_output(self) -> str:
        return self._beside("coarse")

    @property
    def attention_output(self) -> str:
        return self._beside("attention")

    @property
    def samples_output(self) -> str:
        return self._beside("samples")

    def outputs(self, coarse=True, attention=True, samples=True) -> list[str]:
        """All files that are written, of the extra ones those that are asked for."""
        extra = (coarse, self.coarse_output), (attention, self.attention_output), (samples, self.samples_output)
        return [self.output] + [path for wanted, path in extra if wanted]

    def _beside(self, name):
        return _fitting(os.path.splitext(self.output)[0], f"_{name}.png")


def jobs_from_paths(image, mask, output=None, edges=None, ending="png") -> list[Job]:
    """Jobs for `--image`, `--mask`, `--output`, `--edges`.

    Args:
        image: a file, or a folder (with its subfolders, but for those that the other arguments name).
        mask: a file, for every image, or a folder with files of the images' names, whatever their endings, or x_mask,
            mask_x or x.mask for an image x; in the images' own folder these are masks, where another is named they are
            images. An image without one is a job with a problem. None for the images' own transparency.
        output: a file for one image, a folder for several (or where it exists or ends in a slash); None writes
            `x_completed.png` beside `x.jpg`.
        edges: a file for every image, or a folder with files of the images' names, with `_edge` after them or not;
            images without one are completed without.
        ending: of outputs whose names are not given.
    """
    folder = image if os.path.isdir(image) else None
    masks = _by_name(mask) if mask and os.path.isdir(mask) else None
    all_edges = _by_name(edges) if edges and os.path.isdir(edges) else None
    into_folder = output is not None and (folder or os.path.isdir(output) or output.endswith(("/", os.sep)))
    if into_folder and os.path.isfile(output):
        raise InputError(f"--output must be a folder to complete the folder {image}, but {output} is a file")
    jobs = []
    masks_beside = bool(folder and mask) and _same_file(folder, mask)
    for path in _images(folder, (mask, output, edges), masks_beside) if folder else [image]:
        name = os.path.splitext(os.path.relpath(path, folder) if folder else os.path.basename(path))[0]
        target = os.path.join(output, f"{name}.{ending}") if into_folder else output or completed_name(path, ending)
        its_mask, problem = path if mask is None else mask, None
        if masks is not None:
            its_mask, problem = _mask_of(path, _key(name), masks, mask)
        its_edges = edges if all_edges is None else _first(all_edges, _key(name) + EDGES_SUFFIX, _key(name))
        its_edges = None if its_edges == path else its_edges  # images and edges share a folder
        jobs.append(Job(path, its_mask, target, its_edges, problem))
    return _without_clashes(jobs)


def jobs_from_list(path, ending="png", into=None) -> list[Job]:
    """Jobs for `--flist`: lines `image mask output` (the original's format), or a CSV with these columns and `edges`.

    The output may be left out. Columns of lines are separated by spaces, or by tabs, where paths contain spaces or
    edges follow as the fourth. Relative paths count from the list's folder, or from the working directory where only
    there the image exists; outputs from the folder `into`, if there is one, which also takes those that are left out.
    """
    try:
        if str(path).lower().endswith(".csv"):
            rows = list(_csv_rows(path))
        else:
            with open(path, newline="", encoding="utf-8-sig") as file:
                rows = list(_line_rows(file, path))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file") from error
    except OSError as error:
        raise InputError(f"the list {path} cannot be read: {error.strerror}") from error
    if not rows:
        raise InputError(f"the list {path} names no image")
    folder = os.path.dirname(path)
    jobs = []
    for image, mask, output, edges in rows:
        base = "" if not os.path.exists(os.path.join(folder, image)) and os.path.exists(image) else folder
        image, mask, edges = (_below(base, path) for path in (image, mask, edges))
        jobs.append(Job(image, mask, _output(image, output, base, into, ending), edges))
    return jobs


def is_remote(path) -> bool:
    """Whether a path is an address as s3://bucket/x.png, which completing on Ray reads and writes."""
    return "://" in path


def _output(image, output, base, into, ending):
    if output or into is None:
        return _below(base if into is None else into, output) or completed_name(image, ending)
    return _below(into, f"{os.path.splitext(os.path.basename(image))[0]}.{ending}")


def _below(folder, path):
    """A path that counts from a folder; None where there is none."""
    return (path if is_remote(path) else os.path.join(folder, path)) if path else None


def completed_name(image, ending="png") -> str:
    """Where an image goes if nobody says so: beside it."""
    return _fitting(os.path.splitext(image)[0], f"_completed.{ending}")


def check_inputs(job) -> None:
    """Refuses a job without a mask, or whose files are missing or, judged by their heads, no images."""
    if job.problem:
        raise InputError(job.problem)
    if job.mask is None:
        raise InputError(f"no mask for {job.image}: no file in the folder of masks has its name")
    for path in (job.image, job.mask, *([job.edges] if job.edges else [])):
        check_image(path)


def check_outputs(jobs, coarse=False, attention=False, endings=(".png",), samples=False) -> None:
    """Refuses outputs that would be written over an input or over each other, or do not end as they are written."""
    inputs = (path for job in jobs for path in (job.image, job.mask, job.edges))
    jobs = [job for job in jobs if not job.problem]
    for job in jobs:
        if not job.output.lower().endswith(endings):
            if endings == (".png",):
                raise InputError(
                    f"the output {job.output} must end in .png, which keeps the known pixels as they are; "
                    "--format jpg or webp writes others"
                )
            raise InputError(f"the output {job.output} must end in {endings[0]}, as --format says")
    refuse_overwriting((path for job in jobs for path in job.outputs(coarse, attention, samples)), inputs)


def _images(folder, others, masks_beside) -> list[str]:
    """The images of a folder, without their edges, their masks where these lie beside them, what an earlier run wrote
    there, and other files and folders that lie in it."""
    paths, _ = split_edges(_without(list_files(folder), others, folder))
    if not paths:
        raise InputError(f"{folder} holds no images but masks, edges and results")
    earlier = [Job(path, None, completed_name(path, ending)) for path in paths for ending in ENDINGS]
    aside = {path for job in earlier for path in job.outputs()}
    stems = {_key(os.path.splitext(path)[0]) for path in paths}
    aside |= _masks_among(stems) if masks_beside else set()
    return [path for path in paths if path not in aside and _key(os.path.splitext(path)[0]) not in aside]


def _without(paths, others, folder) -> list[str]:
    """The files of a folder that are none of the others, and in none that lies in that folder."""
    folder, others = os.path.realpath(folder), [os.path.realpath(other) for other in others if other]
    others = [other for other in others if not _is_in(folder, other)]
    return [path for path in paths if not any(_is_in(os.path.realpath(path), other) for other in others)]


def _is_in(path, other) -> bool:
    return path == other or path.startswith(os.path.join(other, ""))


def _masks_among(stems) -> set[str]:
    """The paths, without endings, that are masks of others of these."""
    names = (os.path.join(here, name.format(stem)) for here, stem in map(os.path.split, stems) for name in _MASK_NAMES)
    return stems.intersection(names)


def _mask_of(path, name, masks, folder) -> tuple[str | None, str | None]:
    """(mask, problem) of an image by its name in a folder of masks."""
    here, stem = os.path.split(name)
    found = [files for files in (masks.get(key) for key in [name, *_mask_keys(here, stem)]) if files]
    found = [[file for file in files if not _same_file(file, path)] for files in found]
    files = next((files for files in found if files), None)
    if files is None:
        there = ", ".join(sorted(os.path.basename(files[0]) for files in masks.values())[:3])
        return None, (
            f"no mask for {path}: no file in the folder of masks has its name, or is {stem}_mask, mask_{stem} or "
            f"{stem}.mask; in {folder} there are {there}"
        )
    if len(files) > 1:
        return None, f"two masks have the same name, so none is taken for {path}: {files[0]} and {files[1]}"
    return files[0], None


def _mask_keys(here, stem):
    return [os.path.join(here, name.format(stem)) for name in _MASK_NAMES]


def _without_clashes(jobs) -> list[Job]:
    """The jobs, those of which would be written to the same place with a problem."""
    counts, first = Counter(os.path.realpath(job.output) for job in jobs), {}
    result = []
    for job in jobs:
        output = os.path.realpath(job.output)
        if counts[output] > 1:
            images = first.setdefault(output, [other.image for other in jobs if other.output == job.output])
            names = " and ".join(images)
            job = replace(job, problem=f"{names} would both be written to {job.output}: rename one")
        result.append(job)
    return result


def _by_name(folder) -> dict[str, list[str]]:
    """{name without ending: files} of a folder."""
    named = {}
    for path in list_files(folder):
        named.setdefault(_key(os.path.splitext(os.path.relpath(path, folder))[0]), []).append(path)
    return named


def _first(named, *keys):
    return next((named[key][0] for key in keys if key in named), None)


def _key(name) -> str:
    """A name for comparison: systems write the same letters in different ways."""
    return unicodedata.normalize("NFC", name)


def _same_file(first, second) -> bool:
    return os.path.realpath(first) == os.path.realpath(second)


def _fitting(start, end) -> str:
    """A path of two parts, the first being cut where the name would be longer than systems allow."""
    folder, name = os.path.split(start)
    if len(os.fsencode(name + end)) > _LONGEST_NAME:
        mark = "~" + hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
        name = os.fsencode(name)[: _LONGEST_NAME - len(mark) - len(end)].decode(errors="ignore") + mark
    return os.path.join(folder, name) + end


def _line_rows(file, path):
    for row, line in enumerate(file, start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        columns = line.split("\t") if "\t" in line else line.split()
        if not 2 <= len(columns) <= (4 if "\t" in line else 3):  # a fourth word would rather be part of a path
            raise InputError(
                f"{path}:{row}: expected `image mask output`, found {len(columns)} columns "
                "(where paths contain spaces, separate them by tabs)"
            )
        yield (*columns, None, None)[:4]


def _csv_rows(path):
    (_, heading), *rows = csv_rows(path) or [(1, [])]
    names = [name.lower() for name in heading]
    if not {"image", "mask"} <= set(names):
        raise InputError(f"{path}:1: the first line must name the columns image, mask and, if wanted, output and edges")
    for line, cells in rows:
        row = dict(zip(names, cells))
        if not row.get("image") or not row.get("mask"):
            raise InputError(f"{path}:{line}: image and mask must both be given")
        yield row["image"], row["mask"], row.get("output"), row.get("edges")
