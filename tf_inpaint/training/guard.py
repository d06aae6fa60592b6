"""Watches the values of the loss terms: holds them on their device, and looks at them together."""

from __future__ import annotations

import collections
import math

import numpy as np


class Guard:
    """Collects the named values of updates, finds the first that is not a finite number, and averages the rest.

    Looking waits for the device, so that it is not done at every step; every value is looked at all the same.
    """

    def __init__(self):
        self._held = []
        self._sums = collections.Counter()
        self._counts = collections.Counter()

    def __len__(self):
        """How many updates wait to be looked at."""
        return sum(len(updates) * count for _, count, updates in self._held)

    def hold(self, step, updates, count=1):
        """Keep the values of `count` steps from `step`, counted from 1, on.

        Args:
            updates: for each update of a step a dict of tensors [count], or of scalars where that is 1.
        """
        self._held.append((step, count, updates))

    def look(self):
        """Examine everything held since the last look.

        Returns:
            None, or a clause that names the first value that is not finite and its step.
        """
        held, self._held = self._held, []
        for first, count, updates in held:
            values = [(name, np.reshape(value, [count])) for update in updates for name, value in update.items()]
            for index in range(count):
                for name, of_steps in values:
                    value = float(of_steps[index])
                    if not math.isfinite(value):
                        return f"`{name}` became {value} at step {first + index}"
                    self._sums[name] += value
                    self._counts[name] += 1
        return None

    def take_means(self):
        """Mean of each name's examined values since the last call, by name."""
        means = {name: self._sums[name] / count for name, count in self._counts.items()}
        self._sums.clear()
        self._counts.clear()
        return means
