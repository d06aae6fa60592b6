"""Every shipped weights and every baseline under several protocols: one table in Markdown.

    python benchmarks/methods.py --images photos/val more/val --output results

From each folder images are taken evenly over its list. Each protocol's report lies in a folder below `--output`, and a
run that was stopped goes on. Methods whose package is missing are named below the table.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tf_inpaint
from tf_inpaint.evaluation import evaluate
from tf_inpaint.evaluation.ranking import sentences
from tf_inpaint.io.listing import list_files

PROTOCOLS = ("small_centre", "centre", "deepfill_v2_freeform", "lama_medium_256")
METRICS = ("feature_distance", "feature_fid", "kid", "seam", "hole_psnr", "ssim")
WEIGHTS = sorted(path.stem for path in (Path(tf_inpaint.__file__).parent / "weights").glob("*.npz"))


def main():
    """Evaluates, then prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", nargs="+", required=True, help="folders")
    parser.add_argument("--output", required=True, help="folder for the reports")
    parser.add_argument("--count", type=int, default=50, help="images in each protocol (default: 50)")
    parser.add_argument("--protocols", nargs="+", default=PROTOCOLS)
    parser.add_argument("--checkpoint_dir", nargs="+", default=WEIGHTS, help="default: all that came with the package")
    parser.add_argument("--baselines", nargs="+", default=["all"])
    args = parser.parse_args()
    images, start = chosen(args.images, args.count), time.monotonic()
    missing = {}
    for protocol in args.protocols:
        results = evaluate(
            images, f"{args.output}/{protocol}", protocol, checkpoints=args.checkpoint_dir, baselines=args.baselines
        )
        print("\n".join(table(results)), flush=True)
        missing.update(results["missing_methods"])
    for name, why in missing.items():
        print(f"not compared: {name}: {why}")
    print(f"\n{len(images)} images, {len(args.protocols)} protocols, {time.monotonic() - start:.0f} seconds")


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


if __name__ == "__main__":
    main()
