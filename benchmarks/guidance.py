"""Does a guided network follow its sketch? Edges of completed holes against the sketch given and against another's.

    python benchmarks/guidance.py --checkpoint_dir runs/quickstart_guided --images photos/val --output guidance.png

Each picture is cut to a square with a hole of half its side in the middle, and completed three times: with its own
sketch, with that of another picture, and with none. What the completed hole then shows (its Canny edges) is compared
with both sketches by F1: the harmonic mean of the share of its edges near a line and of the lines near one of its
edges. A network that ignores sketches gives the same numbers in all rows.
"""

import cv2
import numpy as np

from tf_inpaint import cli
from tf_inpaint.edges import canny_edges
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import list_files, read_image, split_sketches, write_png

NEAR = 1  # pixels


def square(rgb, side):
    """The middle of a picture as a square of `side` pixels."""
    height, width = rgb.shape[:2]
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    return cv2.resize(rgb[top : top + least, left : left + least], (side, side), interpolation=cv2.INTER_AREA)


def agreement(found, lines):
    """F1 of two bool maps [H, W], within `NEAR` pixels; NaN where either is empty."""
    if not found.any() or not lines.any():
        return np.nan
    kernel = np.ones((2 * NEAR + 1,) * 2, np.uint8)
    near_found, near_lines = (cv2.dilate(plane.astype(np.uint8), kernel) > 0 for plane in (found, lines))
    precision, recall = (found & near_lines).sum() / found.sum(), (lines & near_found).sum() / lines.sum()
    return 2 * precision * recall / max(precision + recall, 1e-9)


def main(argv):
    parser = cli.Parser(prog="guidance.py", description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint_dir", required=True)
    parser.add_argument("--images", required=True, nargs="+", help="pictures it was not trained on")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--side", type=int, default=64, help="of the pictures, in pixels")
    parser.add_argument("--output", help="a sheet: truth, sketch, completed with it, with another's, without")
    arguments = parser.parse_args(argv)

    files, _ = split_sketches(list_files(arguments.images))
    files = files[:: max(1, len(files) // arguments.count)][: arguments.count]
    if len(files) < 2:
        raise InputError("at least two pictures are needed")
    cli.import_tensorflow()
    from tf_inpaint import Inpainter

    inpainter = Inpainter.load(arguments.checkpoint_dir)
    if not inpainter.takes_edges:
        raise InputError(f"{inpainter.origin}: this model is not guided")
    side = arguments.side
    images = np.stack([square(read_image(file).rgb, side) for file in files])
    own = np.stack([canny_edges(image) for image in images]) > 0
    other = np.roll(own, len(files) // 2, axis=0)
    hole = np.zeros((side, side), bool)
    hole[side // 4 : side - side // 4, side // 4 : side - side // 4] = True

    completed = {}
    for name, sketches in (("its own", own), ("another's", other), ("none", np.zeros_like(own))):
        parts = [slice(start, start + 8) for start in range(0, len(files), 8)]
        completed[name] = np.concatenate([inpainter.complete(images[part], hole, sketches[part]) for part in parts])

    inner = cv2.erode(hole.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0  # away from the hole's own border
    print(inpainter.origin)
    print(f"{len(files)} pictures of {side} x {side}, hole {side // 2} x {side // 2}, F1 within {NEAR} pixel")
    print(f"{'sketch given':<16}{'F1 with its own':>18}{'F1 with the other':>20}{'nearer to its own':>20}")
    for name, pictures in completed.items():
        found = [(canny_edges(picture) > 0) & inner for picture in pictures]
        scores = np.array([[agreement(f, s & inner) for s in (a, b)] for f, a, b in zip(found, own, other)])
        scores = scores[np.isfinite(scores).all(axis=1)]
        nearer = (scores[:, 0] > scores[:, 1]).mean()
        print(f"{name:<16}{scores[:, 0].mean():>18.3f}{scores[:, 1].mean():>20.3f}{nearer:>19.0%} of {len(scores)}")

    if arguments.output:
        rows = []
        for i in range(min(8, len(files))):
            lines = np.where(hole, np.where(own[i], 255, 60), images[i].mean(-1)).astype(np.uint8)
            shown = [images[i], np.repeat(lines[..., np.newaxis], 3, axis=-1)]
            rows.append(np.concatenate(shown + [completed[name][i] for name in completed], axis=0))
        write_png(arguments.output, np.concatenate(rows, axis=1))
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
