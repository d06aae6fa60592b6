"""Keras layers shared by the models."""

from tf_inpaint.layers.contextual_attention import ContextualAttention
from tf_inpaint.layers.convolution import MirrorConv2D, UpsampleConv2D

__all__ = ["ContextualAttention", "MirrorConv2D", "UpsampleConv2D"]
