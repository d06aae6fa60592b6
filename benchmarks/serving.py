"""Memory and time of an exported model against image size and batch: the table of docs/serving.md.

    python benchmarks/serving.py --model models/inpaint --sizes 256 512 --batches 1 4

Each row is a process of its own, which loads the SavedModel, answers one request to warm up, and then some more.
"""

import json
import os
import subprocess
import time

import numpy as np
from measuring import in_child, is_child, medians, peak_memory, table

from tf_inpaint import cli
from tf_inpaint.checkpoints.locate import find_saved_model
from tf_inpaint.errors import InputError


def measure(folder, side, batch, repeats):
    """Seconds of the first request and of a later one, wall and processor, and megabytes at rest and at most."""
    tf = cli.import_tensorflow()
    model = tf.saved_model.load(folder)
    serve = model.signatures["serving_default"]
    masks = np.zeros((batch, side, side, 1), np.uint8)
    masks[:, side // 4 : side // 2, side // 4 : side // 2] = 255
    images = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), np.uint8)
    arrays = {"image": images, "mask": masks, "edges": np.zeros_like(masks)}
    inputs = {name: tf.constant(arrays[name]) for name in serve.structured_input_signature[1]}
    at_rest, begun = peak_memory(), time.perf_counter()
    serve(**inputs)["completed"].numpy()
    first = time.perf_counter() - begun
    ((wall, processor),) = medians({"": lambda: serve(**inputs)["completed"].numpy()}, repeats).values()
    return [first, wall, processor, at_rest / 1e6, peak_memory() / 1e6]


def main(argv):
    parser = cli.Parser(prog="serving.py", description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of an exported model")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024], help="sides of square images")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4], help="images in a request")
    parser.add_argument("--repeats", type=int, default=3, help="requests of which the median is taken (default: 3)")
    args = parser.parse_args(argv)
    folder = find_saved_model(args.model)
    if folder is None:
        raise InputError(f"there is no exported model in {args.model}")
    if is_child():
        print(json.dumps(measure(folder, args.sizes[0], args.batches[0], args.repeats)))
        return cli.DONE
    print(f"{folder}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    rows = []
    for side, batch in ((side, batch) for side in args.sizes for batch in args.batches):
        options = ("--model", folder, "--sizes", side, "--batches", batch, "--repeats", args.repeats)
        try:
            first, wall, processor, at_rest, peak = json.loads(in_child(__file__, *options))
            measured = (f"{first:.1f}", f"{wall:.2f}", f"{processor:.2f}", f"{at_rest:.0f}", f"{peak:.0f}")
        except subprocess.CalledProcessError:
            measured = ("no memory", "", "", "", "")
        rows.append((f"{side} x {batch}", *measured))
    table(("side x batch", "first request, s", "request, s", "processor, s", "at rest, MB", "peak, MB"), rows)
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
