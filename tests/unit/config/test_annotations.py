"""Plain values to annotations, and what is said where they do not fit."""

import sys
from typing import Dict, List, Literal, Optional, Tuple, Union

import pytest

from tf_inpaint.config.annotations import convert, describe, flatten


@pytest.mark.parametrize(
    "value, kind, converted",
    [
        (3, float, 3.0),
        ("1e-4", float, 1e-4),  # how other YAML readers give 1e-4
        ("1_0", float, 10.0),
        ([1, 2.5], Tuple[float, float], (1.0, 2.5)),
        ((1, 2), List[int], [1, 2]),
        ([], Tuple[str, ...], ()),
        (None, Optional[int], None),
        ("x", Union[str, Tuple[str, ...]], "x"),
        (2, Literal[1, 2], 2),
    ],
)
def test_convert(value, kind, converted):
    result = convert(value, kind)
    assert result == converted and type(result) is type(converted)


@pytest.mark.parametrize(
    "value, kind, message",
    [
        (True, int, "must be a whole number, not true"),
        (True, float, "must be a number, not true"),
        (True, Literal[1, 2], "must be one of 1, 2, not true"),
        (1, bool, "must be true or false, not 1"),
        (1.0, int, "must be a whole number, not 1.0"),
        (10**400, float, "must be a number, not 10"),
        ("nan", float, "must be a number, not 'nan'"),
        ("1e", float, "must be a number, not '1e'"),
        (12, str, "must be text, not 12, put it in quotes"),
        (None, str, "must be text, not empty"),
        ({"a": 1}, int, "must be a whole number, not a section"),
        ([1, "b"], Tuple[int, int], r"must be a list of 2 whole numbers, not \[1, 'b'\]"),
        ([1, 2, 3], Tuple[int, int], "must be a list of 2 whole numbers"),
        (5, Tuple[int, str], "must be a list of 2 values, each a whole number / text, not 5"),
        ([True], Union[str, Tuple[str, ...]], r"must be text or a list of texts, not \[True\]"),
        ("x", Optional[float], "must be a number or null, not 'x'"),
    ],
)
def test_what_does_not_fit_is_said(value, kind, message):
    with pytest.raises(TypeError, match=f"^{message}"):
        convert(value, kind)


def test_an_unknown_annotation_is_a_programming_mistake():
    with pytest.raises(ValueError, match="`kind` must be an annotation"):
        convert({}, Dict[str, int])
    assert "Dict" in describe(Dict[str, int])


@pytest.mark.skipif(sys.version_info < (3, 10), reason="int | None is Python 3.10")
def test_new_style_unions():
    kind = eval("int | None")
    assert convert(None, kind) is None and describe(kind) == "a whole number or null"


def test_flatten():
    assert flatten({"name": "a", "engine": {"power": 1.5, "fuel": {}}}) == {"name": "a", "engine.power": 1.5}
