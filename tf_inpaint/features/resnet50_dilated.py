"""The dilated ResNet50 of a network that segments scenes, through which LaMa's perceptual loss looks.

Its weights are the user's: the encoder of CSAIL's semantic segmentation, of ade20k-resnet50dilated-ppm_deepsup the file
`encoder_epoch_20.pth`.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.checkpoints.torch import TorchFile
from tf_inpaint.errors import InputError
from tf_inpaint.layers.batch_norm import batch_moments

_EPSILON = 1e-5
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Of each stage: the stride of its first block, the dilation of its first block and of its others, number of blocks.
_STAGES = ((1, 1, 1, 3), (2, 1, 1, 4), (1, 1, 2, 6), (1, 2, 4, 3))


class ResNet50Dilated(tf.Module):
    """Features of images in four stages, at 1/4, 1/8, 1/8 and 1/8 of their size.

    Args:
        path: the PyTorch file of the encoder's state dict.
        statistics: "batch" normalises by the statistics of the images given, over all replicas, as the released
            training did, whose loop put the network back into training; "stored" by those of the file.
    Call:
        image: float32 [B, H, W, 3] in [-1, 1], RGB.
        returns: list of float32 [B, h, w, C], C = 256, 512, 1024, 2048, after the last ReLU of each stage.
    Raises:
        InputError: if the file is none of this network.
    Reference: Suvorov et al. 2022, section 2.2; Zhou et al. 2018.
    """

    def __init__(self, path, statistics="batch"):
        super().__init__(name="resnet50_dilated")
        self._by_batch = statistics == "batch"
        file = TorchFile(path)
        try:
            arrays = dict(file.read(_names(file.shapes)))
            stem = [_layer(arrays, f"conv{index}", f"bn{index}") for index in (1, 2, 3)]
            self._stem = [(layer, 2 if index == 0 else 1) for index, layer in enumerate(stem)]
            self._stages = [
                [_block(arrays, f"layer{number}.{index}", index, *stage) for index in range(stage[-1])]
                for number, stage in enumerate(_STAGES, 1)
            ]
        except KeyError as error:
            raise InputError(f"{path} holds no weights of a dilated ResNet50: {error} is missing") from error

    def __call__(self, image):
        x = ((image + 1.0) * 0.5 - tf.constant(_MEAN)) / tf.constant(_DEVIATION)
        for layer, stride in self._stem:
            x = tf.nn.relu(self._convolve(x, layer, stride))
        x = tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 1], [1, 1], [0, 0]])  # [B, H / 4, W / 4, 128]
        features = []
        for blocks in self._stages:
            for block in blocks:
                x = self._through(x, **block)
            features.append(x)
        return features

    def _through(self, x, layers, stride, dilation, skip):
        first, middle, last = layers
        inner = tf.nn.relu(self._convolve(x, first))
        inner = tf.nn.relu(self._convolve(inner, middle, stride, dilation))
        inner = self._convolve(inner, last)
        return tf.nn.relu(inner + (x if skip is None else self._convolve(x, skip, stride)))

    def _convolve(self, x, layer, stride=1, dilation=1):
        """A convolution with zeros around, and batch normalisation."""
        kernel, gamma, beta, mean, variance = layer
        border = dilation * (kernel.shape[0] // 2)
        x = tf.pad(x, [[0, 0], [border, border], [border, border], [0, 0]])
        x = tf.nn.convolution(x, kernel, stride, "VALID", data_format="NHWC", dilations=dilation)
        if self._by_batch:
            mean, variance, _ = batch_moments(x)
        return (x - mean) * (gamma * tf.math.rsqrt(variance + _EPSILON)) + beta


def _names(shapes):
    return [name for name in shapes if not name.endswith("num_batches_tracked")]


def _layer(arrays, convolution, norm):
    """(kernel, gamma, beta, mean, variance), frozen."""
    ends = ("weight", "bias", "running_mean", "running_var")
    values = [arrays[f"{convolution}.weight"].transpose(2, 3, 1, 0), *(arrays[f"{norm}.{end}"] for end in ends)]
    return tuple(tf.Variable(value, trainable=False, dtype=tf.float32) for value in values)


def _block(arrays, prefix, index, stride, first_dilation, dilation, _):
    layers = [_layer(arrays, f"{prefix}.conv{number}", f"{prefix}.bn{number}") for number in (1, 2, 3)]
    first = index == 0
    return {
        "layers": layers,
        "stride": stride if first else 1,
        "dilation": first_dilation if first else dilation,
        "skip": _layer(arrays, f"{prefix}.downsample.0", f"{prefix}.downsample.1") if first else None,
    }
