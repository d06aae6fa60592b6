"""Which strategy completes holes far larger than those of training: images enlarged, with a square hole in the middle.

python benchmarks/huge_holes.py --images scenes/val textures/val faces/val

Images are shrunk to 256 x 256, enlarged so many times, completed, and compared at 256 x 256 again, so that what was
never there, fine detail, is not asked for.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import tensorflow as tf

from tf_inpaint import Inpainter, cli
from tf_inpaint.features.distance import feature_distance
from tf_inpaint.features.efficientnet_lite import EfficientNetLite0
from tf_inpaint.io.images import read_image
from tf_inpaint.io.listing import list_files

SIDE = 256


def main(argv):
    parser = cli.Parser(prog="huge_holes.py", description=__doc__.splitlines()[0])
    parser.add_argument("--images", nargs="+", required=True, help="folders, of which images are taken in turn")
    parser.add_argument("--count", type=int, default=10, help="images (default: 10)")
    parser.add_argument("--checkpoint_dir", help="or the name of shipped weights (default: the default ones)")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--strategies", nargs="+", default=["exact", "resize"])
    arguments = parser.parse_args(argv)

    folders = [list_files(folder) for folder in arguments.images]
    files = list(itertools.chain.from_iterable(zip(*folders)))[: arguments.count]
    images = [_resized(read_image(file).rgb, SIDE) for file in files]
    hole = np.zeros([SIDE, SIDE], bool)
    hole[SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4] = True
    inpainters = {name: Inpainter.load(arguments.checkpoint_dir, strategy=name) for name in arguments.strategies}
    network = EfficientNetLite0()

    print(f"| hole | {' | '.join(f'{name}: feature_distance | hole_l1' for name in inpainters)} |")
    print("|---" * (2 * len(inpainters) + 1) + "|")
    for times in arguments.times:
        cells, mask = [f"{times * SIDE // 2}"], _resized(hole.astype(np.uint8), times * SIDE, cv2.INTER_NEAREST) > 0
        for inpainter in inpainters.values():
            distances, errors = [], []
            for image in images:
                completed = inpainter.complete(_resized(image, times * SIDE, cv2.INTER_CUBIC), mask)
                one, other = (array.astype(np.float32) / 127.5 - 1 for array in (_resized(completed, SIDE), image))
                distances.append(feature_distance(network(one[np.newaxis]), network(other[np.newaxis])))
                errors.append(np.abs(one - other)[hole].mean() / 2)
            cells += [f"{tf.reduce_mean(distances):.3f}", f"{np.mean(errors):.4f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


def _resized(image, side, by=cv2.INTER_AREA):
    return cv2.resize(image, (side, side), interpolation=by)


if __name__ == "__main__":
    cli.run(main)
