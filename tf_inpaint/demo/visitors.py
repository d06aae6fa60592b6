"""Who is on the page: sessions by token, and whose turn it is to be completed."""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import contextmanager

from tf_inpaint.errors import InputError

MOST_SESSIONS = 32
IDLE_SECONDS = 3600


class Visitors:
    """Sessions by token, made by a function: the idle ones end, and of too many the one that rested longest.

    Args:
        make: makes a session.
        most_bytes: that all sessions may hold together.
    """

    def __init__(self, make, most_bytes: float = float("inf")):
        self._make = make
        self._most_bytes = most_bytes
        self._visitors: dict[str, _Visitor] = {}
        self._lock = threading.Lock()

    def welcome(self) -> str:
        """A new session; returns its token."""
        visitor, token = _Visitor(self._make()), secrets.token_urlsafe(32)
        with self._lock:
            for other in sorted(self._visitors, key=lambda token: self._visitors[token].seen):
                idle = time.monotonic() - self._visitors[other].seen > IDLE_SECONDS
                if idle or len(self._visitors) >= MOST_SESSIONS:
                    del self._visitors[other]
            self._visitors[token] = visitor
        self.make_room(visitor)
        return token

    def make_room(self, visitor) -> None:
        """End those that rested longest while all hold too much, but not this one."""
        with self._lock:
            sizes = ((token, other.session.bytes) for token, other in self._visitors.items())
            held = {token: size for token, size in sizes if size}
            for token in sorted(held, key=lambda token: self._visitors[token].seen):
                if sum(held.values()) > self._most_bytes and self._visitors[token] is not visitor:
                    del self._visitors[token], held[token]

    def find(self, token: str | None):
        """The visitor of a token, with a `session` and its `lock`; or None."""
        with self._lock:
            visitor = self._visitors.get(token or "")
            if visitor is not None:
                visitor.seen = time.monotonic()
            return visitor


class _Visitor:
    def __init__(self, session):
        self.session = session
        self.lock = threading.Lock()
        self.seen = time.monotonic()


class Turns:
    """One at a time, and `most` that wait or are at it."""

    def __init__(self, most: int):
        self._places = threading.BoundedSemaphore(most)
        self._turn = threading.Lock()

    @contextmanager
    def take(self):
        """Context of one's turn; an InputError if too many are waiting already."""
        if not self._places.acquire(blocking=False):
            raise InputError("too many images are being completed just now: try again in a moment")
        try:
            with self._turn:
                yield
        finally:
            self._places.release()
