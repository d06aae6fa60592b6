"""Time spent in training, without what stands between."""

from __future__ import annotations

import time


class Stopwatch:
    """Counts steps and their seconds while it is running. It is made stopped."""

    def __init__(self):
        self._begin = None
        self._seconds = 0.0
        self._steps = 0

    @property
    def running(self):
        return self._begin is not None

    def start(self):
        self._begin = time.perf_counter()

    def count_step(self, count=1):
        """One more step is done, or several; they count only if their time does."""
        self._steps += count if self.running else 0

    def stop(self):
        if self.running:
            self._seconds += time.perf_counter() - self._begin
            self._begin = None

    def take_rate(self):
        """Steps per second since the last call, or None if none was counted; of a stopped watch."""
        rate = self._steps / self._seconds if self._steps else None
        self._seconds, self._steps = 0.0, 0
        return rate


def duration(seconds):
    """A time in its two largest units, such as "2 d 3 h", "1 min 5 s" or "0 s"."""
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    rest = int(round(seconds))
    for index, (unit, size) in enumerate(units):
        if rest >= size or unit == "s":
            smaller = f" {rest % size // units[index + 1][1]} {units[index + 1][0]}" if unit != "s" else ""
            return f"{rest // size} {unit}{smaller}"
    return "0 s"
