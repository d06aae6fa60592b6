"""The papers' comparisons, trained small on the same images, masks and seeds, and measured by one ruler.

    python benchmarks/ablation.py --images photos/train --validation photos/val --output ablation
    python benchmarks/ablation.py ... --steps 2700 --count 50      # long enough to say something
    python benchmarks/ablation.py --output ablation --table        # what is there, from its CSVs

As it stands it makes a few steps of each form, to see that all run. On two quiet cores a form of DeepFill v1 takes 6 to
7 minutes for 1,200 steps of 64 pixels, as its quickstart config says; so 2,700 steps are a quarter of an hour, and all
of the runs (`--list`) some five hours. Each is a run folder below `--output`: stop it at any time, and the same command
goes on; what is measured is not trained again. A run that ends by itself, by a loss that is no number, is counted; and
of GANs also by how much the l1 of validation images stood, at most, above what it had been before, as where one
collapses. By how much a form is behind the first of its table is told image by image, of the first seed.
Forms are named by what they change, so that one run serves every table that it belongs to. Perceptual and style losses
look through EfficientNet-Lite0, of the extra `features`, like the metric feature_distance.

`methods` are all recipes that complete photographs, narrow, trained on the same boxes for the same time, beside two
methods that learn nothing:

    taskset -c 0 python benchmarks/ablation.py --groups methods --minutes 20 --images photos/train \
        --validation photos/val --output methods --count 60
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tf_inpaint import cli  # noqa: E402
from tf_inpaint.checkpoints import open_checkpoint  # noqa: E402

METRICS = ("feature_distance", "hole_l1", "hole_psnr", "ssim", "seam")
BEHIND = "behind the first"  # in feature_distance, with the standard error of the paired differences
FULL = "v1"
CONFIGS = {
    "v1": "quickstart",
    "v2": "quickstart_deepfill_v2",
    "gl": "quickstart_global_local",
    "pen": "quickstart_pen_net",
    "partial": "quickstart_partial_convolution",
    "pix2pix": "quickstart_pix2pix",
    "encoder": "quickstart_context_encoder",
    "lama": "quickstart_lama",
}
BASELINES = ("telea", "patchmatch")  # beside the methods
# Half of the side and always as large, as a Context Encoder wants it.
BOXES = ["mask.kind=box", "mask.height=32", "mask.width=32", "mask.max_delta_height=0", "mask.max_delta_width=0"]
NETWORK = "options.perceptual=efficientnet_lite0"  # at these weights its terms are as large as l1 at first
# By table: form -> overrides. The first word of a form is its config.
GROUPS = {
    "attention": {
        FULL: [],
        "v1 spatial transformer": ["options.attention=spatial_transformer"],
        "v1 appearance flow": ["options.attention=appearance_flow"],
        "v1 no attention": ["options.attention=none"],
    },
    "gan": {
        FULL: [],
        "v1 least squares": ["options.gan=least_squares"],
        "v1 minimax": ["options.gan=minimax"],
    },
    "losses": {
        FULL: [],
        "v1 no reconstruction": ["options.l1_weight=0", "options.autoencoder_weight=0"],
        "v1 no discounting": ["options.discount=none"],
        "v1 perceptual": [NETWORK, "options.perceptual_weight=0.005"],
        "v1 style": [NETWORK, "options.style_weight=2.0e-4"],
        "v1 total variation": ["options.total_variation_weight=0.1"],
    },
    "convolution": {  # a gated layer hands on half of its filters
        "v2 gated": [],
        "v2 partial": ["options.convolution=partial", "options.width=16"],
        "v2 plain": ["options.convolution=plain", "options.width=16"],
    },
    "skips": {"v2 gated": [], "v2 skips": ["options.skips=true"]},
    "pyramid": {"pen": [], "pen no attention": ["options.attention=none"]},
    "speed": {FULL: [], "gl": []},
    "methods": {
        "encoder boxes": [*BOXES, "options.image_size=64"],
        "gl boxes": BOXES,
        "partial boxes": [*BOXES, "options.perceptual_weight=0.05", "options.style_weight=120"],
        "pix2pix boxes": BOXES,
        "v1 boxes": BOXES,
        "v2 boxes": BOXES,
        "pen boxes": BOXES,
        "lama boxes": [*BOXES, "options.perceptual_weight=5"],
    },
}
SEEDS = {"gan": 3, "pyramid": 3}  # one run does not show whether a GAN collapses; PEN-Net takes four minutes


def main(argv=None):
    """Trains and measures what is missing, then prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--images", help="a folder to train on")
    add("--validation", help="a folder to measure on, of other images")
    add("--output", help="folder for all runs, results, tables.md and runs.csv, with a line for each run")
    add("--groups", nargs="+", choices=GROUPS, default=list(GROUPS), help="tables (default: all)")
    add("--forms", nargs="+", help="of these, the forms of these names alone")
    add("--steps", type=int, default=20, help="steps of each run (default: 20)")
    add("--minutes", type=float, help="in place of --steps, as many as fit, in minutes of one processor")
    add("--count", type=int, default=10, help="images measured (default: 10)")
    add("--seeds", type=int, help="seeds of each form (default: 3 for gan and pyramid, else 1)")
    add("--size", type=int, default=64, help="side of the images (default: 64)")
    add("--set", nargs="+", default=[], metavar="SECTION.KEY=VALUE", help="further overrides, of all runs")
    add("--reach", type=float, default=0.1, help="for speed: the l1 in validation holes to be reached (default: 0.1)")
    add("--table", action="store_true", help="print the tables of what is measured, train nothing")
    add("--list", action="store_true", help="name the runs, train nothing")
    args = parser.parse_args(argv)
    wanted = runs(args.groups, args.forms, args.seeds)
    if args.list:
        print("\n".join(f"{form}, seed {seed}" for form, seed in wanted))
        return
    if not args.output or not (args.table or (args.images and args.validation)):
        parser.error("needs --output, and --images and --validation unless it is --table")
    for form, seed in () if args.table else wanted:
        folder = place(args.output, form, seed)
        if not (folder / "results" / "results.csv").is_file() and not (folder / "ended.txt").is_file():
            print(f"{form}, seed {seed}: {make(folder, form, seed, args)}", flush=True)
    if "methods" in args.groups and not args.table and not args.forms:
        print(beside_baselines(args) or f"sheet and report: {args.output}/methods")
    text = "\n".join(line for group in args.groups for line in tables(group, args))
    (Path(args.output) / "tables.md").write_text(text + "\n", encoding="utf-8")
    write_csv(Path(args.output) / "runs.csv", args)
    print(text)


def runs(groups, forms=None, seeds=None):
    """(form, seed) of all runs of these tables, each once, seed by seed, so that every form has its first early."""
    found = {}
    for group in groups:
        for form in GROUPS[group]:
            for seed in range(seeds or SEEDS.get(group, 1)):
                if not forms or form in forms:
                    found[seed, form] = None
    return [(form, seed) for seed, form in sorted(found, key=lambda run: run[0])]


def place(output, form, seed):
    """Folder of a run."""
    return Path(output) / f"{form.replace(' ', '_')}-{seed}"


def make(folder, form, seed, args):
    """Trains and measures one form; returns what became of it, in a few words."""
    steps = args.steps if args.minutes is None else affordable_steps(folder, form, seed, args)
    every = max(1, steps // 40)
    validation = [f"data.validation={args.validation}", f"training.validation_count={args.count}"]
    validation += [f"training.{key}={every}" for key in ("log_every", "validate_every", "checkpoint_every")]
    error = train(form, seed, args, folder / "run", steps, validation)
    if error:
        folder.mkdir(parents=True, exist_ok=True)
        if "training stopped" in error:  # by a loss that is no number: so it would end again
            (folder / "ended.txt").write_text(error + "\n", encoding="utf-8")
        return error
    protocol = "deepfill_v2_freeform" if form in (*GROUPS["convolution"], *GROUPS["skips"]) else "deepfill_v1_rect"
    return evaluate({"form": folder / "run"}, ["none"], protocol, folder / "results", args) or "measured"


def beside_baselines(args):
    """Measures the finished methods again, in one evaluation with the baselines, whose sheet shows all of them."""
    folders = {form.split()[0]: place(args.output, form, 0) / "run" for form in GROUPS["methods"]}
    finished = {name: folder for name, folder in folders.items() if (folder.parent / "results").is_dir()}
    return evaluate(finished, BASELINES, "deepfill_v1_rect", Path(args.output) / "methods", args)


def train(form, seed, args, folder, steps, overrides):
    """Trains one form into a run folder; returns the last line of what went wrong, "" if nothing did."""
    name = form.split()[0]
    changes = [change for forms in GROUPS.values() for change in forms.get(form, [])]
    changes += [f"data.train={args.images}", f"data.image_size={args.size}", "training.view_every=0"]
    changes += [f"training.run_folder={folder}", f"training.steps={steps}", f"training.seed={seed}"]
    if name == "gl":  # its phases, as parts of the whole like those of its config
        changes += [f"options.completion_steps={steps * 5 // 8}", f"options.discriminator_steps={steps // 16}"]
    if name == "partial":
        changes += [f"options.fine_tune_from={steps * 3 // 4}"]
    command = ["train.py", "--config", f"configs/{CONFIGS[name]}.yml", "--set"]
    return run([*command, *dict.fromkeys([*changes, *overrides]), *args.set])


def affordable_steps(folder, form, seed, args, few=20, many=120):
    """Steps of a form that fit into `--minutes` of a processor, by what a short and a longer run differ; written down,
    so that a run that was stopped goes on with as many."""
    file = folder / "steps.txt"
    if not file.is_file():
        spent = []
        for steps in (few, many):
            with tempfile.TemporaryDirectory() as place:
                before = processor_seconds()
                error = train(form, seed, args, Path(place) / "run", steps, ["training.checkpoint_every=100000"])
                if error:
                    raise SystemExit(f"{form}: {error}")
                spent.append(processor_seconds() - before)
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{int(args.minutes * 60 * (many - few) / (spent[1] - spent[0]))}\n", encoding="utf-8")
    return int(file.read_text(encoding="utf-8"))


def processor_seconds():
    """What all commands so far have taken."""
    import resource  # which Windows lacks

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def evaluate(checkpoints, baselines, protocol, output, args):
    """Measures run folders by name, and baselines; returns the last line of what went wrong, "" if nothing did."""
    command = ["-m", "tf_inpaint.evaluate", "--images", args.validation, "--protocol", protocol]
    command += ["--output", str(output), "--size", str(args.size), "--limit", str(args.count)]
    command += ["--baselines", *baselines]
    return run([*command, "--checkpoint_dir", *(f"{name}={folder}" for name, folder in checkpoints.items())])


def run(arguments):
    """The last line of the errors of a Python command, "" where it succeeds."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)
    return (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1] if done.returncode else ""


def tables(group, args):
    """Lines of Markdown of one table: a form a row, means over seeds, with their deviation where there are several."""
    rows = []
    for form in GROUPS[group]:
        folders = [place(args.output, form, seed) for seed in range(args.seeds or SEEDS.get(group, 1))]
        found = {folder: read(folder / "results" / "results.csv") for folder in folders}
        measured = [numbers for numbers in found.values() if numbers]
        ended = sum((folder / "ended.txt").is_file() for folder in folders)
        cells = [spread([numbers[name] for numbers in measured if name in numbers]) for name in METRICS]
        cells.append(behind(place(args.output, next(iter(GROUPS[group])), 0), folders[0]))
        if group == "gan":
            cells.append(spread([rise(folder / "run") for folder, numbers in found.items() if numbers]))
        if group == "speed":
            cells.append(reached(folders[0] / "run", args.reach))
        if group == "methods":
            cells += size(folders[0] / "run")
        rows.append([form, f"{len(measured)} + {ended} ended", *cells])
    if group == "methods":
        for name in BASELINES:
            measured = read(Path(args.output) / "methods" / "results.csv", name)
            rows.append([name, "-", *(spread([measured[key]] if key in measured else []) for key in METRICS), *"---"])
    extra = {
        "gan": ["largest rise of l1"],
        "speed": [f"seconds to l1 {args.reach:g}"],
        "methods": ["steps", "generator's weights"],
    }.get(group, [])
    lines = (f"| {' | '.join(row)} |" for row in ([f"**{group}**", "runs", *METRICS, BEHIND, *extra], *rows))
    first, *others = lines
    return ["", first, "|---" * (first.count("|") - 1) + "|", *others]


def read(path, method="form"):
    """{metric: mean} of a method in an evaluation's results.csv; {} where there is none."""
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["mean"] and line["method"] == method]
    return {line["metric"]: float(line["mean"]) for line in lines}


def write_csv(path, args):
    """A line for each run that was measured."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["form", "seed", *METRICS, "largest rise of l1"])
        for form, seed in runs(GROUPS):
            folder = place(args.output, form, seed)
            numbers = read(folder / "results" / "results.csv")
            if numbers:
                lines.writerow([form, seed, *map(numbers.get, METRICS), f"{rise(folder / 'run'):.4f}"])


def behind(first, folder):
    """By how much a run is behind a first one in feature_distance, image by image, with the standard error."""
    theirs, ours = (distances(each / "results" / "per_image.csv") for each in (first, folder))
    differences = [ours[picture] - theirs[picture] for picture in theirs.keys() & ours.keys()]
    if first == folder or len(differences) < 2:
        return "-"
    error = statistics.stdev(differences) / len(differences) ** 0.5
    return f"{statistics.mean(differences):+.4f} ± {error:.4f}"


def distances(path):
    """{picture: feature_distance} of a run; {} where it is not measured."""
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {line["picture"]: float(line[METRICS[0]]) for line in csv.DictReader(file) if line.get(METRICS[0])}


def rise(folder):
    """By how much validation's l1 has stood above what it had been before, at most: large where training collapses."""
    file = folder / "scalars.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    l1 = [entry["hole_l1"] for entry in map(json.loads, lines) if "hole_l1" in entry]
    return max((value - min(l1[: index + 1]) for index, value in enumerate(l1)), default=0.0)


def size(folder):
    """Steps that a run makes, and the numbers that its generator consists of."""
    if not (folder / "config.yml").is_file():
        return ["-", "-"]
    steps = yaml.safe_load((folder / "config.yml").read_text(encoding="utf-8"))["training"]["steps"]
    shapes = open_checkpoint(str(folder)).shapes
    weights = sum(math.prod(shape) for name, shape in shapes.items() if name.startswith("generator/"))
    return [f"{steps:,}", f"{weights:,}"]


def spread(values):
    """A mean, with the deviation of several."""
    if not values:
        return "-"
    return f"{statistics.mean(values):.4f}" + (f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else "")


def reached(folder, level):
    """Seconds of training, by its lines of scalars, until validation's l1 was no more than a level."""
    if not (folder / "scalars.jsonl").is_file():
        return "-"
    batch = yaml.safe_load((folder / "config.yml").read_text(encoding="utf-8"))["data"]["batch_size"]
    seconds, before = 0.0, 0
    for line in (folder / "scalars.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry.get("images_per_second"):
            seconds += (entry["step"] - before) * batch / entry["images_per_second"]
        before = entry["step"]
        if entry.get("hole_l1", float("inf")) <= level:
            return f"{seconds:.0f}"
    return "not reached"


if __name__ == "__main__":
    cli.run(main)
