"""Does a guided network follow its edges? Edges of completed holes against the edges given and against another's.

    python benchmarks/guidance.py --checkpoint_dir runs/quickstart_guided --images photos/val --output guidance.png

Each image is cut to a square with a hole of half its side in the middle, and completed three times: with its own
edges, with that of another image, and with none. What the completed hole then shows (its Canny edges) is compared
with both by F1: the harmonic mean of the fraction of its edges near the given ones and of the given ones
near its own. A network that ignores edges gives the same numbers in all rows.
"""

import cv2
import numpy as np

from tf_inpaint import cli
from tf_inpaint.errors import InputError
from tf_inpaint.io.grid import image_grid
from tf_inpaint.io.images import read_image, write_png
from tf_inpaint.io.listing import list_files, split_edges
from tf_inpaint.ops.edges import canny_edges

NEAR = 1  # pixels
BATCH = 8


def square(rgb, side):
    """The middle of an image as a square of `side` pixels."""
    height, width = rgb.shape[:2]
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    return cv2.resize(rgb[top : top + least, left : left + least], (side, side), interpolation=cv2.INTER_AREA)


def agreement(found, given):
    """F1 of two edge maps bool [H, W], within `NEAR` pixels; NaN where either is empty."""
    if not found.any() or not given.any():
        return np.nan
    kernel = np.ones((2 * NEAR + 1,) * 2, np.uint8)
    near_found, near_given = (cv2.dilate(edges.astype(np.uint8), kernel) > 0 for edges in (found, given))
    precision, recall = (found & near_given).sum() / found.sum(), (given & near_found).sum() / given.sum()
    return 2 * precision * recall / max(precision + recall, 1e-9)


def main(argv):
    parser = cli.Parser(prog="guidance.py", description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint_dir", required=True)
    parser.add_argument("--images", required=True, nargs="+", help="images it was not trained on")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--side", type=int, default=64, help="of the images, in pixels")
    parser.add_argument("--output", help="a sheet: truth, edges, completed with them, with another's, without")
    arguments = parser.parse_args(argv)

    files, _ = split_edges(list_files(arguments.images))
    files = files[:: max(1, len(files) // arguments.count)][: arguments.count]
    if len(files) < 2:
        raise InputError("at least two images are needed")
    cli.import_tensorflow()
    from tf_inpaint import Inpainter

    inpainter = Inpainter.load(arguments.checkpoint_dir)
    if not inpainter.takes_edges:
        raise InputError(f"{inpainter.origin}: this model is not guided")
    side = arguments.side
    images = np.stack([square(read_image(file).rgb, side) for file in files])  # [N, side, side, 3]
    edges = np.stack([canny_edges(image) for image in images]) > 0  # [N, side, side]
    others_edges = np.roll(edges, len(files) // 2, axis=0)
    mask = np.zeros((side, side), bool)
    mask[side // 4 : side - side // 4, side // 4 : side - side // 4] = True

    completed = {}
    for name, given in (("its own", edges), ("another's", others_edges), ("none", np.zeros_like(edges))):
        batches = [slice(first, first + BATCH) for first in range(0, len(files), BATCH)]
        completed[name] = np.concatenate([inpainter.complete(images[batch], mask, given[batch]) for batch in batches])

    inner = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0  # away from the hole's border
    print(inpainter.origin)
    print(f"{len(files)} images of {side} x {side}, hole {side // 2} x {side // 2}, F1 within {NEAR} pixel")
    print(f"{'edges given':<16}{'F1 with its own':>18}{'F1 with the other':>20}{'nearer to its own':>20}")
    for name, results in completed.items():
        found = [(canny_edges(image) > 0) & inner for image in results]
        scores = np.array(
            [[agreement(f, given & inner) for given in pair] for f, *pair in zip(found, edges, others_edges)]
        )
        scores = scores[np.isfinite(scores).all(axis=1)]
        nearer = (scores[:, 0] > scores[:, 1]).mean()
        print(f"{name:<16}{scores[:, 0].mean():>18.3f}{scores[:, 1].mean():>20.3f}{nearer:>19.0%} of {len(scores)}")

    if arguments.output:
        levels = np.where(mask, np.where(edges, 255, 60), images.mean(-1)).astype(np.uint8)  # [N, side, side]
        rows = [images, np.repeat(levels[..., np.newaxis], 3, axis=-1), *completed.values()]
        write_png(arguments.output, image_grid([row[:8] for row in rows], gap=0))
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
