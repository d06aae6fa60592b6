"""LPIPS with its learnt weights: those of the package `lpips`, and torchvision's network that they were learnt for."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_inpaint.checkpoints.torch import TorchFile
from tf_inpaint.errors import InputError

PACKAGE = "lpips"
REMEDY = "pip install --no-deps lpips"
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of RGB in [-1, 1]
_EPSILON = 1e-10
# The five stages that are compared: convolutions by their index in torchvision's `features`, (stride, padding) of each.
_ALEXNET = ({0: (4, 2)}, {3: (1, 2)}, {6: (1, 1)}, {8: (1, 1)}, {10: (1, 1)})
_VGG16 = tuple(dict.fromkeys(stage, (1, 1)) for stage in ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)))
_NETWORKS = {  # by the shape of the first kernel
    (64, 3, 11, 11): ("alex", _ALEXNET, 3, (1, 2)),  # name, stages, pooling's window, before which stages
    (64, 3, 3, 3): ("vgg", _VGG16, 2, (1, 2, 3, 4)),
}


class Lpips(tf.Module):
    """Learned perceptual image patch similarity, version 0.1.

    Args:
        trunk: torchvision's file of AlexNet or VGG16 (`alexnet-*.pth`, `vgg16-*.pth`).
        linear: file of the learnt weights; by default that of the installed package `lpips`.
    Attributes:
        network: "alex" or "vgg".
    Call:
        image, other: float32 [B, H, W, 3] in [-1, 1], RGB; B may be 1 in one of them.
        returns: float32 [B], 0 for equals.
    Raises:
        InputError: if the package is not installed, or a file is none of these networks'.
    Reference: Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric".
    """

    def __init__(self, trunk, linear=None):
        super().__init__(name="lpips")
        file = TorchFile(trunk)
        shape = tuple(file.shapes.get("features.0.weight", ()))
        if shape not in _NETWORKS:
            raise InputError(f"{trunk} is neither torchvision's AlexNet nor its VGG16")
        self.network, self._stages, self._window, self._pooled = _NETWORKS[shape]
        convolutions = [f"features.{index}" for stage in self._stages for index in stage]
        arrays = _read(file, [f"{name}.{kind}" for name in convolutions for kind in ("weight", "bias")], trunk)
        self._convolutions = {
            name: (_fixed(arrays[f"{name}.weight"].transpose(2, 3, 1, 0)), _fixed(arrays[f"{name}.bias"]))
            for name in convolutions
        }
        linear = linear or packaged_file(self.network)
        names = [f"lin{stage}.model.1.weight" for stage in range(len(self._stages))]
        arrays = _read(TorchFile(linear), names, linear)
        self._linear = [_fixed(arrays[name].reshape(-1)) for name in names]  # [C] each

    def __call__(self, image, other):
        total = 0.0
        for ours, theirs, weights in zip(self.features(image), self.features(other), self._linear):
            difference = tf.math.squared_difference(_unit(ours), _unit(theirs))  # [B, h, w, C]
            total += tf.reduce_mean(tf.linalg.matvec(difference, weights), axis=[1, 2])
        return total

    def features(self, image):
        """List of float32 [B, h, w, C], one of each stage."""
        x, found = (image - _SHIFT) / _SCALE, []
        for number, stage in enumerate(self._stages):
            if number in self._pooled:
                x = tf.nn.max_pool2d(x, self._window, 2, "VALID")
            for index, (stride, padding) in stage.items():
                kernel, bias = self._convolutions[f"features.{index}"]
                x = tf.pad(x, [[0, 0], [padding] * 2, [padding] * 2, [0, 0]])
                x = tf.nn.relu(tf.nn.conv2d(x, kernel, stride, "VALID") + bias)
            found.append(x)
        return found


def packaged_file(network: str) -> str:
    """The file of the learnt weights of "alex" or "vgg" in the installed package.

    Raises:
        InputError: if it is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        raise InputError(f"the learnt weights of LPIPS come with a package: {REMEDY}")
    return str(Path(spec.origin).parent / "weights" / "v0.1" / f"{network}.pth")


def installed() -> bool:
    """Whether the package that carries the learnt weights is there."""
    return importlib.util.find_spec(PACKAGE) is not None


def _read(file, names, path):
    missing = [name for name in names if name not in file.shapes]
    if missing:
        raise InputError(f"{path} holds no weights of LPIPS' networks: {missing[0]} is missing")
    return dict(file.read(names))


def _fixed(array):
    return tf.Variable(np.ascontiguousarray(array), trainable=False, dtype=tf.float32)


def _unit(features):
    return features / (tf.norm(features, axis=-1, keepdims=True) + _EPSILON)
