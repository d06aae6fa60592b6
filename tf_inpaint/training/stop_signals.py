"""SIGINT and SIGTERM as a wish to stop: the first lets the work end well, the second ends the program at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading


class StopSignals:
    """Context within which `received` becomes the name of the first SIGINT or SIGTERM ("" before).

    After the first one both signals have their plain effect again, so that a second one does not wait for anything.
    Outside the main thread, where Python handles no signals, it does nothing.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self):
        self.received = ""
        self._previous = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._handle) for number in self._SIGNALS}
        return self

    def __exit__(self, *exception):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number, frame):
        self.received = signal.Signals(number).name
        for name in self._SIGNALS:
            signal.signal(name, signal.SIG_DFL)
        # Not print: the signal may have come in the middle of one.
        with contextlib.suppress(OSError):  # a closed terminal
            os.write(2, f"{self.received}: finishing this step, then saving; once more to quit at once\n".encode())
