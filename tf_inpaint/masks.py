"""The command `python -m tf_inpaint.masks`: look at the masks that a config draws before training on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tf_inpaint import cli
from tf_inpaint.errors import InputError
from tf_inpaint.io.grid import image_grid
from tf_inpaint.io.images import write_png

_MOST = 10_000  # all are held in memory
_QUANTILES = (0, 5, 25, 50, 75, 95, 100)


def main(argv: Sequence[str]) -> int:
    """Writes a sheet of masks, or one file for each, and prints how large they are; returns the exit code."""
    parser = cli.Parser(
        prog="python -m tf_inpaint.masks",
        description="Write a sheet of samples of the masks a config draws (white = hole), and print their areas.",
    )
    add = parser.add_argument
    add("--config", required=True, help="a configuration, or the name of a shipped one; mask and data.image_size count")
    add("--set", nargs="*", action="extend", default=[], metavar="KEY=VALUE", help="override values: mask.kind=union")
    add("--output", default="masks.png", help="the sheet, a PNG (default: masks.png)")
    add("--folder", help="write every mask as a PNG into this folder too")
    add("--count", type=int, default=16, help="masks on the sheet (default: 16)")
    add("--measure", type=int, default=200, help="masks drawn to measure areas (default: 200)")
    add("--seed", type=int, default=0, help="another seed draws other masks")
    args = parser.parse_args(argv)
    for option in ("count", "measure"):
        if not 1 <= getattr(args, option) <= _MOST:
            raise InputError(f"--{option} must be 1 to {_MOST:,}, not {getattr(args, option):,}")

    cli.import_tensorflow()
    from tf_inpaint.config import load_config
    from tf_inpaint.config.by_name import config_file

    config = load_config(config_file(args.config), args.set)
    masks = sample(config, max(args.count, args.measure), args.seed)
    write_png(args.output, sheet(masks[: args.count]))
    print(args.output)
    if args.folder:
        for index, mask in enumerate(masks[: args.count]):
            write_png(Path(args.folder) / f"{index:05d}.png", mask)
        print(f"{args.count} masks in {args.folder}")
    areas = masks[: args.measure].mean(axis=(1, 2))
    print(f"area of {len(areas)} holes, as shares of the image: mean {areas.mean():.4f}, deviation {areas.std():.4f}")
    print("  quantiles " + "  ".join(f"{q}%: {np.percentile(areas, q):.4f}" for q in _QUANTILES))
    return cli.DONE


def sample(config, count: int, seed: int = 0) -> np.ndarray:
    """Masks of a config: bool [count, H, W], the same for the same seed."""
    import tensorflow as tf

    from tf_inpaint.data.masks import Masks
    from tf_inpaint.data.reader import explained_errors, plainly

    drawn = Masks(config.mask, config.data.image_size, config.data.max_broken_fraction)
    seeds = tf.data.Dataset.range(count).map(plainly(lambda index: tf.stack([seed, tf.cast(index, tf.int32)])))
    with explained_errors(drawn):
        return np.stack([mask.numpy()[..., 0] > 0.5 for mask in drawn.dataset(seeds)])


def sheet(masks: np.ndarray) -> np.ndarray:
    """Masks bool [N, H, W] side by side on grey, as square as it gets: uint8 [rows, columns]."""
    columns = math.ceil(math.sqrt(len(masks)))
    levels = np.uint8(255) * masks
    return image_grid([levels[first : first + columns] for first in range(0, len(levels), columns)], background=128)


if __name__ == "__main__":
    cli.run(main)
