"""Packs images, masks and EfficientNet-Lite0 into a folder for `train.py`, which has no TensorFlow.

    python benchmarks/pytorch_training/pack.py --images train.flist --textures dtd --output packed [--start photos]
"""

import argparse
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tf_inpaint.checkpoints import open_checkpoint
from tf_inpaint.checkpoints.description import describe
from tf_inpaint.checkpoints.releases import release_of
from tf_inpaint.config import load_config
from tf_inpaint.features.efficientnet_lite import EfficientNetLite0
from tf_inpaint.io.listing import list_files
from tf_inpaint.masks import sample

KINDS = ("images", "faces", "textures")  # each drawn as often as `train.py` says, textures turned too


def main():
    """Writes images.npz, masks.npz, efficientnet.npz and, with `--start`, start.npz."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for kind in KINDS:
        parser.add_argument(f"--{kind}", help="a folder, glob or list")
    masks = Path(__file__).with_name("masks.yml")
    parser.add_argument("--masks", default=masks, help="a config, whose masks count (default: that beside this)")
    parser.add_argument("--output", required=True, help="a folder")
    parser.add_argument("--count", type=int, default=5000, help="masks (default: 5000)")
    parser.add_argument("--largest_hole", type=float, default=0.55, help="share of an image, of masks (default: 0.55)")
    parser.add_argument("--start", help="weights of a LaMa to go on from: a name that ships, or a checkpoint")
    parser.add_argument("--quality", type=int, default=76, help="of WebP (default: 76)")
    arguments = parser.parse_args()
    sources = [vars(arguments)[kind] for kind in KINDS]
    if not any(sources):
        parser.error("give images: --" + ", --".join(KINDS))
    folder = Path(arguments.output)
    folder.mkdir(parents=True, exist_ok=True)
    files = [(str(file), kind) for kind, source in enumerate(sources) if source for file in list_files(source)]
    images, kinds = [webp(file, arguments.quality) for file, _ in files], [kind for _, kind in files]
    ends = np.cumsum([0, *map(len, images)])
    np.savez(folder / "images.npz", data=np.frombuffer(b"".join(images), np.uint8), ends=ends, kinds=np.uint8(kinds))
    masks = sample(load_config(str(arguments.masks), ["data.image_size=[256, 256]"]), arguments.count, seed=7)
    masks = masks[masks.mean((1, 2)) < arguments.largest_hole]
    np.savez_compressed(folder / "masks.npz", np.packbits(masks, axis=-1))
    np.savez(folder / "efficientnet.npz", **{name: np.float16(value) for name, value in kernels(EfficientNetLite0())})
    if arguments.start:
        np.savez(folder / "start.npz", **generator_of(open_checkpoint(arguments.start)))
    print(f"{len(files)} images, {len(masks)} masks: {folder}")


def webp(file, quality):
    """An image as WebP, so that thousands travel."""
    written = io.BytesIO()
    Image.open(file).convert("RGB").save(written, "WEBP", quality=quality)
    return written.getvalue()


def generator_of(checkpoint):
    """{the release's name: array} of a LaMa's generator."""
    description = describe(checkpoint)
    release = release_of(description.recipe)
    sources = description.sources["generator"]
    arrays = dict(checkpoint.read(sources.values()))
    ours = {name: description.to_ours(name, arrays[source]) for name, source in sources.items()}
    names = release.names("generator", ours)
    return {
        theirs.removeprefix("generator."): release.to_theirs(name, np.float32(ours[name]))
        for theirs, name in names.items()
    }


def kernels(network):
    """(name, array) of the folded convolutions, kernels as PyTorch lays them out."""
    layers = [("stem", network._stem, False)]
    for stage, block in enumerate(network._blocks, 1):
        parts = {"expand": block._expand, "depthwise": block._depthwise, "project": block._project}
        layers += [(f"b{stage}_{name}", part, name == "depthwise") for name, part in parts.items() if part]
    for name, (kernel, bias), depthwise in layers:
        yield f"{name}_kernel", kernel.numpy().transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        yield f"{name}_bias", bias.numpy()


if __name__ == "__main__":
    main()
