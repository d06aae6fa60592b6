"""Weights in files: finding, telling apart, reading."""

from tf_inpaint.checkpoints.checkpoint import Checkpoint, open_checkpoint
from tf_inpaint.checkpoints.shipped import (
    DEFAULT_WEIGHTS,
    SMALL_WEIGHTS,
    TERMS,
    WITH_ATTENTION,
    default_weights,
    list_weights,
)

__all__ = [
    "DEFAULT_WEIGHTS",
    "SMALL_WEIGHTS",
    "TERMS",
    "WITH_ATTENTION",
    "Checkpoint",
    "default_weights",
    "list_weights",
    "open_checkpoint",
]
