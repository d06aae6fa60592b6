"""A training step of DeepFill v1 with each form of attention, and where its time goes.

    python benchmarks/training_step.py [--side 256] [--batch 2] [--repeats 5]

Gradients of the generator's losses, discriminators included, and of theirs, without the optimizers. "literal" has the
attention that builds every patch, one image after the other, as the release does; "none" has no attention.
"""

import os
import sys

import numpy as np
from measuring import medians, random_batch, table

from tf_inpaint import cli

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def steps(recipe, batch, attention=None):
    """{"generator": function, "discriminators": function} that compute losses and gradients."""
    import tensorflow as tf

    layer = recipe.generator.refinement.attention
    if attention is not None:
        layer.call = attention

    def step(losses, variables):
        def gradients():
            with tf.GradientTape() as tape:
                loss = tf.add_n(list(losses(batch).values()))
            return [loss, *tape.gradient(loss, variables)]

        compiled = tf.function(gradients, autograph=False)
        return lambda: compiled()[0].numpy()

    return {
        "generator": step(recipe.generator_losses, recipe.generator.trainable_variables),
        "discriminators": step(recipe.discriminator_losses, recipe.discriminator.trainable_variables),
    }


def main(argv):
    parser = cli.Parser(prog="training_step.py", description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args(argv)
    cli.import_tensorflow()
    import tensorflow as tf

    from tf_inpaint.recipes import RECIPES

    sys.path.insert(0, os.path.join(ROOT, "tests", "unit", "layers"))
    from test_contextual_attention import literal_attention  # the tests' oracle

    side, count = arguments.side, arguments.batch
    batch = random_batch(count, side)

    def literal(inputs):
        one_by_one = zip(*(tf.split(tensor, count) for tensor in inputs))  # foreground, background, mask
        output = tf.concat([literal_attention(*one) for one in one_by_one], axis=0)
        return output, tf.zeros([count, side // 8, side // 8, 2], tf.int32)

    functions = {}
    forms = {"literal": literal, "factored": None, "none": lambda inputs: (inputs[0], None)}
    for name, attention in forms.items():
        Recipe = RECIPES["deepfill_v1"]
        recipe = Recipe(Recipe.Options(local_patch=(side // 2, side // 2)))
        recipe.build(side, side)
        for network, function in steps(recipe, batch, attention).items():
            functions[name, network] = function
    times = medians(functions, arguments.repeats)

    def row(label, seconds, baseline):
        cells = (f"{value:.2f} ({base / value:.2f} x)" for value, base in zip(seconds, baseline))
        return (label, *cells)

    rows = []
    for network in ("generator", "discriminators"):
        for name in forms:
            rows.append(row(f"{network}, {name} attention", times[name, network], times["literal", network]))
    totals = {name: np.add(times[name, "generator"], 5 * np.array(times[name, "discriminators"])) for name in forms}
    rows += [row(f"step of 5 + 1 updates, {name}", total, totals["literal"]) for name, total in totals.items()]
    print(f"{count} images of {side} x {side}: seconds (times the literal form's speed)")
    table(("gradients of", "wall", "processor"), rows)
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
