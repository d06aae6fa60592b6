"""What the benchmarks share: interleaved medians, a batch, peak memory of a child process, and this machine's rates."""

import os
import resource
import statistics
import subprocess
import sys
import time

CHILD = "TF_INPAINT_BENCHMARK_CHILD"


def medians(functions, repeats):
    """Median wall and processor seconds of each function, after one call of each to warm up.

    The functions take turns, so that what else runs on the machine slows all of them alike. Processor seconds divided
    by the number of cores are nearer to what a quiet machine would show.

    Args:
        functions: {name: function without arguments}.
        repeats: calls of each.
    Returns:
        {name: (wall, processor)}.
    """
    for function in functions.values():
        function()
    times = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            wall, processor = time.perf_counter(), time.process_time()
            function()
            times[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return {name: tuple(statistics.median(each) for each in zip(*values)) for name, values in times.items()}


def random_batch(count, side):
    """A training batch of noise, whose holes are the middle of each image."""
    import tensorflow as tf

    middle = tf.ones([count, side // 2, side // 2, 1])
    return {
        "image": tf.random.stateless_uniform([count, side, side, 3], [0, 1], -1, 1),
        "mask": tf.image.pad_to_bounding_box(middle, side // 4, side // 4, side, side),
        "seed": tf.constant([[0, index] for index in range(count)]),
    }


def learner_of(recipe, options, side, count, strategy, **training):
    """A `Learner` of square images, whose holes are half as wide; `training` are keys of that section."""
    from tf_inpaint.config import config_from_dict
    from tf_inpaint.training.learner import Learner

    values = {
        "recipe": recipe,
        "options": options,
        "data": {"image_size": side, "batch_size": count},
        "mask": {"height": side // 2, "width": side // 2, "max_delta_height": 0, "max_delta_width": 0},
        "training": training,
    }
    return Learner(config_from_dict(values, "benchmark"), strategy)


def peak_memory():
    """Bytes of memory that this process has held at most."""
    if os.path.exists("/proc/self/status"):  # Linux hands getrusage's figure on from the parent
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def in_child(script, *arguments):
    """What a script prints last when run by itself, for peaks of memory that no earlier work has raised."""
    command = [sys.executable, script, *map(str, arguments)]
    done = subprocess.run(command, env={**os.environ, CHILD: "1"}, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def is_child():
    """Whether this process was started by `in_child`."""
    return CHILD in os.environ


def rates():
    """{name: function that does `GIGA` of floating-point operations} of what networks mostly consist of."""
    import tensorflow as tf

    features = tf.random.normal([1, 128, 128, 128])
    kernel = tf.random.normal([3, 3, 128, 128])
    convolve = tf.function(lambda: tf.nn.conv2d(features, kernel, 1, "SAME"))
    return {"convolution": lambda: convolve().numpy()}


GIGA = {"convolution": 2 * 128**2 * 9 * 128**2 / 1e9}


def table(header, rows):
    """Print columns, the first to the left, the others to the right."""
    widths = [max(len(str(row[i])) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        first, *others = (str(cell) for cell in row)
        print("  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:]))]))
