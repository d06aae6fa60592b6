"""A sheet of completed sample photographs: input, OpenCV's Telea, completed without and with textures, truth.

python -m tf_inpaint.samples --output data/samples
PYTHONPATH=. python benchmarks/sheet.py
"""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np

from tf_inpaint import Inpainter, cli
from tf_inpaint.evaluation.baselines import telea
from tf_inpaint.io.grid import image_grid
from tf_inpaint.io.images import read_image, read_mask, write_png

GAP = 6  # white pixels between images


def main(argv):
    parser = cli.Parser(prog="sheet.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--checkpoint_dir", help="or the name of shipped weights (default: those that complete by default)"
    )
    parser.add_argument("--samples", default="data/samples")
    parser.add_argument("--output", default="docs/photos.png")
    parser.add_argument("--names", nargs="+", default=["brick", "gravel", "coffee", "hopper"])
    parser.add_argument(
        "--residuals", type=float, nargs="+", default=[None], help="a column for each strength (default: the weights')"
    )
    parser.add_argument("--texture", nargs="+", default=["none", "patches"], help="a column for each too")
    parser.add_argument("--strategy", choices=("exact", "crop", "resize"), default="exact")
    parser.add_argument("--height", type=int, default=160, help="of a row, in pixels")
    arguments = parser.parse_args(argv)

    inpainters = [
        Inpainter.load(arguments.checkpoint_dir, residuals=strength, strategy=arguments.strategy, texture=texture)
        for strength, texture in itertools.product(arguments.residuals, arguments.texture)
    ]
    rows = []
    for name in arguments.names:
        image = read_image(Path(arguments.samples) / "images" / f"{name}.png").rgb
        mask = read_mask(Path(arguments.samples) / "masks" / f"{name}.png")
        hole = np.where(mask[..., np.newaxis] > 127, np.uint8(255), image)
        completed = [inpainter.complete(image, mask) for inpainter in inpainters]
        rows.append([hole, telea(image, mask > 127), *completed, image])
    sheet = image_grid([[_scaled(image, arguments.height) for image in row] for row in rows], GAP)
    write_png(arguments.output, np.pad(sheet, ((0, GAP), (0, GAP), (0, 0)), constant_values=255))
    print(f"wrote {arguments.output}")


def _scaled(image, height):
    width = round(image.shape[1] * (height / image.shape[0]))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    cli.run(main)
