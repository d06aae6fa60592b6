"""DCGAN: images drawn from a code. The historical baseline, which completes by searching the code.

"Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks", Radford et al., ICLR
2016 (arXiv 1511.06434), in the form that Amos' code for "Semantic Image Inpainting", Yeh and Chen et al., CVPR 2017
(arXiv 1607.07539), gives it.
"""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from tf_inpaint.layers.activations import leaky_relu
from tf_inpaint.layers.batch_norm import BatchNorm
from tf_inpaint.layers.norm_convolution import NormChain, NormConv2D
from tf_inpaint.models.generator import Generator
from tf_inpaint.models.network import Network

_CELLS = 4  # side of the maps next to the code


class DCGANGenerator(Generator):
    """Draws an image from a code; the recipe completes by searching the code.

    Args:
        image_size: height and width of the images, a power of 2 >= 16.
        code_size: numbers in a code.
        width: an eighth of the channels of the first maps.
    Call:
        inputs: float32 [B, code_size] in [-1, 1].
        returns: (float32 [B, S, S, 3] in [-1, 1], statistics): what `advance` wants, empty outside of training.
    Reference: Amos' code, as described: the second maps are as wide as the first (DCGAN's are half as wide).
    Deviations: none known; there are no reference numbers.
    """

    bytes_per_pixel = 4000

    def __init__(self, image_size=64, code_size=100, width=64, name="dcgan_generator", **kwargs):
        super().__init__(name=name, **kwargs)
        _check_size(image_size)
        self.fixed_size = self.size_multiple = self.minimum_size = self.hole_size = image_size
        self.width = width
        normal = tf.keras.initializers.RandomNormal(stddev=0.02)
        self.project = tf.keras.layers.Dense(_CELLS * _CELLS * 8 * width, kernel_initializer=normal, name="project")
        self.project_norm = BatchNorm(name="project_norm")
        doublings = _halvings(image_size)
        convolution = partial(partial, NormConv2D, kernel_size=5, transposed=True)
        layers = {f"up{i}": convolution(max(1, 16 * width >> i)) for i in range(1, doublings)}
        layers[f"up{doublings}"] = convolution(3, norm=False, activation="tanh")
        self._convolutions = NormChain(self, **layers)

    def call(self, inputs, training=False):
        x = tf.reshape(self.project(inputs), [-1, _CELLS, _CELLS, 8 * self.width])
        x, first = self.project_norm(x, training=training)
        image, statistics = self._convolutions(tf.nn.relu(x), training)
        return image, {**statistics, "project_norm": first} if training else {}


class DCGANDiscriminator(Network):
    """Tells drawn images from true ones.

    Args:
        image_size: height and width of the images, a power of 2 >= 16.
        width: channels of the first layer.
    Call:
        inputs: float32 [B, S, S, 3] in [-1, 1].
        returns: (scores, statistics): float32 [B, 1], logits; what `advance` wants, empty outside of training.
    Reference: Amos' code, as described.
    Deviations: none known; there are no reference numbers.
    """

    def __init__(self, image_size=64, width=64, name="dcgan_discriminator", **kwargs):
        super().__init__(name=name, **kwargs)
        _check_size(image_size)
        convolution = partial(partial, NormConv2D, kernel_size=5, activation=leaky_relu)
        layers = {f"down{i + 1}": convolution(width * min(8, 2**i), norm=i > 0) for i in range(_halvings(image_size))}
        self._convolutions = NormChain(self, **layers)
        self.score = tf.keras.layers.Dense(
            1, kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.02), name="score"
        )

    def call(self, inputs, training=False):
        x, statistics = self._convolutions(inputs, training)
        return self.score(tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]])), statistics


def _check_size(size):
    if size < 16 or size & (size - 1):
        raise ValueError(f"`image_size` must be a power of 2, at least 16. Received: {size}")


def _halvings(size):
    return (size // _CELLS).bit_length() - 1
