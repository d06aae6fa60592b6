"""Activations that several papers share."""

from __future__ import annotations

import tensorflow as tf


def leaky_relu(x):
    """Leaky ReLU of slope 0.2."""
    return tf.nn.leaky_relu(x, 0.2)
