"""YAML to dataclasses: types, places, sentences, and the way back."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Literal, Optional, Tuple, Union

import pytest
import yaml

from tf_inpaint.config.annotations import to_plain
from tf_inpaint.config.yaml import Document, dump, parse, read
from tf_inpaint.errors import InputError


@dataclass(frozen=True)
class Engine:
    power: float = 1.5
    gears: int = 5
    fuel: Literal["petrol", "diesel"] = "petrol"


@dataclass(frozen=True)
class Car:
    name: str
    seats: Tuple[int, int] = (2, 3)
    owners: Union[str, Tuple[str, ...]] = ""
    price: Optional[float] = None
    sold: bool = False
    engine: Engine = field(default_factory=Engine)

    def __post_init__(self):
        if self.seats[0] > 2:
            raise ValueError(f"seats must have at most 2 in front, not {self.seats[0]}")


def build(text, *overrides):
    document = parse(text, "car.yml")
    for override in overrides:
        document.override(override)
    return document.build(Car)


def sentence(text, *overrides):
    with pytest.raises(InputError) as caught:
        build(text, *overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_type_is_read():
    car = build("""
name: Ente
seats: [1, 2]
owners: [Ann, Bob]
price: 1e3
sold: true
engine:
  power: 2
  fuel: diesel
""")
    assert car == Car("Ente", (1, 2), ("Ann", "Bob"), 1000.0, True, Engine(2.0, 5, "diesel"))
    assert type(car.engine.power) is float


def test_what_is_left_out_keeps_its_default():
    assert build("name: Ente") == Car("Ente")
    assert build("name: Ente\nengine:") == Car("Ente")  # a section with nothing below it


def test_one_value_stands_for_a_tuple_of_equal_ones():
    assert build("name: Ente\nseats: 2").seats == (2, 2)


@pytest.mark.parametrize(
    "written, read",
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("-2.5e+3", -2500.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("1_000", 1000),
        ("-3", -3),
        (".inf", float("inf")),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("010", "010"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("on", "on"),
        ("no", "no"),
        ("'1e-4'", "1e-4"),
        ("!!str 12", "12"),
        ("C:\\photos", "C:\\photos"),
    ],
)
def test_scalars_follow_yaml_1_2(written, read):
    value = parse(f"key: {written}", "x.yml").values["key"]
    assert value == read and type(value) is type(read)


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "name: a\nengin:\n  power: 1",
            "car.yml:2: unknown key engin, did you mean engine? allowed here: name, seats,",
        ),
        (
            "name: a\nengine:\n  pover: 1",
            "car.yml:3: unknown key engine.pover, did you mean engine.power? allowed here:",
        ),
        ("name: a\ngears: 3", "car.yml:2: unknown key gears, did you mean engine.gears? allowed here: name,"),
        ("name: a\nxyz: 3", "car.yml:2: unknown key xyz; allowed here: name, seats, owners, price, sold, engine"),
        ("name: a\n7: 3", "car.yml:2: unknown key 7; allowed here: "),
        ("name: a\n<<: {sold: true}", "car.yml:2: unknown key <<; allowed here: "),
        ("sold: true", "car.yml: name is missing: it must be text"),
        ("name: a\n\nengine:\n  gears: five", "car.yml:4: engine.gears must be a whole number, not 'five'"),
        (
            "name: a\nengine: {fuel: diesl}",
            "car.yml:2: engine.fuel must be one of petrol, diesel, not 'diesl', did you ",
        ),
        ("name: a\nengine: {fuel: DIESEL}", "did you mean diesel?"),
        ("name: a\nengine: V8", "car.yml:2: engine must be a section of `key: value` lines, not 'V8'"),
        ("name: a\nname: b", "car.yml:2: key name was set before, at car.yml:1"),
        ("name: a\nengine:\n  gears: 1\n  gears: 1", "car.yml:4: key engine.gears was set before, at car.yml:3"),
        ("name: a\nseats: [3, 3]", "car.yml:2: seats must have at most 2 in front, not 3"),
        ("name: [a", "car.yml:1: is not valid YAML: "),
        ("name: a\n  sold: true", "car.yml:2: is not valid YAML: "),
        ("name: a\n\tsold: true", "car.yml:2: is not valid YAML: "),
        ("name: a\nsold: &s true\nprice: *s", "car.yml:3: is not valid YAML: alias *s is not allowed"),
        ("name: !car a", "car.yml:1: is not valid YAML: "),
        ("name: a\nprice: !!int twelve", "car.yml:2: is not valid YAML: cannot read this as int"),
        ("name: a\nsold: true\x01", "car.yml:2: is not valid YAML: control character 0x1"),
        ("name: a\n---\nname: b", "car.yml:2: is not valid YAML: "),
        ("? [a, b]\n: 1", "car.yml:1: a key must be a single word, not a sequence"),
        ("", "car.yml: is empty"),
        ("# nothing\n", "car.yml: is empty"),
        ("- a", "car.yml:1: must be a section of `key: value` lines, not a sequence"),
        ("just text", "car.yml:1: must be a section of `key: value` lines, not a scalar"),
    ],
)
def test_mistakes_in_a_file(text, message):
    found = sentence(text)
    assert message in found, found
    assert found.startswith("car.yml:")


def test_overrides():
    car = build(
        "name: a\nengine:\n  gears: 3", "engine.gears=4", "engine.gears=6", "seats=[1, 1]", "owners=", "price=1e2"
    )
    assert car == Car("a", (1, 1), "", 100.0, False, Engine(gears=6))


def test_an_override_may_open_a_section():
    assert build("name: a", "engine.fuel=diesel").engine.fuel == "diesel"
    assert build("name: a\nengine:", "engine.fuel=diesel").engine.fuel == "diesel"


@pytest.mark.parametrize("text", ["*.png", "[a", "!x", "@home", "a#b", "x=y", "%d", "# a", "a b #1/c"])
def test_an_override_that_is_no_yaml_is_text(text):
    assert build("name: a", f"owners={text}").owners == text


@pytest.mark.parametrize(
    "override, message",
    [
        ("engine.gears", "--set engine.gears: must have the form section.key=value"),
        ("=3", "--set =3: must have the form section.key=value"),
        ("engine.=3", "--set engine.=3: must have the form section.key=value"),
        ("engine=3", "--set engine=3: sets a whole section"),
        ("engine={gears: 3}", "--set engine={gears: 3}: sets a whole section"),
        ("name.first=Ann", "--set name.first=Ann: name is a single value, without keys of its own"),
        ("engine.gear=3", "--set engine.gear=3: unknown key engine.gear, did you mean engine.gears?"),
        ("motor.gears=3", "--set motor.gears=3: unknown key motor; allowed here:"),
        ("engine.gears=many", "--set engine.gears=many: engine.gears must be a whole number, not 'many'"),
        ("sold=1", "--set sold=1: sold must be true or false, not 1"),
        ("seats=9", "--set seats=9: seats must have at most 2 in front, not 9"),
    ],
)
def test_mistakes_in_overrides(override, message):
    assert sentence("name: a\nengine:\n  gears: 3", override).startswith(message)


def test_place_is_that_of_the_first_key_that_was_written():
    document = parse("name: a\nengine:\n  gears: 3", "car.yml")
    assert document.place("seats", "engine.gears") == "car.yml:3"
    assert document.place("engine.power") == "car.yml:2"
    assert document.place("seats") == document.place() == "car.yml"
    assert str(document.error("the car is slow with engine.power 1 and engine.gears 3")).startswith("car.yml:3: ")


def test_annotations_may_wait_for_a_name():
    @dataclass
    class Garage:
        place: str
        first: Stored  # noqa: F821  given below

    document = Document("config", {"place": "here", "first": {"gears": 1}})
    assert document.build(Garage, {"Stored": Engine}) == Garage("here", Engine(gears=1))


def test_read(tmp_path):
    path = tmp_path / "car.yml"
    path.write_bytes("\ufeffname: Käfer\r\nsold: true\r\n".encode())
    assert read(path).build(Car) == Car("Käfer", sold=True)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "celeba.yml").write_bytes(b"name: \xff")
    with pytest.raises(InputError, match=r"celeba.yml: is not UTF-8 text \(byte 6\)"):
        read(tmp_path / "celeba.yml")
    with pytest.raises(InputError, match="celba.yml: no such file, did you mean .*celeba.yml?"):
        read(tmp_path / "celba.yml")
    with pytest.raises(InputError, match="no such file$"):
        read(tmp_path / "nowhere" / "x.yml")
    with pytest.raises(InputError, match="[Dd]irectory|denied"):
        read(tmp_path)


AWKWARD = [
    "1e-4",
    "on",
    "no",
    "010",
    "12:30",
    "null",
    "",
    "true",
    "3",
    "a: b",
    "*.png",
    "- x",
    "#1",
    "Käfer",
    "two\n\n\nlines",
]


@pytest.mark.parametrize("name", AWKWARD)
def test_what_is_dumped_reads_back(name):
    car = Car(name, (1, 1), tuple(AWKWARD), 1e-8, True, Engine(1e30, 1, "diesel"))
    text = dump(car)
    assert parse(text, "car.yml").build(Car) == car
    assert yaml.safe_load(text)["name"] == name  # for other readers too


def test_dump_is_complete_and_ordered():
    text = """
name: Ente
seats: [2, 3]
owners: ''
price: null
sold: false

engine:
  power: 1.5
  gears: 5
  fuel: petrol
"""
    assert dump(Car("Ente")) == text.lstrip()


def test_to_plain():
    assert to_plain(Car("a", owners=("b",))) == {
        "name": "a",
        "seats": [2, 3],
        "owners": ["b"],
        "price": None,
        "sold": False,
        "engine": {"power": 1.5, "gears": 5, "fuel": "petrol"},
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("price: !!timestamp soon", "car.yml:2: is not valid YAML: tag !!timestamp is not allowed"),
        ("price: !!python/name:os.system x", "car.yml:2: is not valid YAML: tag !!python/name:os.system is not"),
        ("sold: !!bool maybe", "car.yml:2: is not valid YAML: cannot read this as bool"),
        ('name2: "\\UFFFFFFFF"', "car.yml:2: is not valid YAML: no such character"),
        ('owners: "\\uD800"', "car.yml:2: is not valid YAML: a text has a character that no text can have"),
        ("owners: " + "[" * 500, "car.yml:2: is not valid YAML: lists and sections lie more than 16 deep"),
        ("seats: !!int 0x1" + "0" * 2000, "car.yml:2: is not valid YAML: cannot read this as int"),
    ],
)
def test_what_yaml_readers_stumble_over(line, expected):
    assert sentence(f"name: a\n{line}").startswith(expected)


def test_files_that_are_none(tmp_path):
    os.mkfifo(tmp_path / "pipe.yml")
    (tmp_path / "large.yml").write_bytes(b"#" * (2 << 20))
    for name, expected in (("pipe.yml", "is a pipe"), ("large.yml", "is larger than 1 MiB"), ("a\0b", "no such file")):
        with pytest.raises(InputError, match=expected):
            read(tmp_path / name)
