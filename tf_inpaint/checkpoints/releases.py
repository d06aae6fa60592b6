"""Which variable of the authors' released checkpoints is which of our weights, and which of them touch pixels.

A `Release` is a table for one paper; adding a paper means adding one to `RELEASES`. DeepFill's work on BGR images and
this project on RGB: their kernels are turned where colours enter or leave a network. PEN-Net's is PyTorch's, whose
kernels have their axes in another order. Both are done by `to_ours` and `to_theirs`, so that no caller has to know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable

import numpy as np

from tf_inpaint.checkpoints.lama_config import compare_config, config_of_release
from tf_inpaint.checkpoints.lama_names import DISCRIMINATOR, discriminator_names, generator_names, generator_table

Shapes = Mapping[str, tuple]
_NETWORKS = ("generator", "discriminator")
_CRITIC_KERNEL = 5  # side of PEN-Net's spectrally normalised kernels


@dataclass(frozen=True)
class Release:
    """One paper's released checkpoints.

    Attributes:
        recipe: our name of it, a key of `RECIPES`.
        title: its name in sentences.
        networks: "generator" and "discriminator" -> {the authors' variable name: our weight name}; see `names`.
        matches: whether shapes under the generator's names (ours) are this paper's.
        options: what shapes (ours) tell about the recipe's options.
        colours_in: our names of kernels [.., .., 3 + more, filters] whose first three input channels are an image's.
        colours_out: our names of kernels and biases whose output channels are an image's.
        pytorch: whether its files are PyTorch's.
        unused: pattern of variables that its program keeps and neither reads nor needs to go on.
        powers: "generator" and "discriminator" -> the variable that holds beta2 to the power of its Adam's updates + 1.
        closed: whether further variables among a generator's would make another network of it.
    """

    recipe: str
    title: str
    networks: Mapping[str, Mapping[str, str]]
    matches: Callable[[Shapes], bool]
    options: Callable[[Shapes], dict]
    colours_in: frozenset = frozenset()
    colours_out: frozenset = frozenset()
    pytorch: bool = False
    unused: str = "none"
    powers: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(_NETWORKS, "beta2_power"))
    closed: bool = False

    def names(self, network: str, ours: Shapes) -> Mapping[str, str]:
        """{the authors' variable name: our weight name} of a network that has weights of these names (ours)."""
        return {theirs: name for theirs, name in self.networks[network].items() if name in ours}

    def to_ours(self, name: str, value: np.ndarray) -> np.ndarray:
        """The release's array of the weight that is `name` here, as this project keeps it."""
        return self.turn_colours(name, _from_pytorch(name, value) if self.pytorch else value)

    def to_theirs(self, name: str, value: np.ndarray) -> np.ndarray:
        """Our array of the weight `name`, as the release keeps it."""
        value = self.turn_colours(name, value)
        return _to_pytorch(name, value) if self.pytorch else value

    def our_shape(self, name: str, shape: tuple) -> tuple:
        """The shape of `to_ours` of an array of `shape`."""
        return self.to_ours(name, np.broadcast_to(np.float32(0), shape)).shape if self.pytorch else tuple(shape)

    def find(self, names) -> dict[str, dict[str, str]]:
        """ "generator" and "discriminator" -> {our weight name: its name in a checkpoint that has `names`}.

        A PyTorch file may keep several dictionaries of weights, each under a path of keys and a `/`: the one with the
        most names of a network is that network's. `module.` before a name is what PyTorch's DataParallel adds.
        """
        if not self.pytorch:
            there = set(names)
            return {n: {ours: its for its, ours in table.items() if its in there} for n, table in self.networks.items()}
        dictionaries = _dictionaries(names)
        found = {}
        for network, table in self.networks.items():
            best = max(dictionaries.values(), key=lambda dictionary: len(table.keys() & dictionary.keys()))
            found[network] = {ours: best[its] for its, ours in table.items() if its in best}
        return found

    def owns(self, ours: Shapes) -> bool:
        """Whether shapes under our names are a generator's of this paper: most are there, and of its shapes.

        Some may be missing, to be named later.
        """
        names = self.networks["generator"].values()
        return 2 * sum(name in ours for name in names) > len(names) and self.matches(ours)

    def notes(self, path: str, options: Mapping) -> list[str]:
        """What a file beside the checkpoint says otherwise, a sentence each; an InputError if it is another network."""
        return []

    def turn_colours(self, name: str, value: np.ndarray) -> np.ndarray:
        """The weight `name` (ours) for the other order of colours; BGR to RGB and back are the same turn."""
        if name in self.colours_in:
            return np.concatenate([value[:, :, 2::-1], value[:, :, 3:]], axis=2)
        if name in self.colours_out:
            return value[..., ::-1]
        return value


def _dictionaries(names) -> dict[str, dict[str, str]]:
    """{path: {name in that dictionary: whole name}} of a PyTorch file's names."""
    dictionaries = {"": {}}
    for name in names:
        path, _, key = name.rpartition("/")
        dictionaries.setdefault(path, {})[re.sub(r"^(module\.)+", "", key)] = name
    return dictionaries


def is_training_state(name: str) -> bool:
    """Whether a variable of the authors' checkpoints belongs to the optimiser or the loop rather than to a network."""
    if re.search(r"(^|/)optim[^/]*/|\.num_batches_tracked$", name):  # the dictionary of a PyTorch optimiser; counts
        return True
    return re.search(r"(/Adam(_\d+)?|(^|/)(beta[12]_power(_\d+)?|global_step|lr|learning_rate))$", name) is not None


def _from_pytorch(name, value):
    """An array of PyTorch's as this project keeps it: kernels [h, w, in, out], the vectors of spectral norm [1, n]."""
    if name.endswith(".v"):  # [in, h, w] in one row there, [h, w, in] here
        side = _CRITIC_KERNEL
        if value.size % side**2 == 0:
            value = value.reshape(-1, side, side).transpose(1, 2, 0)
        return value.reshape(1, -1)
    if name.endswith(".u"):
        return value.reshape(1, -1)
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value


def _to_pytorch(name, value):
    if name.endswith(".v"):
        return value.reshape(_CRITIC_KERNEL, _CRITIC_KERNEL, -1).transpose(2, 0, 1).reshape(-1)
    if name.endswith(".u"):
        return value.reshape(-1)
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value


_COARSE = (
    "conv1 conv2_downsample conv3 conv4_downsample conv5 conv6 conv7_atrous conv8_atrous conv9_atrous conv10_atrous "
    "conv11 conv12 conv13_upsample conv14 conv15_upsample conv16 conv17"
).split()
_REFINEMENT = (
    "xconv1 xconv2_downsample xconv3 xconv4_downsample xconv5 xconv6 xconv7_atrous xconv8_atrous xconv9_atrous "
    "xconv10_atrous pmconv1 pmconv2_downsample pmconv3 pmconv4_downsample pmconv5 pmconv6 pmconv9 pmconv10 "
    "allconv11 allconv12 allconv13_upsample allconv14 allconv15_upsample allconv16 allconv17"
).split()


def _named(layers, parts=("kernel", "bias")) -> dict[str, str]:
    """The weights' names of layers: {theirs: ours}."""
    return {f"{theirs}/{part}": f"{ours}.{part}" for theirs, ours in layers.items() for part in parts}


def _deepfill_generator() -> dict[str, str]:
    """An `_upsample` layer has its convolution in a scope of its own, ours has not."""
    layers = {}
    for stage, names in (("coarse", _COARSE), ("refinement", _REFINEMENT)):
        for layer in names:
            inner = f"/{layer}_conv" if layer.endswith("_upsample") else ""
            layers[f"inpaint_net/{layer}{inner}"] = f"{stage}.{layer}"
    return _named(layers)


def _v1_critics() -> dict[str, str]:
    layers = {}
    for critic in ("global", "local"):
        for layer in ("conv1", "conv2", "conv3", "conv4"):
            layers[f"discriminator/discriminator_{critic}/{layer}"] = f"{critic}_critic.{layer}"
        layers[f"discriminator/dout_{critic}_fc"] = f"{critic}_critic.head"
    return _named(layers)


def _v2_critic() -> dict[str, str]:
    layers = {f"discriminator/sn_patch_gan/conv{index}": f"conv{index}" for index in range(1, 7)}
    return {**_named(layers), **{f"{theirs}/kernel_sn/u": f"{ours}.u" for theirs, ours in layers.items()}}


def _is_gated(shapes: Shapes) -> bool:
    """DeepFill v2 has v1's variable names, but half of a layer's filters are gates: the next layer sees the rest."""
    first, second = shapes.get("coarse.conv1.kernel"), shapes.get("coarse.conv2_downsample.kernel")
    return first is not None and second is not None and first[-1] == 2 * second[-2]


def _filters(shapes: Shapes, **kernels: str) -> dict:
    """Option -> number of filters of the kernel that tells it, where it is there."""
    return {option: shapes[kernel][-1] for option, kernel in kernels.items() if kernel in shapes}


def _v1_options(shapes: Shapes) -> dict:
    """Widths, and the side of the local patch from the inputs of the local discriminator's head.

    The discriminator halves its image four times, rounding up: 9 x 9 positions mean a patch of 129 to 144 pixels,
    called 144.
    """
    options = _filters(shapes, width="coarse.conv1.kernel", critic_width="local_critic.conv1.kernel")
    if {"local_critic.head.kernel", "local_critic.conv4.kernel"} <= set(shapes):
        positions = shapes["local_critic.head.kernel"][0] / shapes["local_critic.conv4.kernel"][-1]
        options["local_patch"] = (16 * round(positions**0.5),) * 2
    return options


def _v2_options(shapes: Shapes) -> dict:
    """Widths, and whether there are edges among the inputs of the first layer: image, edges, ones, mask."""
    options = _filters(shapes, width="coarse.conv1.kernel")
    if options:
        options["guided"] = shapes["coarse.conv1.kernel"][-2] == 6
    return {**options, **_filters(shapes, critic_width="conv1.kernel")}


_INPUTS = ("coarse.conv1", "refinement.xconv1", "refinement.pmconv1")
_OUTPUTS = ("coarse.conv17", "refinement.allconv17")
DEEPFILL_V1 = Release(
    recipe="deepfill_v1",
    title="DeepFill v1",
    networks={"generator": _deepfill_generator(), "discriminator": _v1_critics()},
    colours_in=frozenset(f"{layer}.kernel" for layer in (*_INPUTS, "global_critic.conv1", "local_critic.conv1")),
    colours_out=frozenset(f"{layer}.{part}" for layer in _OUTPUTS for part in ("kernel", "bias")),
    matches=lambda shapes: not _is_gated(shapes),
    options=_v1_options,
)
DEEPFILL_V2 = Release(
    recipe="deepfill_v2",
    title="DeepFill v2",
    networks={"generator": _deepfill_generator(), "discriminator": _v2_critic()},
    colours_in=frozenset(f"{layer}.kernel" for layer in (*_INPUTS, "conv1")),
    colours_out=DEEPFILL_V1.colours_out,
    matches=_is_gated,
    options=_v2_options,
)


def _pen_net_generator() -> dict[str, str]:
    """Each convolution is the first part of a block there, but those of the last block, which has two."""
    layers = (
        *(f"dw_conv0{level}" for level in range(1, 7)),
        *(f"at_conv0{level}.conv0{branch}" for level in range(1, 5) for branch in range(4)),
        *(f"up_conv0{level}" for level in range(1, 6)),
        *(f"torgb{level}" for level in range(1, 6)),
    )
    blocks = {**{f"{layer}.0": layer for layer in layers}, "decoder.0": "decoder0", "decoder.2": "decoder2"}
    parts = {"weight": "kernel", "bias": "bias"}
    return {f"{theirs}.{name}": f"{ours}.{part}" for theirs, ours in blocks.items() for name, part in parts.items()}


def _pen_net_critic() -> dict[str, str]:
    parts = {"orig": "kernel", "u": "u", "v": "v"}
    return {
        **{f"encoder.{i}.weight_{name}": f"encoder{i}.{part}" for i in (0, 2, 4, 6) for name, part in parts.items()},
        "classifier.weight": "classifier.kernel",
        "classifier.bias": "classifier.bias",
    }


PEN_NET = Release(
    recipe="pen_net",
    title="PEN-Net",
    networks={"generator": _pen_net_generator(), "discriminator": _pen_net_critic()},
    matches=lambda shapes: True,
    options=lambda shapes: _filters(shapes, width="dw_conv01.kernel", critic_width="encoder0.kernel"),
    pytorch=True,
)


class _LaMaRelease(Release):
    """LaMa's, whose names depend on the kind of blocks and on their number: a Lightning file, or a state dict."""

    def find(self, names):
        tables = {"generator": generator_names, "discriminator": discriminator_names}
        found = {}
        for network, table in tables.items():
            found[network] = {}
            for dictionary in _dictionaries(names).values():
                inner = {re.sub(f"^{network}\\.", "", key): name for key, name in dictionary.items()}
                ours = {our: inner[its] for its, our in table(inner).items()}
                found[network] = max(found[network], ours, key=len)
        return found

    def names(self, network, ours):
        table = self.networks[network] or generator_table(*_lama_blocks(ours))
        return {f"{network}.{theirs}": name for theirs, name in table.items() if name in ours}

    def notes(self, path, options):
        file = config_of_release(path)
        return compare_config(file, {"kind": "fourier", **options}) if file else []

    def owns(self, ours):
        kernel = ours.get("conv_in.conv.local_to_local.kernel") or ours.get("conv_in.conv.kernel")
        return "conv_out.kernel" in ours and kernel is not None and kernel[:2] == (7, 7)


def _lama_blocks(shapes: Shapes) -> tuple[str, int]:
    """The kind of a generator's blocks, and how many there are."""
    kind = "regular" if "conv_in.conv.kernel" in shapes else "fourier"
    kind = "dilated" if "block1.conv1_8.kernel" in shapes else kind
    return kind, len({name.partition(".")[0] for name in shapes if re.match(r"block\d+\.", name)})


def _lama_options(shapes: Shapes) -> dict:
    kernel = shapes.get("conv_in.conv.local_to_local.kernel") or shapes["conv_in.conv.kernel"]
    kind, blocks = _lama_blocks(shapes)
    options = {"width": kernel[-1], "blocks": blocks}
    if kind != "fourier":
        options["kind"] = kind
    elif "down3.conv.local_to_global.kernel" in shapes:
        options["global_ratio"] = shapes["down3.conv.local_to_global.kernel"][-1] / (8 * kernel[-1])
    if kernel[2] == 5:
        options["guided"] = True
    if "conv0.kernel" in shapes:
        options["critic_width"] = shapes["conv0.kernel"][-1]
    return options


LAMA = _LaMaRelease(
    recipe="lama",
    title="LaMa",
    networks={"generator": {}, "discriminator": DISCRIMINATOR},
    matches=lambda shapes: True,
    options=_lama_options,
    pytorch=True,
    closed=True,
)


def _pix2pix(scope, convolutions, normalised) -> dict[str, str]:
    """Of a network: {layer: its kind of convolution}, and which layers are normalised too."""
    names = _named({f"{scope}/{layer}/{kind}": layer for layer, kind in convolutions.items()})
    norms = {f"{scope}/{layer}/batch_normalization": f"{layer}.norm" for layer in normalised}
    return {**names, **_named(norms, ("gamma", "beta"))}


_CODERS = {"encoder": "conv2d", "decoder": "conv2d_transpose"}


def _pix2pix_options(shapes: Shapes) -> dict:
    levels = sum(re.fullmatch(r"encoder_\d+\.kernel", name) is not None for name in shapes)
    options = _filters(shapes, width="encoder_1.kernel", critic_width="layer_1.kernel")
    without = {} if f"encoder_{levels}.norm.gamma" in shapes else {"bottleneck_norm": False}
    return {"image_size": 2**levels, **options, **without}


PIX2PIX = Release(
    recipe="pix2pix",
    title="pix2pix",
    networks={
        "generator": _pix2pix(
            "generator",
            {f"{coder}_{level}": kind for coder, kind in _CODERS.items() for level in range(1, 9)},
            [f"{coder}_{level}" for coder in _CODERS for level in range(2, 9)],
        ),
        "discriminator": _pix2pix(
            "discriminator",
            {f"layer_{index}": "conv2d" for index in range(1, 6)},
            [f"layer_{index}" for index in range(2, 5)],
        ),
    },
    matches=lambda shapes: shapes.get("encoder_1.kernel", (4, 4, 3))[2] == 3,  # 1 where it paints grey images
    options=_pix2pix_options,
    unused=r".*/(moving_mean|moving_variance|ExponentialMovingAverage)",
    powers={network: f"{network}_train/beta2_power" for network in _NETWORKS},
)

RELEASES = (DEEPFILL_V1, DEEPFILL_V2, PEN_NET, LAMA, PIX2PIX)


def release_of(recipe: str) -> Release:
    """The release of a recipe; a ValueError if its authors released none."""
    for release in RELEASES:
        if release.recipe == recipe:
            return release
    raise ValueError(f"`recipe` must be one of {', '.join(r.recipe for r in RELEASES)}. Received: {recipe!r}")
