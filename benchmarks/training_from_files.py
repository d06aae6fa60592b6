"""Training from JPEG files to updated weights, against the same steps on one batch held in memory.

    python benchmarks/training_from_files.py [--steps 20] [--repeats 3] [--config quickstart ...]

The photographs of `tf_inpaint.samples` as JPEG files of `--image`, read, cut and masked as a config says while its
learner makes whole steps, optimizers included. Both forms take turns; steps before each turn let buffers fill or empty.
Recipes that draw a batch for every update read several batches a step. Columns are the least of several turns: the work
of the processor tells what the input pipeline costs where cores are few; "images/s" is by it, on quiet cores. Memory is
the peak of a process that makes a few steps from files.
"""

import os
import tempfile
import time

import numpy as np
from measuring import in_child, is_child, peak_memory, table

from tf_inpaint import cli

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LARGE = ["data.image_size=[256, 256]", "data.batch_size=2"]
V1 = "options.local_patch=[128, 128]"
CONFIGS = {
    "quickstart": [],
    "quickstart_deepfill_v2": [],
    "quickstart_lama": [],
    "celeba": [*LARGE, V1, "options.width=12", "options.critic_width=16"],
    "places2_deepfill_v2": [*LARGE, "options.width=12", "options.critic_width=16"],
    "places2_lama": [*LARGE, "options.width=16", "options.critic_width=16", "options.perceptual_weight=0.0"],
}
COUNT = 48
_WARM_UP = 3  # steps
_FORMS = ("files", "memory")


def write_photographs(folder, width, height):
    """JPEG files of quality 90, of parts of the photographs."""
    import cv2

    from tf_inpaint.samples import SAMPLES, load_sample

    photographs = [image for image in map(load_sample, SAMPLES) if image is not None]
    draw = np.random.default_rng(0)
    for number in range(COUNT):
        image = photographs[number % len(photographs)]
        top, left = (draw.integers(side // 5) for side in image.shape[:2])
        image = cv2.resize(image[top:, left:, ::-1], (width, height), interpolation=cv2.INTER_AREA)
        cv2.imwrite(os.path.join(folder, f"{number:03}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 90])


def forms(name, folder):
    """(config, {form: function that makes a number of steps}, batches a step)."""
    import tensorflow as tf

    from tf_inpaint.config import load_config
    from tf_inpaint.data.dataset import ImageData
    from tf_inpaint.training.learner import Learner

    overrides = [f"data.train={folder}", "data.validation=''", "training.validate_every=0", *CONFIGS[name]]
    config = load_config(os.path.join(ROOT, "configs", f"{name}.yml"), overrides)
    learner = Learner(config, tf.distribute.get_strategy())
    files = ImageData(config.data, config.mask, seed=0).dataset(0, config.data.batch_size)
    memory = tf.data.Dataset.from_tensors(next(iter(files))).cache().repeat()
    batches = dict(zip(_FORMS, map(iter, (files, memory))))

    def steps(form, count):
        for _ in range(count):
            values, _ = learner.take_steps(batches[form])
        tf.nest.map_structure(lambda value: value.numpy(), values)

    functions = {form: lambda count, form=form: steps(form, count) for form in _FORMS}
    return config, functions, learner.batches_per_step


def turns(functions, count, repeats):
    """{form: the least (wall, processor) seconds of a step}."""
    found = {form: [] for form in functions}
    for _ in range(repeats):
        for form, steps in functions.items():
            steps(_WARM_UP)
            wall, processor = time.perf_counter(), time.process_time()
            steps(count)
            found[form].append(((time.perf_counter() - wall) / count, (time.process_time() - processor) / count))
    return {form: np.min(each, axis=0) for form, each in found.items()}


def main(argv):
    parser = cli.Parser(prog="training_from_files.py", description=__doc__.splitlines()[0])
    parser.add_argument("--config", nargs="+", choices=CONFIGS, default=list(CONFIGS))
    parser.add_argument("--image", type=int, nargs=2, default=(512, 384), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--steps", type=int, default=20, help="in one turn")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", help="of the images; in a child, which prints its peak memory")
    arguments = parser.parse_args(argv)
    cli.import_tensorflow()
    if is_child():
        forms(arguments.config[0], arguments.folder)[1]["files"](_WARM_UP)
        print(peak_memory())
        return cli.DONE
    rows, cores = [], os.cpu_count()
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(folder, *arguments.image)
        for name in arguments.config:
            config, functions, batches = forms(name, folder)
            found = turns(functions, arguments.steps, arguments.repeats)
            (_, files), (_, memory) = (found[form] for form in _FORMS)
            images = batches * config.data.batch_size
            peak = int(in_child(__file__, "--config", name, "--folder", folder)) / 2**30
            rows.append(
                (
                    f"{name}, {config.data.image_size[0]}",
                    f"{batches} x {config.data.batch_size}",
                    f"{images / files * cores:.1f}",
                    f"{1e3 * files:.0f}",
                    f"{1e3 * (files - memory) / images:.1f}",
                    f"{files / memory:.3f}",
                    f"{peak:.2f}",
                )
            )
    header = ("", "images a step", "images/s", "ms a step", "ms an image's input", "files / memory", "GiB")
    print(f"JPEG files of {arguments.image[0]} x {arguments.image[1]}, {cores} cores")
    table(header, rows)
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
