"""Which parameter of LaMa's PyTorch release is which of our weights, for generators of any kind and depth."""

from __future__ import annotations

import re

_CONVOLUTION = {"weight": "kernel", "bias": "bias"}
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_DILATIONS = {"0": 1, "1": 2, "2": 4, "3": 8}
FOURIER = {  # paths within a normalised fast Fourier convolution
    "ffc.convl2l": "conv.local_to_local",
    "ffc.convl2g": "conv.local_to_global",
    "ffc.convg2l": "conv.global_to_local",
    "ffc.convg2g.conv1.0": "conv.global_to_global.conv1",
    "ffc.convg2g.conv1.1": "conv.global_to_global.norm1",
    "ffc.convg2g.fu.conv_layer": "conv.global_to_global.unit.conv",
    "ffc.convg2g.fu.bn": "conv.global_to_global.unit.norm",
    "ffc.convg2g.conv2": "conv.global_to_global.conv2",
    "bn_l": "norm_local",
    "bn_g": "norm_global",
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


def generator_names(names) -> dict[str, str]:
    """{the release's name: ours} of a generator's parameters "model.<i>...." among `names`; others are left out."""
    places = [re.fullmatch(r"model\.(\d+)\.(.+)", name) for name in names]
    paths = [(match[1], match[2]) for match in places if match]
    kind = "fourier" if any("ffc." in path for _, path in paths) else "regular"
    kind = "dilated" if any(".convs." in path for _, path in paths) else kind
    blocks = {index for index, path in paths if path.startswith(("conv1.", "conv2.", "conv_block."))}
    table = generator_table(kind, len(blocks))
    return {name: table[name] for name in names if name in table}


def generator_table(kind, blocks) -> dict[str, str]:
    """{the release's name: ours} of all that a generator of a kind and a number of blocks may have.

    The release numbers layers in their order, so that the number of blocks says what stands behind them.
    """
    table = {}
    for index, layer in _layers(kind, blocks).items():
        for path, ours in _within(kind, layer).items():
            for end, ending in _ends(ours).items():
                table[".".join(filter(None, (f"model.{index}", path, end)))] = f"{ours}.{ending}"
    return table


def discriminator_names(names) -> dict[str, str]:
    """{the release's name: ours} of a discriminator's parameters "model<k>...." among `names`; others are left out."""
    return {name: DISCRIMINATOR[name] for name in names if name in DISCRIMINATOR}


def _ends(layer):
    """{what a parameter of our layer is called there: here}."""
    return _NORM if layer.rpartition(".")[2].startswith("norm") else _CONVOLUTION


DISCRIMINATOR = {
    f"model{index}.{place}.{end}": f"{layer}.{ending}"
    for index, conv in enumerate(("conv0", "conv1", "conv2", "conv3", "conv4", "score"))
    for place, layer in enumerate((conv, f"{conv}.norm") if 0 < index < 5 else (conv,))
    for end, ending in _ends(layer).items()
}


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


def _within(kind, layer):
    """{path within a place of the release's list: our layer}."""
    if layer.startswith("block"):
        if kind != "fourier":
            return {f"conv_block.{place}": f"{layer}.{ours}" for place, ours in _BLOCK[kind].items()}
        halves = ("conv1", "conv2")
        return {f"{half}.{path}": f"{layer}.{half}.{ours}" for half in halves for path, ours in FOURIER.items()}
    if kind == "fourier" and not layer.startswith(("up", "conv_out")):
        return {path: f"{layer}.{ours}" for path, ours in FOURIER.items()}
    return {"": layer}
