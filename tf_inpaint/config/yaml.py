"""YAML files as frozen dataclasses: types come from the annotations, errors from the line that is wrong.

A `Document` is a file's values together with the place where each was written ("configs/celeba.yml:12", or
"--set data.batch_size=8"). `Document.build` fills a dataclass from it, and every mistake becomes an `InputError` of one
sentence that begins with that place. Nothing here knows a class of this project. A dataclass in an annotation is a
section of its own; `annotations` has the other types.

Scalars are read by YAML 1.2's rules, where PyYAML follows 1.1: `1e-4` is a number; `010`, `12:30`, `2024-01-01`, `on`
and `no` are text.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import stat
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping

import yaml

from tf_inpaint.config.annotations import NUMBER, convert, describe, show, to_plain
from tf_inpaint.errors import InputError

_SCALARS = (  # in the order they are tried: tag, pattern, possible first characters
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*)", [*"-+0123456789"]),
    ("float", rf"(?=.*[.eE]){NUMBER}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", [*"-+.0123456789"]),
)
_KEY_IN_A_SENTENCE = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+")
_OVERRIDE = "--set "
_LARGEST = 1 << 20  # bytes of a file; the longest config that ships has 3,000
_DEEPEST = 16  # lists and sections within each other; configs have 3
_LONGEST_NUMBER = 4096  # bits: more than any float, and few enough to be printed
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")}
# What PyYAML raises, besides its own errors, on escapes beyond Unicode and on values that are not what their tag says.
_MISREAD = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
_SECTION = "a section of `key: value` lines"


class _Loader(yaml.SafeLoader):
    """YAML 1.2's plain scalars, and no aliases: every value stands where it is used."""

    yaml_implicit_resolvers: dict = {}
    _depth = 0

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise self._refused(f"alias *{event.anchor} is not allowed", event)
        if self._depth > _DEEPEST:
            raise self._refused(f"lists and sections lie more than {_DEEPEST} deep in each other", event)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node.tag not in _TAGS:
            raise self._refused(f"tag {node.tag.replace('tag:yaml.org,2002:', '!!')} is not allowed", event)
        if isinstance(node, yaml.ScalarNode) and re.search("[\0\ud800-\udfff]", node.value):
            raise self._refused("a text has a character that no text can have", event)
        return node

    @staticmethod
    def _refused(problem, event):
        return yaml.composer.ComposerError(None, None, problem, event.start_mark)


class _Dumper(yaml.SafeDumper):
    """Lists on one line, and quotes around any text that `_Loader` would take for something else."""

    def ignore_aliases(self, data):
        return True


for _tag, _pattern, _first in _SCALARS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)
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
        if re.search("[\0\ud800-\udfff]", text):
            raise InputError(f"{place}: is not UTF-8 text")
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
            raise self.error(f"{section} must be {_SECTION}, not {show(values)}", section)
        hints = typing.get_type_hints(cls, localns=dict(names))
        members = {member.name: member for member in dataclasses.fields(cls)}
        for key in values:
            if key not in members:
                raise self._unknown(path, str(key), list(members), all_keys)
        arguments = {}
        for name, member in members.items():
            if name not in values and _has_default(member):
                continue
            key, kind = ".".join((*path, name)), hints[name]
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
        elsewhere = [known for known in all_keys if known.rpartition(".")[2] == key]
        near = [".".join((*path, known)) for known in difflib.get_close_matches(key, allowed, 1)]
        guess = (elsewhere or near or [""])[0]
        guess = f", did you mean {guess}?" if guess else ";"
        return self.error(f"unknown key {dotted}{guess} allowed here: {', '.join(allowed)}", dotted)


def _has_default(member):
    return member.default is not dataclasses.MISSING or member.default_factory is not dataclasses.MISSING


def _all_keys(cls, names, path=()):
    """Every dotted key below a dataclass, sections left out."""
    keys = []
    for name, kind in typing.get_type_hints(cls, localns=dict(names)).items():
        inner = (*path, name)
        keys += _all_keys(kind, names, inner) if dataclasses.is_dataclass(kind) else [".".join(inner)]
    return keys


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
        text = _contents(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text (byte {error.start})") from None
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, [other.name for other in path.parent.glob("*")], 1)
        guess = f", did you mean {path.with_name(near[0])}?" if near else ""
        raise InputError(f"{path}: no such file{guess}") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    return parse(text, str(path))


def _contents(path):
    if "\0" in str(path):
        raise InputError(f"{path}: no such file")
    if stat.S_ISFIFO(os.stat(path).st_mode) and not str(path).startswith(("/dev/", "/proc/")):
        raise InputError(f"{path}: is a pipe, which may never be written to: give a file")
    with open(path, "rb") as file:
        contents = file.read(_LARGEST + 1)
    if len(contents) > _LARGEST:
        raise InputError(f"{path}: is larger than {_LARGEST >> 20} MiB, which no config is")
    return contents


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
        mark = error.problem_mark or error.context_mark or loader.get_mark()
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise InputError(f"{source}:{mark.line + 1}: is not valid YAML: {problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(f"{source}:{line}: is not valid YAML: control character {error.character:#x}") from None
    except InputError:
        raise
    except _MISREAD:
        raise InputError(f"{source}:{loader.line + 1}: is not valid YAML: no such character") from None
    return document


def _mapping(loader, node, document, path):
    """A mapping's plain values; the place of each key goes into `document.places`."""
    values = {}
    for key_node, value_node in node.value:
        place = f"{document.source}:{key_node.start_mark.line + 1}"
        if not isinstance(key_node, yaml.ScalarNode):
            raise InputError(f"{place}: a key must be a single word, not a {key_node.id}")
        key = key_node.value
        dotted = ".".join((*path, key))
        if key in values:
            raise InputError(f"{place}: key {dotted} was set before, at {document.places[dotted]}")
        document.places[dotted] = place
        if isinstance(value_node, yaml.MappingNode):
            values[key] = _mapping(loader, value_node, document, (*path, key))
        else:
            values[key] = _construct(loader, value_node)
    return values


def _construct(loader, node):
    try:
        value = loader.construct_object(node, deep=True)
        if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
            raise ValueError("too many digits")
        return value
    except _MISREAD:  # `!!int twelve`, a list as a key
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
        # Of a path such as "my photos #1" YAML would take the rest for a comment.
        cut = isinstance(node, yaml.ScalarNode) and node.style is None and node.end_mark.index < len(text.rstrip())
        return text if node is None or cut else _construct(loader, node)
    except (yaml.YAMLError, *_MISREAD):
        return text


def dump(value) -> str:
    """YAML of a dataclass or dict: every key, in its order, lists on one line, sections set off by an empty line."""
    blocks, after_section = [], False
    for key, item in to_plain(value).items():
        section = isinstance(item, dict)
        if blocks and (section or after_section):
            blocks.append("\n")
        blocks.append(yaml.dump({key: item}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6))
        after_section = section
    return "".join(blocks)
