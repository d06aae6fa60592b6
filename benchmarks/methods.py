"""Every shipped weights and every baseline under several protocols: one table in Markdown.

    python benchmarks/methods.py --images photos/val more/val --output results

From each folder images are taken evenly over its list. Each protocol's report lies in a folder below `--output`, and a
run that was stopped goes on. Methods whose package is missing are named below the table. Candidates of a training are
ranked beside what is shipped by `--weights a.npz later=runs/b`, quickly where `--baselines` names only cheap ones.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tf_inpaint
from tf_inpaint import cli
from tf_inpaint.evaluation import evaluate
from tf_inpaint.evaluation.ranking import sentences
from tf_inpaint.io.listing import list_files

PROTOCOLS = ("small_centre", "centre", "deepfill_v2_freeform", "lama_medium_256")
METRICS = ("feature_distance", "feature_fid", "kid", "seam", "hole_psnr", "ssim")
WEIGHTS = sorted(path.stem for path in (Path(tf_inpaint.__file__).parent / "weights").glob("*.npz"))


def main(argv):
    """Evaluates, then prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", nargs="+", required=True, help="folders")
    parser.add_argument("--output", required=True, help="folder for the reports")
    parser.add_argument("--count", type=int, default=50, help="images in each protocol (default: 50)")
    parser.add_argument("--protocols", nargs="+", default=PROTOCOLS)
    parser.add_argument("--checkpoint_dir", nargs="+", default=WEIGHTS, help="default: all that came with the package")
    parser.add_argument(
        "--weights", nargs="+", default=[], metavar="[NAME=]FILE", help="files or run folders beside them"
    )
    parser.add_argument("--baselines", nargs="+", default=["all"])
    args = parser.parse_args(argv)
    images, start = chosen(args.images, args.count), time.monotonic()
    baselines = [] if args.baselines == ["none"] else args.baselines
    checkpoints = [*args.checkpoint_dir, *args.weights]
    found = []
    for protocol in args.protocols:
        results = evaluate(images, f"{args.output}/{protocol}", protocol, checkpoints=checkpoints, baselines=baselines)
        print("\n".join(table(results)), flush=True)
        found.append(results)
    print("\n".join(overview(found)))
    for name, why in results["missing_methods"].items():
        print(f"not compared: {name}: {why}")
    for name in METRICS:
        if "not_measured" in results["metrics"][name]:
            print(f"not measured: {name}: {results['metrics'][name]['not_measured']}")
    spent = f"{time.monotonic() - start:.0f} seconds, {time.process_time():.0f} of processors"
    print(f"\n{len(images)} images, {len(args.protocols)} protocols, {spent}")


def chosen(folders: list[str], count: int) -> list[str]:
    """`count` images, as many from each folder and evenly over its list."""
    images = []
    for place, folder in enumerate(folders):
        files = list_files(folder)
        wanted = min(count // len(folders) + (place < count % len(folders)), len(files))
        images += [files[index * len(files) // wanted] for index in range(wanted)]
    return images


def table(results: dict) -> list[str]:
    """Lines of Markdown: a method a row, the best first; then who leads."""
    protocol, metrics = (
        results["protocol"],
        [name for name in METRICS if "not_measured" not in results["metrics"][name]],
    )
    first = results["ranking"]["metric"]
    methods = {method["name"]: method["results"] for method in results["methods"]}
    lines = [f"\n**`{protocol['name']}`**: {protocol['holes']}.\n"]
    lines += [f"| | {' | '.join(metrics)} |", "|---" * (len(metrics) + 1) + "|"]
    for place in results["ranking"]["all"]:
        cells = []
        for name in metrics:
            text = f"{methods[place['method']][name]['mean']:.{results['metrics'][name]['digits']}f}"
            if name == first and place["rank"] > 1:
                text += f" (+{place['behind']:.4f} ± {place['standard_error']:.4f})"
            cells.append(text)
        lines.append(f"| {place['method']} | {' | '.join(cells)} |")
    return [*lines, "", *sentences(results)[:1]]


def overview(found: list[dict]) -> list[str]:
    """Lines of Markdown: a method a row, its first metric under each protocol, the best over all protocols first."""
    metric = found[0]["ranking"]["metric"]
    digits = found[0]["metrics"][metric]["digits"]
    places = [{place["method"]: place for place in results["ranking"]["all"]} for results in found]

    def behind(method):
        """How much worse than the first of each protocol, as a part of its number."""
        firsts = [results["ranking"]["all"][0]["mean"] for results in found]
        return sum(of[method]["behind"] / abs(first) for of, first in zip(places, firsts)) / len(found)

    names = [results["protocol"]["name"] for results in found]
    lines = [f"\n**{metric}** under all protocols; behind: the first of each protocol, mean over protocols.\n"]
    lines += [f"| | {' | '.join(f'`{name}`' for name in names)} | behind |", "|---" * (len(names) + 2) + "|"]
    for method in sorted(places[0], key=behind):
        cells = [f"{of[method]['mean']:.{digits}f}" for of in places]
        lines.append(f"| {method} | {' | '.join(cells)} | {behind(method):.1%} |")
    return lines


if __name__ == "__main__":
    cli.run(main)
