"""Forward pass and training step in float32, bfloat16 and float16, with and without XLA, and several steps in a call.

    python benchmarks/precision.py [--recipe deepfill_v2] [--width 24] [--side 128] [--batch 8] [--device GPU:0]
        [--forms float32 mixed_bfloat16 float32+xla ...] [--repeats 5]
    python benchmarks/precision.py --width 8 --critic_width 4 --side 64 --batch 1 --forms float32 float32*16

Times are ratios to the first form, all of the same run. A step is whole: discriminator and generator, losses, gradients
and Adam, on a batch that stays in memory; "*16" makes 16 of them in a call (`training.steps_per_call`). On a GPU
float32 means TF32 where the card has it, "float32-" without.
"""

from measuring import learner_of, medians, random_batch, table

from tf_inpaint import cli

FORMS = {
    "CPU": ("float32", "mixed_bfloat16", "float32+xla", "mixed_bfloat16+xla"),
    "GPU": ("float32", "float32-", "mixed_bfloat16", "mixed_float16", "float32+xla", "mixed_bfloat16+xla"),
}


def steps_in_a_call(form):
    """16 of "float32*16", 1 of a form without."""
    return int(form.partition("*")[2] or 1)


def main(argv):
    parser = cli.Parser(prog="precision.py", description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", choices=("deepfill_v1", "deepfill_v2", "pen_net"), default="deepfill_v2")
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--critic_width", type=int, default=16)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--device", help="such as GPU:0 (default: the first GPU, or the CPU)")
    parser.add_argument(
        "--forms", nargs="+", help="float32, float32-, mixed_bfloat16, mixed_float16; with +xla; with *N"
    )
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args(argv)
    tf = cli.import_tensorflow()
    device = arguments.device or ("GPU:0" if tf.config.list_logical_devices("GPU") else "CPU:0")
    side, count = arguments.side, arguments.batch
    batch = random_batch(count, side)

    def functions(form):
        """(forward, step) of a form; each waits for its result."""
        together = steps_in_a_call(form)
        precision, _, xla = form.partition("*")[0].partition("+")
        options = {"width": arguments.width, "critic_width": arguments.critic_width}
        if arguments.recipe == "deepfill_v1":
            options["local_patch"] = side // 2
        training = {"precision": precision.rstrip("-"), "xla": bool(xla), "steps_per_call": together}
        strategy = tf.distribute.OneDeviceStrategy(device)
        learner = learner_of(arguments.recipe, options, side, count, strategy, **training)
        forward = tf.function(
            lambda: learner.recipe.complete(batch, training=False)["completed"], jit_compile=bool(xla)
        )
        batches = iter(tf.data.Dataset.from_tensors(batch).repeat())

        def complete():
            with tf.device(device):
                return forward().numpy()

        def step():
            return learner.take_steps(batches, together)[0][-1]["generator_loss"].numpy()

        def set_tf32(function):
            def call():
                tf.config.experimental.enable_tensor_float_32_execution(not precision.endswith("-"))
                function()

            return call

        return set_tf32(complete), set_tf32(step)

    forms = arguments.forms or FORMS["GPU" if "GPU" in device else "CPU"]
    calls = {}
    for form in forms:
        calls[form, "forward"], calls[form, "step"] = functions(form)
    times = medians(calls, arguments.repeats)
    rows = []
    for form in forms:
        cells = []
        for what, steps in (("forward", lambda form: 1), ("step", steps_in_a_call)):
            wall, processor = (time / steps(form) for time in times[form, what])
            base, base_processor = (time / steps(forms[0]) for time in times[forms[0], what])
            cells += [f"{1e3 * wall:.0f}", f"{base / wall:.2f} ({base_processor / processor:.2f})"]
            cells += [f"{count / wall:.1f}"]
        rows.append((form, *cells))
    size = f"width {arguments.width}, {count} images of {side} x {side}"
    print(f"{arguments.recipe} on {device}: {size}; in brackets by processor time")
    table(("", "forward, ms", "x", "images / s", "step, ms", "x", "images / s"), rows)
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
