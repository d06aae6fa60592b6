"""The one exception for mistakes a user can mend: bad files, configs, checkpoints; words for others, or silence.

Commands print its message as a single sentence and exit with code 2; library callers catch it as a `ValueError`.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager


class InputError(ValueError):
    """What was given cannot be used; the message is one sentence that says what and why."""


def one_line(message) -> str:
    """The text of a message or an error, with single spaces for its line ends."""
    return " ".join(str(message).split())


def shortened(sentence: str, longest: int = 300) -> str:
    """A sentence on one line that a screen can hold: of a longer one, the middle is left out.

    Its beginning says where and its end what to do; long names and lists stand between them.
    """
    line = one_line("".join(letter if letter.isprintable() or letter.isspace() else "?" for letter in sentence))
    if len(line) <= longest:
        return line
    tail = longest // 3
    return f"{line[: longest - tail - 5]} ... {line[-tail:]}"


def first_line(error: BaseException) -> str:
    """The first line of what an exception says, or else its type."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def reason(error: Exception) -> str:
    """What an exception says on one line, in the operating system's words where they are its."""
    said = getattr(error, "strerror", None) or one_line(error) or type(error).__name__
    return said[:1].lower() + said[1:] if said[1:2].islower() else said


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
