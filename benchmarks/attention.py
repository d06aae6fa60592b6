"""Contextual attention: the literal form, all at once, and in chunks: time, and peak memory beyond the program's.

    python benchmarks/attention.py [--positions 256 1024 4096 16384] [--channels 128] [--repeats 5]

"in chunks" is what completing uses: up to 4,400 positions or so it works at once too. The literal form builds every
patch, as the paper describes it and the release computes it. The forms take turns, and each peak is taken in a process
of its own. At 16,384 positions the literal form and "at once" take about 4 GiB each, the literal form most of a minute
a call: --repeats 1 or 2 will do.
"""

import os
import sys

import numpy as np
from measuring import in_child, is_child, medians, peak_memory, table

from tf_inpaint import cli

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FORMS = ("literal", "at once", "in chunks")


def forms(positions, channels):
    """{name: function} of the three on the same features, mask and all."""
    import tensorflow as tf

    from tf_inpaint.layers import ContextualAttention

    sys.path.insert(0, os.path.join(ROOT, "tests", "unit", "layers"))
    from test_contextual_attention import literal_attention  # the tests' oracle

    side = int(round(positions**0.5))
    features = tf.random.stateless_normal([1, 2 * side, 2 * side, channels], [0, 1])
    mask = np.zeros([1, 2 * side, 2 * side, 1], np.float32)
    mask[:, side // 2 : side, side // 2 : side] = 1
    mask = tf.constant(mask)
    at_once, in_chunks = ContextualAttention(), ContextualAttention(max_memory=1 << 30)
    attend = {
        "literal": lambda x: literal_attention(x, x, mask),
        "at once": lambda x: at_once((x, x, mask))[0],
        "in chunks": lambda x: in_chunks((x, x, mask))[0],
    }
    compiled = {name: tf.function(function, autograph=False) for name, function in attend.items()}
    return {name: lambda function=function: function(features).numpy() for name, function in compiled.items()}


def main(argv):
    parser = cli.Parser(prog="attention.py", description=__doc__.splitlines()[0])
    parser.add_argument("--positions", type=int, nargs="+", default=[256, 1024, 4096, 16384])
    parser.add_argument("--channels", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--form", choices=FORMS, help="print the peak memory of this form alone")
    arguments = parser.parse_args(argv)
    cli.import_tensorflow()
    if is_child():
        for positions in (64, *arguments.positions):  # the first, tiny one loads what every form needs
            before = peak_memory()
            forms(positions, arguments.channels)[arguments.form]()
        print(peak_memory() - before)
        return cli.DONE
    rows = []
    for positions in arguments.positions:
        times = medians(forms(positions, arguments.channels), arguments.repeats)
        for name, (wall, processor) in times.items():
            options = ("--form", name, "--positions", positions, "--channels", arguments.channels)
            peak = int(in_child(__file__, *options)) / 2**20
            ratio = times["literal"][0] / wall
            per_entry = processor / positions**2 * 1e9
            rows.append((f"{positions:,} {name}", f"{wall:.3f}", f"{ratio:.1f} x", f"{per_entry:.0f}", f"{peak:.0f}"))
    table(("positions", "seconds", "literal's speed", "processor ns an entry", "MiB"), rows)
    return cli.DONE


if __name__ == "__main__":
    sys.path.insert(0, ROOT)
    cli.run(main)
