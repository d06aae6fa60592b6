"""A config, Keras' record of arguments or ours, makes the layer or network anew."""

import pytest

from tf_inpaint import layers, models
from tf_inpaint.layers.fourier_convolution import FourierResidualBlock, NormFourierConv2D

ARGUMENTS = {
    layers.AppearanceFlow: {"padding": "SAME"},
    layers.AttentionTransfer: {"ksize": 1, "fuse": False, "softmax_scale": 3.0, "max_memory": 1e9},
    layers.BatchNorm: {"momentum": 0.2, "epsilon": 1e-3, "gamma_initializer": "ones"},
    layers.ChannelwiseDense: {"use_bias": False},
    layers.ContextualAttention: {"ksize": 1, "rate": 4, "softmax_scale": 3.0, "propagation": False, "max_memory": 1e9},
    layers.FourierConv2D: {"filters": 8, "kernel_size": 5, "strides": 2, "ratio_in": 0.5, "border": 1},
    layers.FourierUnit: {"filters": 4},
    layers.GatedConv2D: {"filters": 6},
    layers.GatedUpsampleConv2D: {"filters": 6},
    layers.MirrorConv2D: {"filters": 4, "kernel_size": 5, "dilation": 2, "activation": "relu", "padding": "REFLECT"},
    layers.NormConv2D: {"filters": 6, "transposed": True, "norm": False, "activation": "tanh"},
    layers.PartialConv2D: {"filters": 4, "strides": 2, "multi_channel": True, "use_bias": False},
    layers.PartialUpsampleConv2D: {"filters": 4, "mask_channels": (2, 1), "window_factor": False},
    layers.PassNorm: {"epsilon": 1e-3},
    layers.SpatialTransformer: {"padding": "SAME"},
    layers.SpectralTransform: {"filters": 4, "strides": 2},
    FourierResidualBlock: {"filters": 8, "ratio": 0.5, "kernel_size": 5},
    NormFourierConv2D: {"filters": 8, "kernel_size": 3, "ratio_out": 1.0},
    models.ContextEncoderDiscriminator: {"patch_size": 16, "width": 4, "conditional": True},
    models.ContextEncoderGenerator: {"image_size": 32, "region": "whole", "bottleneck": 10, "hole_fill": (1, 2, 3)},
    models.DCGANDiscriminator: {"image_size": 32, "width": 4},
    models.DCGANGenerator: {"image_size": 32, "code_size": 8, "width": 4},
    models.DeepFillV1Discriminator: {"width": 4},
    models.DeepFillV1Generator: {"width": 4, "padding": "SAME", "attention": "none", "convolution": "partial"},
    models.DeepFillV2Discriminator: {"width": 4},
    models.DeepFillV2Generator: {"width": 4, "guided": True},
    models.FeatureDiscriminator: {"heads": 2, "width": 4},
    models.GlobalLocalDiscriminator: {"width": 4, "layers": (4, 5)},
    models.GlobalLocalGenerator: {"width": 4, "order": "conv_relu_bn", "mean": (0.1, 0.2, 0.3)},
    models.ImageTransformerGenerator: {"width": 8, "output": "mixture", "attention": "local_2d", "flange": (2, 6)},
    models.LaMaDiscriminator: {"width": 4},
    models.LaMaGenerator: {"width": 4, "blocks": 1, "kind": "dilated", "guided": True},
    models.PENNetDiscriminator: {"width": 4},
    models.PENNetGenerator: {"width": 4},
    models.Pix2PixDiscriminator: {"width": 4},
    models.Pix2PixGenerator: {"image_size": 32, "width": 4, "hole_fill": (1, 2, 3), "bottleneck_norm": False},
    models.PartialConvolutionGenerator: {"width": 4, "depth": 2, "window_factor": False},
}


@pytest.mark.parametrize("cls", ARGUMENTS)
def test_config_round_trip(cls):
    config = cls(**ARGUMENTS[cls], name="mine").get_config()
    assert config["name"] == "mine" and {name: config[name] for name in ARGUMENTS[cls]} == ARGUMENTS[cls]
    assert cls.from_config(config).get_config() == config
