"""Memory and time of an exported model against image size and batch: the table of docs/serving.md.

    python benchmarks/serving.py --model models/deepfill --sizes 256 512 --batches 1 4

Each row is a process of its own, which loads the SavedModel, answers one request to warm up, and then some more.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time

from tf_inpaint import cli
from tf_inpaint.checkpoints.locate import find_saved_model
from tf_inpaint.errors import InputError


def measure(folder, side, batch, repeats):
    """Seconds and megabytes of one size: dict."""
    import numpy as np

    tf = cli.import_tensorflow()
    loaded = tf.saved_model.load(folder)
    serve = loaded.signatures["serving_default"]
    rng = np.random.default_rng(0)
    masks = np.zeros((batch, side, side, 1), np.uint8)
    masks[:, side // 4 : side // 2, side // 4 : side // 2] = 255
    arrays = {"image": rng.integers(0, 256, (batch, side, side, 3), np.uint8), "mask": masks}
    if "edges" in serve.structured_input_signature[1]:
        arrays["edges"] = np.zeros_like(masks)
    inputs = {name: tf.constant(array) for name, array in arrays.items()}
    at_rest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    walls, processors = [], []
    for _ in range(repeats + 1):
        wall, processor = time.perf_counter(), time.process_time()
        serve(**inputs)["completed"].numpy()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "first": walls[0],
        "wall": statistics.median(walls[1:]),
        "processor": statistics.median(processors[1:]),
        "at_rest": at_rest,
        "peak": peak,
    }


def main(argv):
    parser = cli.Parser(prog="serving.py", description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of an exported model")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024], help="sides of square images")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4], help="images in a request")
    parser.add_argument("--repeats", type=int, default=3, help="requests of which the median is taken (default: 3)")
    parser.add_argument("--row", type=int, nargs=2, help="measure this size and batch alone, and print JSON")
    args = parser.parse_args(argv)
    folder = find_saved_model(args.model)
    if folder is None:
        raise InputError(f"there is no exported model in {args.model}")
    if args.row:
        print(json.dumps(measure(folder, *args.row, args.repeats)))
        return cli.DONE
    print(f"{folder}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    print("| side | batch | first request, s | request, s | processor time, s | memory at rest, MB | peak, MB |")
    print("|---|---|---|---|---|---|---|")
    for side in args.sizes:
        for batch in args.batches:
            program = [sys.executable, __file__, "--model", folder, "--repeats", str(args.repeats)]
            done = subprocess.run([*program, "--row", str(side), str(batch)], capture_output=True, text=True)
            if done.returncode:
                print(f"| {side} | {batch} | {(done.stderr.strip().splitlines() or ['no memory'])[-1][:80]} |")
                continue
            row = json.loads(done.stdout.splitlines()[-1])
            cells = [f"{row['first']:.1f}", f"{row['wall']:.2f}", f"{row['processor']:.2f}"]
            cells += [f"{row['at_rest']:.0f}", f"{row['peak']:.0f}"]
            print(f"| {side} | {batch} | {' | '.join(cells)} |", flush=True)
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
