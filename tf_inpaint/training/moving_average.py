"""A slow copy of the generator: the exponential moving average of its weights, often steadier than the last ones."""

from __future__ import annotations

import contextlib

import tensorflow as tf


class MovingAverage:
    """average <- decay * average + (1 - decay) * weight, for every weight, after every generator update.

    Weights that are not trained (such as counts and statistics) are copied. The averages are plain variables, placed as
    the weights are, so that they are saved and restored like them.

    Args:
        decay: in (0, 1), for example 0.999.
        weights: dict of tf.Variable by name.
        strategy: what made the weights.

    Attributes:
        variables: the averages, dict of tf.Variable by the same names.
    """

    def __init__(self, decay, weights, strategy):
        self._decay = decay
        self._weights = weights
        self._strategy = strategy
        with strategy.scope():
            self.variables = {
                name: tf.Variable(tf.convert_to_tensor(weight), trainable=False, name=f"average_{index}")
                for index, (name, weight) in enumerate(weights.items())
            }

    def reset(self):
        """Start again from the weights as they are."""
        _copy(self._weights, self.variables)

    def update(self):
        """One step towards the weights; in cross-replica context, eager or in a graph."""

        def approach(average, weight):
            return average.assign_sub((1.0 - self._decay) * (average - weight))

        def assign(average, weight):
            return average.assign(weight)

        for name, weight in self._weights.items():
            step = approach if weight.trainable else assign
            self._strategy.extended.update(self.variables[name], step, args=(weight,))

    @contextlib.contextmanager
    def in_place_of_weights(self):
        """Within this context the generator computes with the averages; afterwards it has its weights back."""
        weights = {name: weight.numpy() for name, weight in self._weights.items()}
        try:
            _copy(self.variables, self._weights)
            yield
        finally:
            _copy(weights, self._weights)


def _copy(source, target):
    for name, variable in target.items():
        variable.assign(source[name])
