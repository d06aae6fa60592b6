"""Connections to the page: how many, how long a request may take to arrive, how much memory they may hold.

Where there are too many, or they hold too much, one is closed: of the address that has most, the one that has been
silent for longest. So whoever holds connections open shuts out nobody but themselves.
"""

from __future__ import annotations

import time
from collections import Counter

from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

MOST_CONNECTIONS = 96
MOST_HELD = 128 << 20  # bytes of requests that arrive or wait, and of answers that are not yet taken
REQUEST_SECONDS = 60  # for a request to arrive in
SILENT_SECONDS = 30


class Channel(HTTPChannel):
    """A connection within these limits."""

    begun = None  # when the request that is arriving began

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        while len(connections := _open(self._map)) > MOST_CONNECTIONS and _close_one(connections, lambda _: 1):
            pass

    def received(self, data):
        result = super().received(data)
        self.begun = None if self.request is None else self.begun or time.time()
        while sum(map(_held, connections := _open(self._map))) > MOST_HELD and _close_one(connections, _held):
            pass
        return result

    def readable(self):
        late = self.begun is not None and time.time() - self.begun > REQUEST_SECONDS
        self.will_close = self.will_close or late
        return super().readable()

    def drop(self):
        """Close it at the next turn of the loop, and let go of what it holds of a request."""
        self.will_close, self.request, self.begun = True, None, None


def limit(server_map) -> None:
    """Have all servers of a waitress map make connections within the limits."""
    for server in server_map.values():
        if isinstance(server, TcpWSGIServer):
            server.channel_class = Channel


def _open(server_map):
    return [channel for channel in server_map.values() if isinstance(channel, Channel) and not channel.will_close]


def _held(channel):
    requests = [request for request in (*channel.requests, channel.request) if request is not None]
    return channel.total_outbufs_len + sum(request.body_bytes_received for request in requests)


def _close_one(connections, weight):
    """Close what weighs most by address, the longest silent of it; False if all of them are being answered."""
    connections = [channel for channel in connections if not channel.requests and weight(channel)]
    if not connections:
        return False
    weights = Counter()
    for channel in connections:
        weights[channel.addr[0]] += weight(channel)
    heaviest, _ = weights.most_common(1)[0]
    min((channel for channel in connections if channel.addr[0] == heaviest), key=lambda it: it.last_activity).drop()
    return True
