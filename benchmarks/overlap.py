"""Whether validation images, or near-duplicates of them, are among the training images.

    python benchmarks/overlap.py --train photos/train --validation photos/val

Images are shrunk to 16 x 16 greys and compared by correlation, upright and mirrored, whole and by their middles.
Another size, compression, brightness or cut does not hide a pair. The closest pairs are printed: look at them.
"""

import sys

import cv2
import numpy as np

from tf_inpaint import cli
from tf_inpaint.io.images import read_image
from tf_inpaint.io.listing import list_files

SIDE = 16
ALIKE = 0.95  # correlation from which a pair is reported


def fingerprints(path):
    """Unit vectors [4, SIDE * SIDE] of an image: whole, middle, and both mirrored."""
    grey = cv2.cvtColor(read_image(path).rgb, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    middle = grey[height // 4 : -(height // 4), width // 4 : -(width // 4)]
    small = [cv2.resize(view, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) for view in (grey, middle)]
    small += [view[:, ::-1] for view in small]
    flat = np.stack([view.ravel() - view.mean() for view in small])
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def main(argv):
    parser = cli.Parser(prog="overlap.py", description=__doc__.splitlines()[0])
    parser.add_argument("--train", nargs="+", required=True)
    parser.add_argument("--validation", nargs="+", required=True)
    parser.add_argument("--closest", type=int, default=10, help="pairs to print (default: 10)")
    arguments = parser.parse_args(argv)

    train, validation = list_files(arguments.train), list_files(arguments.validation)
    known = np.stack([fingerprints(path)[:2] for path in train])  # upright will do on one side
    pairs = []
    for path in validation:
        alike = np.einsum("vp,tkp->tvk", fingerprints(path), known).max(axis=(1, 2))
        nearest = int(alike.argmax())
        pairs.append((float(alike[nearest]), path, train[nearest]))
    pairs.sort(reverse=True)
    for alike, path, nearest in pairs[: arguments.closest]:
        print(f"{alike:.3f}  {path}  {nearest}")
    close = sum(alike >= ALIKE for alike, _, _ in pairs)
    print(f"{len(train)} training, {len(validation)} validation images: {close} pairs correlate by {ALIKE} or more")
    return cli.DONE


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
