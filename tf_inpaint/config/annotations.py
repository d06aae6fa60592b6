"""Plain values as annotations want them, and both in words: "must be a whole number, not 'eight'".

Annotations understood: str, int, float, bool, Optional, Union, Literal, Tuple and List. A whole number does for a
float, never true or false for a number; a single value stands for a tuple of equal ones, so that `image_size: 256` is
[256, 256].
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from typing import Literal, Mapping, Union

NUMBER = r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?)"
_NAMES = {  # of one, of several
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
    bool: ("true or false", "true or false values"),
    type(None): ("null", "nulls"),
}
_UNIONS = {Union, getattr(types, "UnionType", Union)}  # Union[int, str]; int | str from Python 3.10 on


class _DoesNotFit(Exception):
    """A value, or a part of one, is of another type."""


def convert(value, kind):
    """`value` as the annotation `kind` wants it.

    Args:
        value: a plain value, as YAML or JSON gives it.
        kind: an annotation, see above.
    Returns:
        converted: `value`, with whole numbers made floats and lists made tuples where `kind` says so.
    Raises:
        TypeError: "must be a whole number, not 'eight'".
    """
    try:
        return _fit(value, kind)
    except _DoesNotFit:
        raise TypeError(f"must be {describe(kind)}, not {show(value)}{_hint(value, kind)}") from None


def _fit(value, kind):
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    several = isinstance(value, (list, tuple))
    if kind is float:
        return _float(value)
    if kind in _NAMES:
        if type(value) is kind:  # isinstance would let true pass for 1
            return value
    elif origin is Literal:
        for allowed in arguments:
            if type(value) is type(allowed) and value == allowed:
                return allowed
    elif origin in _UNIONS:
        for member in arguments:
            try:
                return _fit(value, member)
            except _DoesNotFit:
                continue
    elif origin is tuple and arguments[-1] is not Ellipsis:
        if not several and len(set(arguments)) == 1:
            value = [value] * len(arguments)
        if isinstance(value, (list, tuple)) and len(value) == len(arguments):
            return tuple(_fit(element, member) for element, member in zip(value, arguments))
    elif origin in (tuple, list):
        if several:
            return origin(_fit(element, arguments[0]) for element in value)
    else:
        raise ValueError(f"`kind` must be an annotation listed in {__name__}. Received: {kind!r}")
    raise _DoesNotFit


def _float(value):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number or (isinstance(value, str) and re.fullmatch(NUMBER, value)):  # "1e-4" is text to other YAML readers
        try:
            return float(value.replace("_", "") if isinstance(value, str) else value)
        except OverflowError:  # a whole number of more than 308 digits
            pass
    raise _DoesNotFit


def describe(kind) -> str:
    """An annotation in words: "a list of 2 whole numbers", "one of crop, resize"."""
    if kind in _NAMES:
        return _NAMES[kind][0]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}" if len(arguments) > 1 else str(arguments[0])
    if origin in _UNIONS:
        return " or ".join(map(describe, arguments))
    if origin in (tuple, list):
        members = [member for member in arguments if member is not Ellipsis]
        count = f"{len(members)} " if origin is tuple and arguments[-1] is not Ellipsis else ""
        if len(set(members)) == 1 and members[0] in _NAMES:
            return f"a list of {count}{_NAMES[members[0]][1]}"
        return f"a list of {count}values, each {' / '.join(dict.fromkeys(map(describe, members)))}"
    return str(kind)


def show(value) -> str:
    """A value as messages quote it."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a section"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _hint(value, kind):
    arguments = typing.get_args(kind) or (kind,)
    if isinstance(value, str):
        words = [word for word in arguments if isinstance(word, str)]
        near = difflib.get_close_matches(value, words, 1) or [word for word in words if word.lower() == value.lower()]
        return f", did you mean {near[0]}?" if near else ""
    return ", put it in quotes" if str in arguments and isinstance(value, (bool, int, float)) else ""


def to_plain(value):
    """Dataclasses as dicts and tuples as lists, all the way down."""
    if dataclasses.is_dataclass(value):
        return {member.name: to_plain(getattr(value, member.name)) for member in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return value


def flatten(values: Mapping, section: str = "") -> dict:
    """{"section.key": value} of a dict with a dict for each section."""
    pairs = {}
    for key, item in values.items():
        pairs.update(flatten(item, f"{section}{key}.") if isinstance(item, Mapping) else {section + key: item})
    return pairs
