"""The one exception for mistakes a user can mend: bad files, bad configs, bad checkpoints.

Commands print its message as a single sentence and exit with code 2; library callers catch it as a `ValueError`.
"""


class InputError(ValueError):
    """What was given cannot be used; the message is one sentence that says what and why."""
