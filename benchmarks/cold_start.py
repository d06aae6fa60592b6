"""What a first completion takes, from the shell to the file, and a first step of training, above TensorFlow's import.

    python benchmarks/cold_start.py [--other ../earlier] [--weights photos] [--repeats 3]
        [--configs quickstart quickstart_lama quickstart_deepfill_v2]

`--other` is a second checkout (`git worktree add ../earlier COMMIT`), which takes turns with this one. An image of
256 x 256 with a hole of 90 x 110. Training begins a new run, views included, and ends after its first step; without
`--configs` there is none. Seconds are the least of the repeats: of the processor, then by the clock.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from measuring import table

from tf_inpaint import cli
from tf_inpaint.io.images import write_png

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMPORT, WHOLE = "a process that imports TensorFlow", "test.py, the whole process"
FIRST_STEP = "{}, up to its first step"
# Run in each checkout, by names that older ones have too.
PIECES = """
import json, os, sys, time
def now():
    times = os.times()
    return times.user + times.system, time.perf_counter()
marks = [("", now())]
from tf_inpaint import cli
cli.import_tensorflow(); marks.append(("  TensorFlow's import", now()))
import numpy as np
from tf_inpaint import Inpainter
inpainter = Inpainter.load(weights=sys.argv[1]); marks.append(("  Inpainter.load", now()))
image = np.load(sys.argv[2]); mask = np.zeros(image.shape[:2], bool); mask[80:170, 90:200] = True
inpainter.complete(image, mask); marks.append(("  first complete", now()))
inpainter.complete(image, mask); marks.append(("  second complete", now()))
print(json.dumps({name: [b - a for a, b in zip(start, end)] for (_, start), (name, end) in zip(marks, marks[1:])}))
"""
TRAINING = """
import os, sys
from tf_inpaint import cli
tf = cli.import_tensorflow()
from tf_inpaint.training.command import main
from tf_inpaint.training.learner import Learner
take_steps = Learner.take_steps
def first(self, *arguments, **settings):
    values, _ = take_steps(self, *arguments, **settings)
    print([float(value) for value in tf.nest.flatten(values)])  # waits for them
    sys.stdout.flush()
    os._exit(0)
Learner.take_steps = first
main(sys.argv[1:])
"""


def process(root, *arguments):
    """((processor, wall) seconds of a Python process in a checkout, what it printed)."""
    environment = {**os.environ, "PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "3"}
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, check=True,
    )  # fmt: skip
    wall, after = time.perf_counter() - start, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return (spent, wall), done.stdout


def measure(root, weights, configs, folder):
    """{piece: (processor, wall)} of a checkout."""
    image, mask, output = (os.path.join(folder, name) for name in ("image.png", "mask.png", "completed.png"))
    times = {IMPORT: process(root, "-c", "import tensorflow")[0]}
    command = ["test.py", "--image", image, "--mask", mask, "--output", output, "--weights", weights]
    times[WHOLE] = process(root, *command)[0]
    _, printed = process(root, "-c", PIECES, weights, os.path.join(folder, "image.npy"))
    times.update(json.loads(printed))
    for config in configs:
        with tempfile.TemporaryDirectory() as run:
            settings = [f"data.train={os.path.join(folder, 'images')}", f"training.run_folder={run}/run"]
            command = ["--config", f"configs/{config}.yml", "--set", *settings]
            times[FIRST_STEP.format(config)] = process(root, "-c", TRAINING, *command)[0]
    return times


def main(argv):
    parser = cli.Parser(prog="cold_start.py", description=__doc__.splitlines()[0])
    parser.add_argument("--other", help="another checkout to compare with")
    parser.add_argument("--weights", default="photos")
    parser.add_argument("--configs", nargs="*", default=[], metavar="CONFIG", help="of training, below configs/")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args(argv)
    roots = [ROOT, *([os.path.abspath(arguments.other)] if arguments.other else [])]
    with tempfile.TemporaryDirectory() as folder:
        shapes = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
        image, mask = np.kron(shapes, np.ones([16, 16, 1], np.uint8)), np.zeros([256, 256], np.uint8)
        mask[80:170, 90:200] = 255
        np.save(os.path.join(folder, "image.npy"), image)
        write_png(os.path.join(folder, "image.png"), image)
        write_png(os.path.join(folder, "mask.png"), mask)
        os.mkdir(os.path.join(folder, "images"))
        for index in range(8):
            write_png(os.path.join(folder, "images", f"{index}.png"), np.roll(image, index * 16, axis=1))
        wanted = arguments.weights, arguments.configs, folder
        runs = [[measure(root, *wanted) for root in roots] for _ in range(arguments.repeats)]
    least = [
        {name: np.min([run[tree][name] for run in runs], axis=0) for name in runs[0][tree]}
        for tree in range(len(roots))
    ]
    for time_of in least:
        for name in (WHOLE, *map(FIRST_STEP.format, arguments.configs)):
            time_of[f"{name}, above that import"] = time_of[name] - time_of[IMPORT]

    def row(name):
        cells = [" ".join(f"{seconds:6.2f}" for seconds in time_of[name]) for time_of in least]
        ratios = [" ".join(f"{other / this:5.2f}" for this, other in zip(least[0][name], least[-1][name]))]
        return (name, *cells, *(ratios if arguments.other else []))

    names = [f"{name}: processor, clock" for name in ("this tree", "the other")[: len(roots)]]
    table(("seconds", *names, *(["times as fast"] if arguments.other else [])), [*map(row, least[0])])
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
