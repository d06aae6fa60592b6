"""Which parameter of LaMa's PyTorch release is which of our weights, for generators of any kind and depth."""

from __future__ import annotations

import re

_CONVOLUTION = {"weight": "kernel", "bias": "bias"}
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_DILATIONS = {"0": 1, "1": 2, "2": 4, "3": 8}
_FOURIER = {  # paths within a fast Fourier convolution
    "convl2l": "conv.local_to_local",
    "convl2g": "conv.local_to_global",
    "convg2l": "conv.global_to_local",
    "convg2g.conv1.0": "conv.global_to_global.conv1",
    "convg2g.conv1.1": "conv.global_to_global.norm1",
    "convg2g.fu.conv_layer": "conv.global_to_global.unit.conv",
    "convg2g.fu.bn": "conv.global_to_global.unit.norm",
    "convg2g.conv2": "conv.global_to_global.conv2",
}
_BLOCK = {  # places in a block's list
    "regular": {"1": "conv1_1", "2": "norm1", "5": "conv2_1", "6": "norm2"},
    "dilated": {
        **{f"0.convs.{place}": f"conv1_{dilation}" for place, dilation in _DILATIONS.items()},
        "1": "norm1",
        **{f"3.convs.{place}": f"conv2_{dilation}" for place, dilation in _DILATIONS.items()},
        "4": "norm2",
    },
}


def fourier_name(path: str) -> str | None:
    """Our path of a layer within a normalised Fourier convolution ("ffc.convl2l", "bn_l"), None if there is none."""
    if path in ("bn_l", "bn_g"):
        return {"bn_l": "norm_local", "bn_g": "norm_global"}[path]
    return _FOURIER.get(path.removeprefix("ffc."))


def generator_names(names) -> dict[str, str]:
    """{the release's name: ours} of a generator's parameters "model.<i>...." among `names`; others are left out.

    The release numbers layers in their order, so that the number of blocks says what stands behind them.
    """
    paths = {name: re.fullmatch(r"model\.(\d+)\.(?:(.+)\.)?([a-z_]+)", name) for name in names}
    paths = {name: (int(match[1]), match[2] or "", match[3]) for name, match in paths.items() if match}
    inner = {path for _, path, _ in paths.values()}
    kind = "fourier" if any("ffc." in path for path in inner) else "regular"
    kind = "dilated" if any(".convs." in path for path in inner) else kind
    blocks = {index for index, path, _ in paths.values() if path.startswith(("conv1.", "conv2.", "conv_block."))}
    layers = _layers(kind, len(blocks))
    found = {}
    for name, (index, path, end) in paths.items():
        ours = layers.get(index)
        if ours is not None and path:
            outer, _, place = path.partition(".")
            if kind != "fourier":
                within = _BLOCK[kind].get(place) if outer == "conv_block" else None
            elif index in blocks:
                within = fourier_name(place) and f"{outer}.{fourier_name(place)}"
            else:
                within = fourier_name(path)
            ours = within and f"{ours}.{within}"
        ending = _end(ours, end)
        if ending:
            found[name] = f"{ours}.{ending}"
    return found


def discriminator_names(names) -> dict[str, str]:
    """{the release's name: ours} of a discriminator's parameters "model<k>....", others are left out."""
    found = {}
    for name in names:
        match = re.fullmatch(r"model([0-5])\.([01])\.([a-z_]+)", name)
        layer = match and ("score" if match[1] == "5" else f"conv{match[1]}") + (".norm" if match[2] == "1" else "")
        ending = match and _end(layer, match[3])
        if ending:
            found[name] = f"{layer}.{ending}"
    return found


def _end(layer, end):
    """What a parameter of our layer is called here; None for what it does not have, such as counts of batches."""
    if not layer:
        return None
    is_norm = layer.rpartition(".")[2].startswith("norm")
    return (_NORM if is_norm else _CONVOLUTION).get(end)


def _layers(kind, blocks):
    """{position in the release's list: our layer}."""
    down = ("conv_in", "down1", "down2", "down3")
    if kind == "fourier":
        layers = {1 + level: layer for level, layer in enumerate(down)}
    else:
        layers = {1 + 3 * level: f"{layer}.conv" for level, layer in enumerate(down)}
        layers |= {2 + 3 * level: f"{layer}.norm" for level, layer in enumerate(down)}
    first = 5 if kind == "fourier" else 13
    layers |= {first + index: f"block{index + 1}" for index in range(blocks)}
    after = first + blocks + (kind == "fourier")  # one place joins the local and the global part
    for level in range(3):
        layers |= {after + 3 * level: f"up{level + 1}", after + 3 * level + 1: f"up{level + 1}.norm"}
    layers[after + 10] = "conv_out"
    return layers
