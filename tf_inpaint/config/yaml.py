"""YAML files as frozen dataclasses: types come from the annotations, errors from the line that is wrong.

A `Document` is a file's values together with the place where each was written ("configs/celeba.yml:12", or
"--set data.batch_size=8"). `Document.build` fills a dataclass from it, and every mistake becomes an `InputError` of one
sentence that begins with that place. Nothing here knows a class of this project.

Annotations understood: str, int, float, bool, Optional, Union, Literal, Tuple, List, and dataclasses, each a section of
its own. A whole number does for a float, never true or false for a number; a single value stands for a tuple of equal
ones, so that `image_size: 256` is [256, 256].

Scalars are read by YAML 1.2's rules, where PyYAML follows 1.1: `1e-4` is a number; `010`, `12:30`, `2024-01-01`, `on`
and `no` are text.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Mapping, Union

import yaml

from tf_inpaint.errors import InputError

_NUMBER = r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?)"
_SCALARS = (  # in the order they are tried: tag, pattern, possible first characters
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*)", "-+0123456789"),
    ("float", rf"(?=.*[.eE]){_NUMBER}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.0123456789"),
)
_KEY_IN_A_SENTENCE = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+")
_NAMES = {  # of one, of several
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
    bool: ("true or false", "true or false values"),
    type(None): ("null", "nulls"),
}
_OVERRIDE = "--set "
_SECTION = "a section of `key: value` lines"
_UNIONS = {Union, getattr(types, "UnionType", Union)}  # Union[int, str]; int | str from Python 3.10 on


# Reading


class _Loader(yaml.SafeLoader):
    """YAML 1.2's plain scalars, and no aliases: every value stands where it is used."""

    yaml_implicit_resolvers: dict = {}

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            alias = self.peek_event()
            raise yaml.composer.ComposerError(None, None, f"alias *{alias.anchor} is not allowed", alias.start_mark)
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """Lists on one line, and quotes around any text that `_Loader` would take for something else."""

    def ignore_aliases(self, data):
        return True


for _tag, _pattern, _first in _SCALARS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}",
            re.compile(rf"(?:{_pattern})\Z"),
            [character.replace("\0", "") for character in _first],
        )
_Dumper.add_representer(
    list, lambda dumper, items: dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)
)


@dataclass
class Document:
    """Nested values, and where each was written.

    Attributes:
        source: what to blame when no line can be: the file's path.
        values: dict of plain values, with a dict for each section.
        places: dotted key -> "file:line", or the override that set it.
    """

    source: str
    values: dict
    places: dict = field(default_factory=dict)

    def override(self, text: str) -> None:
        """Set one value as the command line does.

        Args:
            text: "section.key=value", the value in YAML; what is no YAML, such as `*.png`, is taken as text.
        Raises:
            InputError: if `text` has no such form, or names a section.
        """
        place = _OVERRIDE + text
        key, equals, written = text.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts):
            raise InputError(f"{place}: must have the form section.key=value, such as data.batch_size=8")
        section = self.values
        for depth, part in enumerate(parts[:-1], 1):
            if section.get(part) is None:
                section[part] = {}
                self.places.setdefault(".".join(parts[:depth]), place)
            section = section[part]
            if not isinstance(section, dict):
                raise InputError(f"{place}: {'.'.join(parts[:depth])} is a single value, without keys of its own")
        value = _parse_value(written.strip())
        if isinstance(value, dict) or isinstance(section.get(parts[-1]), dict):
            raise InputError(f"{place}: sets a whole section; name one key, such as data.batch_size=8")
        section[parts[-1]] = value
        self.places[".".join(parts)] = place

    def rename(self, names: Mapping[str, str]) -> list[str]:
        """Put values under old names where their new ones belong.

        Args:
            names: old dotted key -> new dotted key, of the same section.
        Returns:
            notes: a line for each old name that was there.
        Raises:
            InputError: if a file gives both names.
        """
        notes = []
        for old, new in names.items():
            section, _, key = old.rpartition(".")
            values = self.values.get(section)
            if not isinstance(values, dict) or key not in values:
                continue
            place, new_key = self.place(old), new.rpartition(".")[2]
            if new_key in values and not place.startswith(_OVERRIDE):
                raise InputError(f"{place}: {old} is the old name of {new}, which is set at {self.place(new)}")
            self.values[section] = {**values, new_key: values[key]}
            del self.values[section][key]
            self.places[new] = place
            notes.append(f"{place}: {old} is now called {new}")
        return notes

    def build(self, cls: type, names: Mapping[str, Any] | None = None):
        """An instance of `cls` from all values.

        Args:
            cls: a dataclass. Its `__post_init__` may raise ValueError about its own values.
            names: what names in its annotations mean that its module does not define when it runs.
        Returns:
            instance: of `cls`; missing keys keep their defaults, missing sections are all defaults.
        Raises:
            InputError: on unknown or missing keys and on values of another type, with the place.
        """
        return self._section(cls, self.values, (), names or {}, _all_keys(cls, names or {}))

    def convert(self, key: str, value, kind):
        """`convert`, with an InputError that begins with the place of `key`."""
        try:
            return convert(value, kind)
        except TypeError as error:
            raise self.error(f"{key} {error}", key) from None

    def place(self, *keys: str) -> str:
        """Where the first of these dotted keys was written, or else a section of theirs, or else the source."""
        sections = [key.rpartition(".")[0] for key in keys]
        return next((self.places[key] for key in (*keys, *sections) if key in self.places), self.source)

    def error(self, message: str, *keys: str) -> InputError:
        """`message` with its place in front: that of `keys`, or of the keys it names.

        Of several named, one that was overridden is to blame before those of the file, and the first before the others.
        """
        if not keys:
            named = (message.partition(" ")[0], *_KEY_IN_A_SENTENCE.findall(message))
            keys = sorted(named, key=lambda key: not self.places.get(key, "").startswith(_OVERRIDE))
        return InputError(f"{self.place(*keys)}: {message}")

    def _section(self, cls, values, path, names, all_keys):
        section = ".".join(path)
        if values is None:  # `data:` with nothing below it
            values = {}
        if not isinstance(values, dict):
            raise self.error(f"{section} must be {_SECTION}, not {_show(values)}", section)
        hints = typing.get_type_hints(cls, localns=dict(names))
        fields = [each.name for each in dataclasses.fields(cls)]
        defaults = {each.name for each in dataclasses.fields(cls) if _has_default(each)}
        for key in values:
            if key not in fields:
                raise self._unknown(path, str(key), fields, all_keys)
        arguments = {}
        for name in fields:
            key, kind = ".".join((*path, name)), hints[name]
            if name not in values and name in defaults:
                continue
            if dataclasses.is_dataclass(kind):
                arguments[name] = self._section(kind, values.get(name), (*path, name), names, all_keys)
            elif name in values:
                arguments[name] = self.convert(key, values[name], kind)
            else:
                raise self.error(f"{key} is missing: it must be {describe(kind)}", section)
        try:
            return cls(**arguments)
        except ValueError as error:
            raise self.error(str(error)) from error

    def _unknown(self, path, key, allowed, all_keys):
        dotted = ".".join((*path, key))
        elsewhere = [each for each in all_keys if each.rpartition(".")[2] == key]
        near = [".".join((*path, each)) for each in difflib.get_close_matches(key, allowed, 1)]
        guess = (elsewhere or near or [""])[0]
        guess = f", did you mean {guess}?" if guess else ";"
        return self.error(f"unknown key {dotted}{guess} allowed here: {', '.join(allowed)}", dotted)


def read(path) -> Document:
    """The YAML file at `path`.

    Args:
        path: of a UTF-8 file whose root is a mapping.
    Returns:
        document: its values, each with its line.
    Raises:
        InputError: if there is no such file, or it is not YAML, repeats a key, or holds no mapping.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            raise InputError(f"{path}: {error.strerror}") from None
        near = difflib.get_close_matches(path.name, [each.name for each in path.parent.glob("*")], 1)
        guess = f", did you mean {path.with_name(near[0])}?" if near else ""
        raise InputError(f"{path}: no such file{guess}") from None
    return parse(text, str(path))


def parse(text: str, source: str) -> Document:
    """YAML text as a `Document`; `source` is the name it has in error messages."""
    document = Document(source, {})
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise InputError(f"{source}: is empty")
        if not isinstance(root, yaml.MappingNode):
            raise InputError(f"{source}:{root.start_mark.line + 1}: must be {_SECTION}, not a {root.id}")
        document.values = _mapping(loader, root, document, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ", ".join(each for each in (error.context, error.problem) if each)
        raise InputError(f"{source}:{mark.line + 1}: is not valid YAML: {problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(f"{source}:{line}: is not valid YAML: control character {error.character:#x}") from None
    return document


def _mapping(loader, node, document, path):
    """A mapping's plain values; the place of each key goes into `document.places`."""
    values = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise InputError(f"{document.source}:{line}: a key must be a single word, not a {key_node.id}")
        key = key_node.value
        dotted = ".".join((*path, key))
        if key in values:
            raise InputError(f"{document.source}:{line}: key {dotted} was set before, at {document.places[dotted]}")
        document.places[dotted] = f"{document.source}:{line}"
        if isinstance(value_node, yaml.MappingNode):
            values[key] = _mapping(loader, value_node, document, (*path, key))
        else:
            values[key] = _construct(loader, value_node)
    return values


def _construct(loader, node):
    try:
        return loader.construct_object(node, deep=True)
    except (ValueError, TypeError):  # `!!int twelve`, a list as a key
        raise yaml.constructor.ConstructorError(
            None, None, f"cannot read this as {node.tag.rpartition(':')[2]}", node.start_mark
        ) from None


def _parse_value(text):
    """An override's value: YAML where it is that, text otherwise; nothing is the empty text."""
    if not text:
        return ""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return text if node is None else _construct(loader, node)
    except yaml.YAMLError:
        return text


# Types


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
        raise TypeError(f"must be {_mismatch(value, kind)}") from None


class _DoesNotFit(Exception):
    """A value, or a part of one, is of another type."""


def _fit(value, kind):
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is float:
        return _float(value)
    if kind in _NAMES:
        if type(value) is kind:  # isinstance would let true pass for 1
            return value
    elif origin is Literal:
        for each in arguments:
            if type(value) is type(each) and value == each:
                return each
    elif origin in _UNIONS:
        for each in arguments:
            try:
                return _fit(value, each)
            except _DoesNotFit:
                continue
    elif origin is tuple and arguments[-1] is not Ellipsis:
        if not isinstance(value, (list, tuple)) and len(set(arguments)) == 1:
            value = [value] * len(arguments)
        if isinstance(value, (list, tuple)) and len(value) == len(arguments):
            return tuple(_fit(each, of) for each, of in zip(value, arguments))
    elif origin in (tuple, list):
        if isinstance(value, (list, tuple)):
            return origin(_fit(each, arguments[0]) for each in value)
    else:
        raise ValueError(f"`kind` must be an annotation listed in {__name__}. Received: {kind!r}")
    raise _DoesNotFit


def _float(value):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number or (isinstance(value, str) and re.fullmatch(_NUMBER, value)):  # "1e-4" is text to other YAML readers
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
        arguments, endless = [each for each in arguments if each is not Ellipsis], arguments[-1] is Ellipsis
        count = "" if endless or origin is list else f"{len(arguments)} "
        if len(set(arguments)) == 1 and arguments[0] in _NAMES:
            return f"a list of {count}{_NAMES[arguments[0]][1]}"
        return f"a list of {count}values, each {' / '.join(dict.fromkeys(map(describe, arguments)))}"
    return str(kind)


def _mismatch(value, kind):
    """ "a whole number, not 'eight'", with a hint where one is at hand."""
    arguments = typing.get_args(kind) or (kind,)
    hint = ""
    if isinstance(value, str):
        near = difflib.get_close_matches(value, [each for each in arguments if isinstance(each, str)], 1)
        near = near or [each for each in arguments if isinstance(each, str) and each.lower() == value.lower()]
        hint = f", did you mean {near[0]}?" if near else ""
    elif str in arguments and isinstance(value, (bool, int, float)):
        hint = ", put it in quotes"
    return f"{describe(kind)}, not {_show(value)}{hint}"


def _show(value):
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a section"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _has_default(each):
    return each.default is not dataclasses.MISSING or each.default_factory is not dataclasses.MISSING


def _all_keys(cls, names, path=()):
    """Every dotted key below a dataclass, sections left out."""
    hints = typing.get_type_hints(cls, localns=dict(names))
    keys = []
    for each in dataclasses.fields(cls):
        kind, inner = hints[each.name], (*path, each.name)
        keys += _all_keys(kind, names, inner) if dataclasses.is_dataclass(kind) else [".".join(inner)]
    return keys


# Writing


def to_plain(value):
    """Dataclasses as dicts and tuples as lists, all the way down."""
    if dataclasses.is_dataclass(value):
        return {each.name: to_plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(each) for each in value]
    return value


def dump(value) -> str:
    """YAML of a dataclass or dict: every key, in its order, lists on one line, sections set off by an empty line."""
    blocks, after_section = [], False
    for key, each in to_plain(value).items():
        section = isinstance(each, dict)
        if blocks and (section or after_section):
            blocks.append("\n")
        blocks.append(yaml.dump({key: each}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6))
        after_section = section
    return "".join(blocks)
