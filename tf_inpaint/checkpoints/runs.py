"""How tf.train.Checkpoint names what a run keeps: weights, moving averages, optimizers' slots, the step.

A key is the path of objects that leads to a variable; in the names of weights, dots and slashes are escaped.
"""

from __future__ import annotations

import re

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
STEP_KEY = f"step{_VALUE}"
_WEIGHT = re.compile(rf"(generator|discriminator|ema)/(.+){re.escape(_VALUE)}")
_SLOT = re.compile(rf"(?:(generator|discriminator)_)?optimizer/(.+){re.escape(_VALUE)}")


def weight_key(name: str) -> str:
    """The key of the generator's weight `name`."""
    return f"generator/{name.replace('.', '..')}{_VALUE}"


def parse_weight(key: str) -> tuple[str, str] | None:
    """("generator", "discriminator" or "ema", weight name) of a key; None of a key of anything else."""
    match = _WEIGHT.fullmatch(key)
    if match is None or "/." in match[2]:  # an optimizer's slot of that weight
        return None
    return match[1], _unescape(match[2])


def parse_slot(key: str) -> tuple[str | None, str] | None:
    """(network, variable name) of an optimizer's key, whose network is None where one drives both; else None."""
    match = _SLOT.fullmatch(key)
    return match and (match[1], _unescape(match[2]))


def without_suffix(key: str) -> str:
    """A key fit for a sentence."""
    return key.replace(_VALUE, "")


def _unescape(name: str) -> str:
    return re.sub(r"\.(\.|S)", lambda match: "." if match[1] == "." else "/", name)
