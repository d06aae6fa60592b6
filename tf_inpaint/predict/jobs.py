"""Which image is completed with which mask, and where the result goes: single files, folders, lists."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass

from tf_inpaint.errors import InputError
from tf_inpaint.io.images import check_image
from tf_inpaint.io.listing import EDGES_SUFFIX, list_files, split_edges


@dataclass(frozen=True)
class Job:
    """An image to complete; `mask` is None where a folder of masks has none for it, `edges` where there are none."""

    image: str
    mask: str | None
    output: str
    edges: str | None = None

    @property
    def coarse_output(self) -> str:
        return self._beside("coarse")

    @property
    def attention_output(self) -> str:
        return self._beside("attention")

    def _beside(self, name):
        return f"{os.path.splitext(self.output)[0]}_{name}.png"


def jobs_from_paths(image, mask, output=None, edges=None) -> list[Job]:
    """Jobs for `--image`, `--mask`, `--output`, `--edges`.

    Args:
        image: a file, or a folder (with its subfolders).
        mask: a file, for every image, or a folder with files of the images' names, whatever their endings.
        output: a file for one image, a folder for several (or where it exists or ends in a slash); None writes
            `x_completed.png` beside `x.jpg`.
        edges: a file for every image, or a folder with files of the images' names, with `_edge` after them or not;
            images without one are completed without.
    """
    folder = image if os.path.isdir(image) else None
    masks = _by_name(mask) if os.path.isdir(mask) else None
    all_edges = _by_name(edges) if edges and os.path.isdir(edges) else None
    into_folder = output is not None and (folder or os.path.isdir(output) or output.endswith(("/", os.sep)))
    if into_folder and os.path.isfile(output):
        raise InputError(f"--output must be a folder to complete the folder {image}, but {output} is a file")
    jobs = []
    for path in _images(folder) if folder else [image]:
        name = os.path.splitext(os.path.relpath(path, folder) if folder else os.path.basename(path))[0]
        target = os.path.join(output, f"{name}.png") if into_folder else output or completed_name(path)
        its_edges = edges if all_edges is None else all_edges.get(name + EDGES_SUFFIX, all_edges.get(name))
        its_edges = None if its_edges == path else its_edges  # images and edges share a folder
        jobs.append(Job(path, mask if masks is None else masks.get(name), target, its_edges))
    return jobs


def jobs_from_list(path) -> list[Job]:
    """Jobs for `--flist`: lines `image mask output` (the original's format), or a CSV with these columns and `edges`.

    The output may be left out. Columns of lines are separated by spaces, or by tabs, where paths contain spaces or
    edges follow as the fourth. Relative paths count from the list's folder, or from the working directory where only
    there the image exists.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(_csv_rows(file, path) if str(path).lower().endswith(".csv") else _line_rows(file, path))
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
        image, mask = os.path.join(base, image), os.path.join(base, mask)
        output, edges = (os.path.join(base, path) if path else None for path in (output, edges))
        jobs.append(Job(image, mask, output or completed_name(image), edges))
    return jobs


def completed_name(image) -> str:
    """Where an image goes if nobody says so: beside it."""
    return os.path.splitext(image)[0] + "_completed.png"


def check_inputs(job) -> None:
    """Refuses a job without a mask, or whose files are missing or, judged by their heads, no images."""
    if job.mask is None:
        raise InputError(f"no mask for {job.image}: no file in the folder of masks has its name")
    for path in (job.image, job.mask, *([job.edges] if job.edges else [])):
        check_image(path)


def check_outputs(jobs, coarse=False, attention=False) -> None:
    """Refuses outputs that would be written over an input or over each other, or are no PNG."""
    inputs = {os.path.realpath(path) for job in jobs for path in (job.image, job.mask, job.edges) if path}
    written = set()
    for job in jobs:
        if not job.output.lower().endswith(".png"):
            raise InputError(f"the output {job.output} must end in .png, which keeps the known pixels as they are")
        outputs = [job.output] + [job.coarse_output] * coarse + [job.attention_output] * attention
        for output in outputs:
            path = os.path.realpath(output)
            if path in inputs:
                raise InputError(f"{output} is one of the inputs and would be overwritten: choose another output")
            if path in written:
                raise InputError(f"{output} would be written twice: choose different outputs")
            written.add(path)


def _images(folder) -> list[str]:
    """The images of a folder, without their edges and what an earlier run wrote beside them."""
    paths, _ = split_edges(list_files(folder))
    earlier = [Job(path, None, completed_name(path)) for path in paths]
    written = {path for job in earlier for path in (job.output, job.coarse_output, job.attention_output)}
    return [path for path in paths if path not in written]


def _by_name(folder) -> dict[str, str]:
    named = {}
    for path in list_files(folder):
        name = os.path.splitext(os.path.relpath(path, folder))[0]
        if name in named:
            raise InputError(f"two masks have the same name: {named[name]} and {path}")
        named[name] = path
    return named


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


def _csv_rows(file, path):
    reader = csv.DictReader(file, skipinitialspace=True)
    if not {"image", "mask"} <= set(reader.fieldnames or ()):
        raise InputError(f"{path}:1: the first line must name the columns image, mask and, if wanted, output and edges")
    for row in reader:
        if not row["image"] or not row["mask"]:
            raise InputError(f"{path}:{reader.line_num}: image and mask must both be given")
        yield row["image"], row["mask"], row.get("output"), row.get("edges")
