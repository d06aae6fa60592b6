"""A dozen real photographs and masks, taken from what installed packages carry: no download.

    python -m tf_inpaint.samples --output data/samples

writes images/<name>.png, masks/<name>.png and SOURCES.txt, which names source and licence of each photograph. All are
in the public domain or under CC0. The masks are drawn: each kind of hole a few times, the same at every run.
"""

from __future__ import annotations

import importlib.util
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Callable, NamedTuple

import cv2
import numpy as np
from PIL import Image

from tf_inpaint import cli
from tf_inpaint.errors import InputError
from tf_inpaint.io.atomic import write_whole
from tf_inpaint.io.images import read_image, write_png
from tf_inpaint.ops.levels import MASK_THRESHOLD

LONGEST_SIDE = 640  # of a written image: enough to look at, little enough to complete on a CPU
_REMEDY = "most of them come with scikit-image, so get it by: pip install 'tf_inpaint[samples]'"


class Sample(NamedTuple):
    """A photograph that an installed package carries, and the kind of mask drawn for it.

    Attributes:
        name: of the files written, without extension.
        file: package and path in it.
        mask: a key of `KINDS`.
        licence, source: as the package, or else the photograph's first publisher, states them.
    """

    name: str
    file: str
    mask: str
    licence: str
    source: str


_CC0, _PUBLIC = "CC0 1.0", "public domain"
_HOPPER = "Commodore Grace M. Hopper, United States Navy, http://commons.wikimedia.org/wiki/File:Grace_Hopper.jpg"
_ASTRONAUT = "Eileen Collins, NASA, https://flic.kr/p/r9qvLn"
_ROCKET = "Falcon 9 before its launch, SpaceX, https://www.flickr.com/photos/spacexphotos/16511594820"
_HUBBLE = "eXtreme Deep Field, NASA, http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/"
_RETINA = "Mikael Häggström, https://commons.wikimedia.org/wiki/File:Fundus_photograph_of_normal_left_eye.jpg"
_BRICK = "a brick wall, https://cc0textures.com/view.php?tex=Bricks25"
_GRASS = "grass, https://www.deviantart.com/linolafett/art/Grass-01-434853879"
_GRAVEL = "gravel, https://cc0textures.com/view.php?tex=Gravel04"

SAMPLES = (
    Sample("hopper", "matplotlib/mpl-data/sample_data/grace_hopper.jpg", "scratches", _PUBLIC, _HOPPER),
    Sample("astronaut", "skimage/data/astronaut.png", "strokes", _PUBLIC, _ASTRONAUT),
    Sample("chelsea", "skimage/data/chelsea.png", "centre", _CC0, "Chelsea the cat, by Stefan van der Walt"),
    Sample("coffee", "skimage/data/coffee.png", "boxes", _CC0, "a cup of coffee, by Rachel Michetti"),
    Sample("rocket", "skimage/data/rocket.jpg", "text", _PUBLIC, _ROCKET),
    Sample("camera", "skimage/data/camera.png", "scratches", _CC0, "a man with a camera, by Lav Varshney"),
    Sample("hubble", "skimage/data/hubble_deep_field.jpg", "boxes", _PUBLIC, _HUBBLE),
    Sample("retina", "skimage/data/retina.jpg", "strokes", _CC0, _RETINA),
    Sample("clock", "skimage/data/clock_motion.png", "text", _PUBLIC, "a moving clock, by Stefan van der Walt"),
    Sample("brick", "skimage/data/brick.png", "centre", _CC0, _BRICK),
    Sample("grass", "skimage/data/grass.png", "strokes", _CC0, _GRASS),
    Sample("gravel", "skimage/data/gravel.png", "boxes", _CC0, _GRAVEL),
)


def _centre(canvas, draw):
    """A box of half the shorter side in the middle."""
    height, width = canvas.shape
    half = min(height, width) // 4
    top, left = height // 2 - half, width // 2 - half
    canvas[top : top + 2 * half, left : left + 2 * half] = 255


def _boxes(canvas, draw):
    """Several boxes, which may overlap."""
    height, width = canvas.shape
    for _ in range(5):
        box_height, box_width = (round(draw.uniform(0.12, 0.25) * min(height, width)) for _ in range(2))
        top, left = draw.randrange(height - box_height), draw.randrange(width - box_width)
        canvas[top : top + box_height, left : left + box_width] = 255


def _strokes(canvas, draw):
    """Free-form strokes of a broad brush, which turn as they go."""
    for _ in range(6):
        _walk(canvas, draw, steps=8, step=0.11, turn=1.2, thickness=0.045)


def _scratches(canvas, draw):
    """Long thin lines, as on an old print."""
    for _ in range(12):
        _walk(canvas, draw, steps=20, step=0.05, turn=0.25, thickness=0.006)


def _text(canvas, draw):
    """A line of writing, three times over."""
    height, width = canvas.shape
    words, font = "please complete me", cv2.FONT_HERSHEY_SIMPLEX
    (length, _), _ = cv2.getTextSize(words, font, 1.0, 2)
    scale = 0.9 * width / length
    for row in (0.25, 0.55, 0.85):
        corner = (round(0.05 * width), round(row * height))
        cv2.putText(canvas, words, corner, font, scale, 255, max(2, round(4 * scale)))


def _walk(canvas, draw, steps, step, turn, thickness):
    """A line that begins anywhere and turns a little at each step; lengths are fractions of the shorter side."""
    height, width = canvas.shape
    side = min(height, width)
    x, y, angle = draw.uniform(0, width), draw.uniform(0, height), draw.uniform(0, 2 * math.pi)
    for _ in range(steps):
        angle += draw.uniform(-turn, turn)
        to_x, to_y = x + step * side * math.cos(angle), y + step * side * math.sin(angle)
        cv2.line(canvas, (round(x), round(y)), (round(to_x), round(to_y)), 255, max(1, round(thickness * side)))
        x, y = to_x, to_y


KINDS: dict[str, Callable] = {
    "centre": _centre,
    "boxes": _boxes,
    "strokes": _strokes,
    "scratches": _scratches,
    "text": _text,
}


def draw_mask(kind: str, height: int, width: int, seed) -> np.ndarray:
    """A mask of a kind, the same for the same args.

    Args:
        kind: a key of `KINDS`.
        height, width: of the image.
        seed: anything `random.Random` takes.
    Returns:
        uint8 [height, width]: 255 in the hole, 0 elsewhere.
    """
    canvas = np.zeros((height, width), np.uint8)
    KINDS[kind](canvas, random.Random(seed))
    return np.where(canvas > MASK_THRESHOLD, np.uint8(255), np.uint8(0))  # writing has soft edges


def load_sample(sample: Sample) -> np.ndarray | None:
    """The photograph as uint8 [H, W, 3], or None where it is not installed."""
    package, _, path = sample.file.partition("/")
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations or [] if spec else []
    found = [Path(folder, path) for folder in folders if Path(folder, path).is_file()]
    if not found:
        return None
    image = Image.fromarray(read_image(found[0]).rgb)
    shrink = LONGEST_SIDE / max(image.size)
    if shrink < 1.0:
        image = image.resize([round(side * shrink) for side in image.size], Image.LANCZOS)
    return np.asarray(image)


def main(argv: Sequence[str]) -> int:
    """The command: writes what is missing, says what it wrote, and returns the exit code."""
    parser = cli.Parser(
        prog="python -m tf_inpaint.samples",
        description="Write a dozen real photographs and masks from installed packages, without a download.",
    )
    parser.add_argument("--output", default="data/samples", help="folder to write to (default: data/samples)")
    parser.add_argument("--force", action="store_true", help="write again what is there already")
    args = parser.parse_args(argv)

    output = Path(args.output)
    photographs = {sample: load_sample(sample) for sample in SAMPLES}
    found = {sample: image for sample, image in photographs.items() if image is not None}
    if not found:
        raise InputError(f"no photographs are installed here: {_REMEDY}")
    written = 0
    for sample, image in found.items():
        mask = draw_mask(sample.mask, *image.shape[:2], seed=sample.name)
        for folder, array in (("images", image), ("masks", mask)):
            path = output / folder / f"{sample.name}.png"
            if args.force or not path.exists():
                write_png(path, array)
                written += 1
                print(path)
    _write_sources(output / "SOURCES.txt", found)
    print(f"{len(found)} photographs and masks in {output}: {written} files written, {2 * len(found) - written} kept")

    missing = [sample.name for sample in SAMPLES if sample not in found]
    if missing:
        cli.warn(f"{len(missing)} photographs are not installed here ({', '.join(missing)}): {_REMEDY}")
        return cli.SOME_FAILED
    return cli.DONE


def _write_sources(path, found):
    lines = ["The photographs in images/ come from packages installed here, the masks in masks/ are drawn.", ""]
    for sample, image in found.items():
        height, width = image.shape[:2]
        lines += [
            f"{sample.name}.png ({width} x {height}, from {sample.file})",
            f"    {sample.licence}: {sample.source}",
        ]
    write_whole(path, "\n".join(lines) + "\n")


if __name__ == "__main__":
    cli.run(main)
