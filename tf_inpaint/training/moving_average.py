"""A slow copy of the generator: the exponential moving average of its weights, often steadier than the last ones."""

from __future__ import annotations

import contextlib

import tensorflow as tf


class MovingAverage:
    """average <- d * average + (1 - d) * weight, for every weight, after every generator update.

    d is `decay`, or (1 + n) / (10 + n) after n updates where that is less, lest the weights that training began with
    stay in the average for thousands of steps. Running statistics are averaged too: those of the last weights do not
    fit the averaged ones. Whole numbers are copied. The averages are plain variables, placed as the weights are, so
    that they are saved and restored like them.

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

    def update(self, updates):
        """One step towards the weights; in cross-replica context, eager or in a graph.

        Args:
            updates: so far, as the weights' optimizer counts them, a whole number or scalar tensor.
        """
        updates = tf.cast(updates, tf.float32)
        pace = 1.0 - tf.minimum(self._decay, (1.0 + updates) / (10.0 + updates))

        def approach(average, weight):
            return average.assign_sub(tf.cast(pace, average.dtype) * (average - weight))

        def assign(average, weight):
            return average.assign(weight)

        for name, weight in self._weights.items():
            step = approach if weight.dtype.is_floating else assign
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
