"""What generators and discriminators have in common."""

from __future__ import annotations

import inspect

import tensorflow as tf


class Network(tf.keras.Model):
    """A model whose config is what it was constructed with: plain values. Keras records that for layers alone."""

    def __new__(cls, *args, **kwargs):
        network = super().__new__(cls, *args, **kwargs)
        bound = inspect.signature(cls.__init__).bind(network, *args, **kwargs)
        bound.apply_defaults()
        arguments = {name: value for name, value in bound.arguments.items() if name not in ("self", "name", "kwargs")}
        vars(network)["_arguments"] = arguments  # Keras tracks what is set as an attribute
        return network

    def get_config(self):
        return {**super().get_config(), "name": self.name, **self._arguments}
