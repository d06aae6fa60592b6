"""The one exception for mistakes a user can mend: bad files, bad configs, bad checkpoints; and words for others.

Commands print its message as a single sentence and exit with code 2; library callers catch it as a `ValueError`.
"""


class InputError(ValueError):
    """What was given cannot be used; the message is one sentence that says what and why."""


def reason(error: Exception) -> str:
    """What an exception says, in the operating system's words where they are its."""
    said = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
    return said[:1].lower() + said[1:] if said[1:2].islower() else said
