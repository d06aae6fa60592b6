"""Cut small extracts out of the reference arrays, so that golden tests also run where the full set is absent.

python tests/golden/extract.py ../shared/reference
"""

import json
import sys
from pathlib import Path

import numpy as np

_TRANSFER = ("x1", "x2", "output", "attended", "ksize", "fuse", "softmax_scale", "mask", "valid", "w/")
_PARTIAL = ("input", "weight", "bias", "mask", "output", "new_mask", "stride", "padding", "dilation", "multi", "grad_")

# File, or file+part of it -> beginnings of the names to keep. What is not kept skips its test.
KEPT = {
    "ops": (
        "nearest_index/",
        "spatial_discounting_mask/64x96",
        "resize_mask_like/",
        "gen_conv_v1/k3s2_SYMMETRIC/",
        "gen_conv_v1/output/",
        "dis_conv_v1/",
        "flow_to_image/1/",
        "flow_to_image/zero/",
        "gan/",
        "penalty/",
        "adam/0/",
        "local_patch/",
    ),
    "ops+v2": ("gen_conv_v2/k3s2_SYMMETRIC/", "gen_conv_v2/relu/", "dis_conv_v2/", "kernel_spectral_norm/0/"),
    "masks": ("quantile_levels", "bbox/area_", "brush_3000/", "union/area_", "brush_192x320/"),
    "pennet/atn_torch_k1_fuse": _TRANSFER,
    "pennet/atn_torch_k3_nofuse_softmask": _TRANSFER,
    "pennet/square_masks": ("train_64", "test", "train_256_2", "train_256_3"),
    "context_encoder/channelwise_fc": ("",),
    "partialconv/pconv_mc_s1_k3": _PARTIAL,
    "partialconv/pconv_s1_k3_b1": _PARTIAL,
    "partialconv/pconv_soft_mask": _PARTIAL,
    "contextual_attention": ("cases_json", "case14/y", "case14/f", "case14/mask", "case14/offset"),
}
# Beginnings of the names of which one image is enough.
ONE_PICTURE = {"context_encoder/channelwise_fc": ("input", "output")}
DATA = Path(__file__).parent / "data"
LARGEST = 100_000  # bytes


def main(reference):
    for name, beginnings in KEPT.items():
        with np.load(Path(reference) / f"{name.split('+')[0]}.npz") as arrays:
            kept = {key: arrays[key] for key in arrays.files if key.startswith(beginnings)}
        for key in kept:
            if key.startswith(ONE_PICTURE.get(name, ())):
                kept[key] = kept[key][:1]
        target = DATA / f"{name}.npz"
        target.parent.mkdir(exist_ok=True)
        np.savez_compressed(target, **kept)
        if target.stat().st_size >= LARGEST:
            sys.exit(f"{target} has {target.stat().st_size} bytes, {LARGEST} are allowed: keep less")
        print(f"{target}: {len(kept)} arrays, {target.stat().st_size} bytes")
    cases = json.loads((Path(reference) / "pennet" / "square_masks.json").read_text())["cases"]
    (DATA / "pennet" / "square_masks.jsonl").write_text("\n".join(map(json.dumps, cases)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
