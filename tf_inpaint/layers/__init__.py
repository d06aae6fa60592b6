"""Keras layers shared by the models."""

from tf_inpaint.layers.appearance_flow import AppearanceFlow
from tf_inpaint.layers.attention_transfer import AttentionTransfer
from tf_inpaint.layers.batch_norm import BatchNorm, PassNorm
from tf_inpaint.layers.channelwise_dense import ChannelwiseDense
from tf_inpaint.layers.contextual_attention import ContextualAttention
from tf_inpaint.layers.convolution import GatedConv2D, GatedUpsampleConv2D, MirrorConv2D, UpsampleConv2D
from tf_inpaint.layers.convolution_kinds import CONVOLUTION_KINDS, ConvolutionKind, PartialKind, convolution_kind
from tf_inpaint.layers.fourier_convolution import FourierConv2D, FourierUnit, SpectralTransform
from tf_inpaint.layers.norm_convolution import NormConv2D
from tf_inpaint.layers.partial_convolution import PartialConv2D, PartialUpsampleConv2D
from tf_inpaint.layers.spatial_transformer import SpatialTransformer
from tf_inpaint.layers.spectral_norm import SpectralConv2D, StoredSpectralConv2D

__all__ = [
    "CONVOLUTION_KINDS",
    "AppearanceFlow",
    "AttentionTransfer",
    "BatchNorm",
    "ChannelwiseDense",
    "ContextualAttention",
    "ConvolutionKind",
    "FourierConv2D",
    "FourierUnit",
    "GatedConv2D",
    "GatedUpsampleConv2D",
    "MirrorConv2D",
    "NormConv2D",
    "PartialConv2D",
    "PartialKind",
    "PartialUpsampleConv2D",
    "PassNorm",
    "SpatialTransformer",
    "SpectralConv2D",
    "SpectralTransform",
    "StoredSpectralConv2D",
    "UpsampleConv2D",
    "convolution_kind",
]
