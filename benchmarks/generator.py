"""A generator's forward pass against its floor: the network's operations at the rate this machine convolves.

    python benchmarks/generator.py [--recipe deepfill_v1] [--sides 256 512 1024] [--hole 0.25] [--repeats 3]

"whole" draws all of the image, "holes" what its hole depends on, which is what completing does; the hole is a square
of `--hole` times the image's side, in the middle of its upper left quarter. They take turns.

Operations are those of the published form with factored attention: convolutions after doubling as 3 x 3 over the
doubled image, one product of all queries by all keys, four for pasting. The rate is measured between the repeats;
weights are drawn at random. Peaks are of a process that does one image by `Inpainter`, TensorFlow included.
"""

import math
import os

import numpy as np
from measuring import GIGA, in_child, is_child, medians, peak_memory, rates, table

from tf_inpaint import cli

FORMS = ("whole", "holes")


def operations(recipe, side):
    """Floating-point operations of an image of side x side, in billions: (convolutions, attention)."""
    import tensorflow as tf

    from tf_inpaint.layers import MirrorConv2D, UpsampleConv2D
    from tf_inpaint.models.lama import FewFiltersConv, NormTransposedConv

    counted = {"convolutions": 0, "attention": 0}
    counted_in = {cls: "convolve" for cls in (UpsampleConv2D, NormTransposedConv, FewFiltersConv)}
    counted_in[MirrorConv2D] = "correlate"
    originals = {cls: cls.__dict__[method] for cls, method in counted_in.items()}

    def counting(cls):
        def method(self, inputs, *kernel):
            outputs = originals[cls](self, inputs, *kernel)
            positions = math.prod((inputs if cls is NormTransposedConv else outputs).shape[1:3])
            counted["convolutions"] += 2 * positions * math.prod((kernel[0] if kernel else self.kernel).shape)
            return outputs

        return method

    for cls, method in counted_in.items():
        setattr(cls, method, counting(cls))
    try:
        inputs = tf.TensorSpec([1, side, side, 3]), tf.TensorSpec([1, side, side, 1])
        tf.function(lambda image, mask: recipe.generator((image, mask)), autograph=False).get_concrete_function(*inputs)
    finally:
        for cls, original in originals.items():
            setattr(cls, counted_in[cls], original)
    for queries, depth in attention_sizes(recipe.generator, side):
        counted["attention"] += 2 * queries**2 * depth
    return counted["convolutions"] / 1e9, counted["attention"] / 1e9


def attention_sizes(generator, side):
    """(positions, numbers multiplied for each pair of positions) of every attention layer."""
    from tf_inpaint.models import DeepFillV2Generator

    width = generator.width
    if generator.attention is None:
        return []
    if generator.attention.stride == 8:
        channels = 2 * width if isinstance(generator, DeepFillV2Generator) else 4 * width
        return [((side // 8) ** 2, channels * 5)]
    channels = [width, 2 * width, 4 * width, 8 * width, 16 * width, 16 * width]  # of PEN-Net's levels
    return [((side // 2 ** (k + 2)) ** 2, channels[k + 1] + 4 * channels[k]) for k in range(5)]


def build(name):
    """A recipe with a generator of random weights."""
    import tensorflow as tf

    from tf_inpaint.recipes import RECIPES

    recipe = RECIPES[name]()
    recipe.generator((tf.zeros([1, 256, 256, 3]), tf.zeros([1, 256, 256, 1])))
    return recipe


def picture(side, share):
    """A random image and a hole of a share of its side: uint8 [side, side, 3], bool [side, side]."""
    hole = np.zeros((side, side), bool)
    first = max(0, int(side * (0.375 - share / 2)))
    hole[first : first + int(side * share), first : first + int(side * share)] = True
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8), hole


def main(argv):
    parser = cli.Parser(prog="generator.py", description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", choices=("deepfill_v1", "deepfill_v2", "pen_net", "lama"), default="deepfill_v1")
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--hole", type=float, default=0.25, help="side of the hole as a share of the image's")
    parser.add_argument("--form", choices=FORMS, nargs="+", default=FORMS, help="what to run; in a child, the one")
    parser.add_argument("--max_memory", help="for completing, such as 8G")
    arguments = parser.parse_args(argv)
    cli.import_tensorflow()
    from tf_inpaint.inference.inpainter import Inpainter

    recipe = build(arguments.recipe)
    inpainter = Inpainter.of(recipe, max_memory=arguments.max_memory)

    def run(form, side):
        image, hole = picture(side, arguments.hole)
        return lambda: inpainter.outputs(image, hole, all_outputs=form == "whole")

    if is_child():
        run(arguments.form[0], arguments.sides[0])()
        print(peak_memory())
        return cli.DONE
    cores = os.cpu_count()
    rows = []
    for side in arguments.sides:
        times = medians({**{form: run(form, side) for form in arguments.form}, **rates()}, arguments.repeats)
        convolutions, attention = operations(recipe, side)
        counted = convolutions + attention
        wall, processor = (GIGA["convolution"] / each for each in times["convolution"])
        memory = ("--max_memory", arguments.max_memory) if arguments.max_memory else ()
        for form in arguments.form:
            options = ("--recipe", arguments.recipe, "--sides", side, "--hole", arguments.hole, "--form", form)
            peak = int(in_child(__file__, *options, *memory)) / 2**30
            forward = times[form]
            rows.append(
                (
                    f"{side} {form}",
                    f"{forward[0]:.2f}",
                    f"{forward[1] / cores:.2f}",
                    f"{convolutions:.0f} + {attention:.0f}",
                    f"{wall:.0f} ({processor * cores:.0f})",
                    f"{counted / wall:.2f}",
                    f"{forward[0] / (counted / wall):.2f}",
                    f"{forward[1] / (counted / processor):.2f}",
                    f"{peak:.2f}",
                    f"{inpainter.memory(side, side) / 2**30:.2f}",
                )
            )
    header = (
        "side",
        "seconds",
        "on quiet cores",
        "GFLOP",
        "GFLOP/s",
        "floor, s",
        "of floor",
        "by cpu",
        "GiB",
        "estimate",
    )
    table(header, rows)
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
