"""The input pipeline alone: images a second at 256 x 256, with the masks and edges of three configs.

    python benchmarks/pipeline.py [--image 512 384] [--batch 16] [--batches 16] [--repeats 3]

Reads JPEG files made for the purpose, smooth with some noise, as large as `--image`. The last column is what one core
does by itself: images divided by processor seconds. Rows after the configs are single pieces of the work.
"""

import functools
import os
import tempfile
import time

import numpy as np
from measuring import table

from tf_inpaint import cli

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CONFIGS = {
    "boxes": ("celeba", []),
    "free-form masks": ("places2_deepfill_v2", []),
    "free-form masks, edges drawn (Canny)": ("places2_guided", ["data.edges=canny", "data.edges_folder=''"]),
}
COUNT = 64
_WARM_UP = 4  # batches


def write_images(folder, width, height):
    """JPEG files of quality 90: large shapes, and noise as of a camera."""
    import cv2

    draw = np.random.default_rng(0)
    for number in range(COUNT):
        shapes = cv2.resize(draw.integers(0, 256, (9, 12, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(shapes + draw.normal(0, 4, shapes.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(os.path.join(folder, f"{number:03}.jpg"), noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])


def main(argv):
    parser = cli.Parser(prog="pipeline.py", description=__doc__.splitlines()[0])
    parser.add_argument("--image", type=int, nargs=2, default=(512, 384), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--batches", type=int, default=16, help="in one measurement")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args(argv)
    tf = cli.import_tensorflow()
    from tf_inpaint.config import load_config
    from tf_inpaint.data.dataset import ImageData
    from tf_inpaint.ops.decode import decode_image
    from tf_inpaint.ops.masks import union

    def batched(dataset):
        return dataset.map(tf.shape).batch(arguments.batch).prefetch(tf.data.AUTOTUNE)

    def seconds(dataset):
        """Wall and processor seconds of `--batches` batches, the first ones not counted; then it runs no more."""
        batches = iter(dataset)
        for _ in range(_WARM_UP):
            next(batches)
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(arguments.batches):
            next(batches)
        return time.perf_counter() - wall, time.process_time() - processor

    with tempfile.TemporaryDirectory() as folder:
        write_images(folder, *arguments.image)
        datasets = {}
        for name, (file, overrides) in CONFIGS.items():
            overrides = [f"data.train={folder}", "data.validation=''", "training.validate_every=0", *overrides]
            config = load_config(os.path.join(ROOT, "configs", f"{file}.yml"), overrides)
            data = ImageData(config.data, config.mask, seed=0)
            datasets[f"{file}: {name}"] = data.dataset(0, arguments.batch)
        draw = functools.partial(union, height=256, width=256, options=config.mask)
        masks = tf.data.Dataset.range(1 << 40).map(lambda i: draw(tf.stack([i, i])), tf.data.AUTOTUNE)
        datasets["  a free-form mask alone"] = batched(masks)
        paths = tf.data.Dataset.list_files(os.path.join(folder, "*.jpg"), shuffle=False).repeat()
        files = paths.map(lambda path: decode_image(tf.io.read_file(path)), tf.data.AUTOTUNE)
        datasets["  a file read and decoded alone"] = batched(files)
        # One after the other: what is not asked goes on filling its buffers.
        measured = [{name: seconds(dataset) for name, dataset in datasets.items()} for _ in range(arguments.repeats)]

    images = arguments.batch * arguments.batches
    times = {name: np.median([run[name] for run in measured], axis=0) for name in datasets}
    rows = [
        (name, f"{images / wall:.0f}", f"{1e3 * processor / images:.2f}", f"{images / processor:.0f}")
        for name, (wall, processor) in times.items()
    ]
    width, height = arguments.image
    print(f"images of {width} x {height} as 256 x 256, batches of {arguments.batch}, {os.cpu_count()} cores")
    table(("", "images / s", "ms of a core", "images / s of a core"), rows)
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
