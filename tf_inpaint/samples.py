"""Sample photographs and masks: `python -m tf_inpaint.samples --output data/samples`.

The photographs are those in the public domain or under CC0 that the installed packages carry: one comes with
matplotlib, the others with scikit-image (the extra `samples`). Nothing is downloaded. Masks are drawn by fixed rules, so
that every machine gets the same.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import cv2
import numpy as np

from tf_inpaint import cli
from tf_inpaint.errors import InputError
from tf_inpaint.pictures import read_image, write_png

LONGEST_SHORT_SIDE = 512  # of a written photograph, in pixels

Draw = Callable[[np.ndarray, np.random.Generator], None]


@dataclass(frozen=True)
class Sample:
    """A photograph of an installed package and the kind of hole it gets.

    Attributes:
        name: stem of the files written.
        package: that carries it.
        path: inside the package.
        source: where it comes from and its terms, as the package states them.
        draw: paints 255 into a mask of zeros.
    """

    name: str
    package: str
    path: str
    source: str
    draw: Draw


def _centre_box(mask, _):
    height, width = mask.shape
    mask[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = 255


def _boxes(mask, random):
    height, width = mask.shape
    for _ in range(4):
        side = int(random.uniform(0.12, 0.2) * min(height, width))
        top, left = random.integers(height - side), random.integers(width - side)
        mask[top : top + side, left : left + side] = 255


def _strokes(mask, random):
    height, width = mask.shape
    for _ in range(4):
        points = (random.uniform(0.1, 0.9, [5, 2]) * (width, height)).astype(np.int32)
        thickness = int(random.uniform(0.03, 0.05) * min(height, width))
        cv2.polylines(mask, [points], False, 255, thickness, cv2.LINE_8)


def _scratches(mask, random):
    height, width = mask.shape
    for _ in range(14):
        start, end = (random.uniform(0, 1, [2, 2]) * (width, height)).astype(int)
        cv2.line(mask, tuple(map(int, start)), tuple(map(int, end)), 255, 2, cv2.LINE_8)


def _text(mask, _):
    height, width = mask.shape
    for row in (0.3, 0.55, 0.8):
        origin = (int(0.08 * width), int(row * height))
        thickness = max(2, width // 90)
        cv2.putText(mask, "inpaint", origin, cv2.FONT_HERSHEY_SIMPLEX, width / 180, 255, thickness, cv2.LINE_8)


_NASA = "NASA, public domain"
SAMPLES = (
    Sample(
        "grace_hopper",
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        "Commodore Grace M. Hopper, United States Navy, public domain",
        _strokes,
    ),
    Sample("astronaut", "skimage", "data/astronaut.png", f"Eileen Collins, {_NASA}", _centre_box),
    Sample("brick", "skimage", "data/brick.png", "brick wall, CC0Textures, CC0", _boxes),
    Sample("camera", "skimage", "data/camera.png", "photographer Lav Varshney, CC0", _strokes),
    Sample("chelsea", "skimage", "data/chelsea.png", "Chelsea the cat, Stefan van der Walt, CC0", _strokes),
    Sample("clock", "skimage", "data/clock_motion.png", "wall clock, Stefan van der Walt, public domain", _boxes),
    Sample("coffee", "skimage", "data/coffee.png", "coffee cup, Rachel Michetti, CC0", _boxes),
    Sample("grass", "skimage", "data/grass.png", "grass, linolafett, CC0", _centre_box),
    Sample("gravel", "skimage", "data/gravel.png", "gravel, CC0Textures, CC0", _text),
    Sample("hubble", "skimage", "data/hubble_deep_field.jpg", f"Hubble eXtreme Deep Field, {_NASA}", _scratches),
    Sample("retina", "skimage", "data/retina.jpg", "fundus photograph, Mikael Häggström, CC0", _scratches),
    Sample("rocket", "skimage", "data/rocket.jpg", "launch of DSCOVR, SpaceX, public domain", _text),
)


def write_samples(output) -> list[Sample]:
    """Write images/<name>.png, masks/<name>.png and SOURCES.txt.

    Args:
        output: folder, made where missing; files of these names in it are written anew, others are left alone.
    Returns:
        The samples written: those whose package is installed and carries them.
    Raises:
        InputError: if nothing can be written.
    """
    written = []
    for number, sample in enumerate(SAMPLES):
        file = _find(sample)
        if file is None:
            continue
        image = _shrink(read_image(file).rgb)
        mask = np.zeros(image.shape[:2], np.uint8)
        sample.draw(mask, np.random.default_rng(number))
        write_png(Path(output) / "images" / f"{sample.name}.png", image)
        write_png(Path(output) / "masks" / f"{sample.name}.png", mask)
        written.append(sample)
    lines = [f"{sample.name}: {sample.source} (carried by {sample.package})\n" for sample in written]
    try:
        (Path(output) / "SOURCES.txt").write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{output}: cannot write SOURCES.txt: {error.strerror}") from error
    return written


def _find(sample) -> str | None:
    spec = importlib.util.find_spec(sample.package)
    if spec is None or not spec.submodule_search_locations:
        return None
    file = os.path.join(spec.submodule_search_locations[0], *sample.path.split("/"))
    return file if os.path.isfile(file) else None


def _shrink(image):
    scale = LONGEST_SHORT_SIDE / min(image.shape[:2])
    if scale >= 1:
        return image
    height, width = (round(side * scale) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def main(argv):
    parser = cli.Parser(prog="python -m tf_inpaint.samples", description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="data/samples", help="folder to write to (default: data/samples)")
    output = parser.parse_args(argv).output
    written = write_samples(output)
    print(f"{output}: {len(written)} photographs in images/, their masks in masks/, terms in SOURCES.txt")
    if len(written) < len(SAMPLES):
        missing = ", ".join(sample.name for sample in SAMPLES if sample not in written)
        cli.warn(f"{missing} come with scikit-image: pip install scikit-image, or install the extra 'samples'")
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
