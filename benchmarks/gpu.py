"""What a GPU makes of tf_inpaint in a given time: golden tests, images a second, steps, bits, replicas, memory.

    bash benchmarks/gpu.sh gpu                                # 8 minutes on the first GPU; gpu/gpu.json and a table
    python benchmarks/gpu.py --device CPU:0 --tiny --output x # whether it all runs, in some minutes

Each part is a process of its own, the ones that matter most first. What one says is in the JSON before the next begins,
so that a run that was killed has told what it knew. A part that fails or takes too long is named, and the others go on.

Forms are "float32" without TF32, "tf32" (a GPU's default for float32), "bfloat16"; "+xla" compiles them. Images a
second are of a whole prediction, every pixel of it, with weights drawn at random at the papers' widths; seconds of a
training step are of everything in it, on a batch that stays in memory.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from measuring import learner_of, peak_memory, random_batch, table

from tf_inpaint.io.atomic import write_whole

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ("deepfill_v2", "lama", "deepfill_v1", "pen_net")
WHOLE = ("partial_convolution", "global_local")  # predicted alone
BATCHES = {256: 16, 512: 4, 1024: 1, 2048: 1}
FORMS = ("float32", "tf32", "bfloat16")
MARK = "RESULT "  # before what a part says


def parts():
    """(name, arguments, most seconds) of all parts, the most important first."""
    yield "golden", [], 120
    for recipe in RECIPES:
        yield "images", [recipe, *FORMS], 60
    for recipe in RECIPES:
        yield "step", [recipe, *FORMS], 60
    yield "bits", ["deepfill_v2"], 60
    yield "replicas", ["deepfill_v2"], 60
    for weights in ("photos", "photos_v1"):
        yield "memory", [weights], 90
    for recipe in RECIPES[:2]:
        yield "images", [recipe, "float32+xla", "bfloat16+xla"], 90
        yield "step", [recipe, "float32+xla", "bfloat16+xla"], 120
    for recipe in WHOLE:
        yield "images", [recipe, *FORMS], 60


def main(argv=None):
    """Runs the parts, or one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="a folder")
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts (default: 8)")
    parser.add_argument("--device", default="GPU:0")
    parser.add_argument("--tiny", action="store_true", help="narrow networks and small images, to see that all runs")
    parser.add_argument("--part", nargs="+", help="one part alone, in this process")
    args = parser.parse_args(argv)
    if args.part:
        name, *rest = args.part
        tell(PARTS[name](*rest, device=args.device, tiny=args.tiny))
        return 0
    args.output.mkdir(parents=True, exist_ok=True)
    common = ["--device", args.device, "--output", str(args.output), *(["--tiny"] if args.tiny else [])]
    commands = [
        (name, rest, limit, [sys.executable, __file__, *common, "--part", name, *rest]) for name, rest, limit in parts()
    ]
    found = run_all(commands, args.output / "gpu.json", 60 * args.minutes)
    show(found)
    return int(all("failed" in each for each in found))


def run_all(commands, file, seconds):
    """What each command said, in order, [{"part", "arguments", "seconds", "said", "failed"}], kept in a JSON file."""
    end, found = time.monotonic() + seconds, []
    for name, rest, limit, command in commands:
        start = time.monotonic()
        entry = {"part": name, "arguments": rest}
        left = min(limit, end - start)
        try:
            if left <= 0:
                raise TimeoutError("no time was left")
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=left)
            printed = done.stdout
            if done.returncode:
                lines = (done.stderr.strip() or printed.strip() or f"exit code {done.returncode}").splitlines()
                entry["failed"] = lines[-1][:300]
        except subprocess.TimeoutExpired as error:
            printed = (error.stdout or b"").decode()
            entry["failed"] = f"was not done after {left:.0f} s"
        except TimeoutError as error:
            printed, entry["failed"] = "", str(error)
        said = [line for line in printed.splitlines() if line.startswith(MARK)]
        if said:
            entry["said"] = json.loads(said[-1][len(MARK) :])
        else:
            entry.setdefault("failed", "it said nothing")
        entry["seconds"] = round(time.monotonic() - start, 1)
        found.append(entry)
        write_whole(str(file), json.dumps(found, indent=1).encode())
        print(f"{' '.join([name, *rest])}: {entry.get('said', entry.get('failed'))}", file=sys.stderr, flush=True)
    return found


def tell(said):
    """What a part says, of which the last counts: one that is ended has told what it knew."""
    print(MARK + json.dumps(said), flush=True)


def show(found):
    """Tables of images a second and of steps; a line for everything else."""
    for name, unit in (("images", "images a second"), ("step", "seconds a step")):
        cells, columns = {}, []
        for entry in found:
            for key, value in entry.get("said", {}).items() if entry["part"] == name else ():
                side, form = key.split()
                row = cells.setdefault(f"{entry['arguments'][0]} {side}", {})
                row[form] = value if isinstance(value, str) else f"{value:.3g}"
                columns += [form] * (form not in columns)
        if cells:
            table((unit, *columns), [(row, *(by.get(form, "-") for form in columns)) for row, by in cells.items()])
    for entry in found:
        if entry["part"] not in ("images", "step") or "failed" in entry:
            what = " ".join([entry["part"], *entry["arguments"]])
            print(f"{what}: {entry.get('failed', entry.get('said'))} ({entry['seconds']} s)")


def golden(device, tiny):
    """What pytest says of the golden tests of the papers' networks, without TF32."""
    wanted = "contextual" if tiny else "deepfill or lama or pen_net or contextual or ops"
    environment = {**os.environ, "NVIDIA_TF32_OVERRIDE": "0"}
    environment.update({"CUDA_VISIBLE_DEVICES": ""} if device.startswith("CPU") else {})
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/golden", "-k", wanted]
    # Ended here: who ends this process would leave that one on the device.
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110)
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return {"pytest": done.stdout.strip().splitlines()[-1], "failed": failed[:20]}


def learner_in(form, recipe, side, count, device, tiny, strategy=None):
    """A `Learner` of a recipe at its paper's width, in a form."""
    import tensorflow as tf

    precision, _, xla = form.partition("+")
    tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
    options = {
        "deepfill_v1": {"local_patch": side // 2},
        "global_local": {"local_patch": side // 2},
        "lama": {"perceptual_weight": 0.0},
        "partial_convolution": {
            "perceptual_weight": 0.0,
            "style_weight": 0.0,
            "depth": min(7, side.bit_length() - 1),
        },
    }.get(recipe, {})
    if tiny:
        options.update({"width": 8} if recipe in WHOLE else {"width": 8, "critic_width": 8})
    training = {"precision": "mixed_bfloat16" if precision == "bfloat16" else "float32", "xla": bool(xla)}
    return learner_of(recipe, options, side, count, strategy or tf.distribute.OneDeviceStrategy(device), **training)


def seconds(call, repeats=3):
    """Median seconds of a call that waits for its result, after two to warm up."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


def images(recipe, *forms, device, tiny):
    """{"side form": images a second} of predictions."""
    import tensorflow as tf

    found = {}
    for form, (side, count) in itertools.product(forms, {64: 1}.items() if tiny else BATCHES.items()):
        if form.endswith("+xla") and side > 512:
            continue
        learner, batch = learner_in(form, recipe, 64 if tiny else 256, 1, device, tiny), random_batch(count, side)
        complete = tf.function(
            lambda learner=learner, batch=batch: learner.recipe.complete(batch, training=False)["completed"],
            jit_compile=form.endswith("+xla"),
            autograph=False,
        )

        def call(complete=complete):
            with tf.device(device):
                complete().numpy()

        try:
            found[f"{side} {form}"] = count / seconds(call)
        except tf.errors.OpError as error:
            found[f"{side} {form}"] = type(error).__name__
        tell(found)
    return found


def step(recipe, *forms, device, tiny):
    """{"side form": seconds} of training steps."""
    import tensorflow as tf

    side, count = (64, 1) if tiny else (256, 16)
    found = {}
    for form in forms:
        learner = learner_in(form, recipe, side, count, device, tiny)
        batches = iter(tf.data.Dataset.from_tensors(random_batch(count, side)).repeat())
        try:
            found[f"{side}x{count} {form}"] = seconds(functools.partial(take_step, learner, batches))
        except tf.errors.OpError as error:
            found[f"{side}x{count} {form}"] = type(error).__name__
        tell(found)
    return found


def take_step(learner, batches):
    """One step; waits for its last loss."""
    *_, last = learner.take_steps(batches, 1)[0][-1].values()
    return last.numpy()


def weights_after(learner, steps=2, count=4, side=64):
    """Weights after some steps on noise."""
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensors(random_batch(count, side)).repeat()
    batches = iter(learner.strategy.experimental_distribute_dataset(dataset.unbatch().batch(count)))
    for _ in range(steps):
        learner.take_steps(batches, 1)
    return {name: weight.numpy() for name, weight in learner.weights["generator"].items()}


def bits(recipe, device, tiny):
    """Whether two runs of two steps, from the same seed, end with the same bits."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    digests = set()
    for _ in range(2):
        weights = weights_after(learner_in("float32", recipe, 64, 4, device, tiny))
        digests.add(hashlib.sha256(b"".join(value.tobytes() for value in weights.values())).hexdigest()[:16])
    return {"the same bits": len(digests) == 1, "digests": sorted(digests)}


def replicas(recipe, device, tiny):
    """How far the weights after two steps on two logical devices are from those on one, and how far these moved."""
    import numpy as np
    import tensorflow as tf

    kind = device.split(":")[0]
    share = {"memory_limit": 16384} if kind == "GPU" else {}
    two = [tf.config.LogicalDeviceConfiguration(**share)] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices(kind)[0], two)
    # NCCL wants a GPU for each replica.
    reduce = tf.distribute.ReductionToOneDevice()
    mirrored = tf.distribute.MirroredStrategy([f"{kind}:0", f"{kind}:1"], cross_device_ops=reduce)
    one = learner_in("float32", recipe, 64, 4, f"{kind}:0", tiny)
    before = {name: weight.numpy() for name, weight in one.weights["generator"].items()}
    one = weights_after(one)
    both = weights_after(learner_in("float32", recipe, 64, 4, device, tiny, mirrored))
    apart, moved = (max(np.abs(other[name] - one[name]).max() for name in one) for other in (both, before))
    return {"largest difference": float(apart), "largest move": float(moved)}


def memory(weights, device, tiny):
    """Seconds and peak memory of a square image with a hole of 1,500 of 4,096 pixels, as `test.py` completes it."""
    import numpy as np
    import tensorflow as tf

    from tf_inpaint import Inpainter

    side = 256 if tiny else 4096
    hole = side * 1500 // 4096
    image = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    mask = np.zeros((side, side), bool)
    mask[side // 4 : side // 4 + hole, side // 4 : side // 4 + hole] = True
    start = time.perf_counter()
    with tf.device(device):
        Inpainter.load(weights).complete(image, mask)
    found = {"seconds, loading and tracing included": round(time.perf_counter() - start, 1)}
    found["program's peak, GiB"] = round(peak_memory() / 2**30, 2)
    with contextlib.suppress(ValueError):  # a CPU has no such figure
        found["device's peak, GiB"] = round(tf.config.experimental.get_memory_info(device)["peak"] / 2**30, 2)
    return found


PARTS = {function.__name__: function for function in (golden, images, step, bits, replicas, memory)}

if __name__ == "__main__":
    sys.exit(main())
