"""Weights that are quickly created."""

import numpy as np

from tf_inpaint.layers.convolution import MirrorConv2D
from tf_inpaint.layers.layer import filled_later
from tf_inpaint.models.lama import LaMaGenerator
from tf_inpaint.models.weights import named_weights


def test_weights_that_are_filled_later_begin_as_0():
    with filled_later():
        layer = MirrorConv2D(4)
        layer.make(3)
    assert not layer.kernel.numpy().any()
    layer = MirrorConv2D(4)
    layer.make(3)
    assert layer.kernel.numpy().all() and layer.kernel.shape == (3, 3, 3, 4)


def test_names_tell_nothing_of_the_layers_around():
    """TensorFlow looks a kernel up for each new name."""
    generator = LaMaGenerator(width=8, blocks=1)
    generator.build(None)
    names = {weight.name.split(":")[0] for weight in named_weights(generator).values()}
    assert names == {"kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"}


def test_what_shapes_tell_is_what_a_call_needs():
    for kind, guided in (("fourier", True), ("regular", False), ("dilated", False)):
        generator = LaMaGenerator(width=8, blocks=1, kind=kind, guided=guided)
        generator.build(None)
        before = list(named_weights(generator))
        image, mask = np.zeros([1, 72, 72, 3], np.float32), np.ones([1, 72, 72, 1], np.float32)
        assert generator((image, mask))["predicted"].shape == (1, 72, 72, 3)
        assert list(named_weights(generator)) == before
