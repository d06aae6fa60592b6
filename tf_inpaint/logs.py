"""What libraries, and this one, tell of by Python's logging."""

from __future__ import annotations

import logging
from contextlib import contextmanager


@contextmanager
def without_warnings(name: str):
    """Context in which the logger of a name tells of errors alone."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
