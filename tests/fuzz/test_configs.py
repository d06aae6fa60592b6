"""Any bytes as a config, and any text as an override: a config that can run, or one line of at most 300 characters."""

from pathlib import Path

from tf_inpaint.config import flat_config, load_config, to_yaml
from tf_inpaint.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "configs").glob("*.yml"))
WORDS = r"""
yes no on off ~ null true 1:2:3 0x1F 0o17 010 1_000 1e-4 1e999 -1e999 .inf -.inf .nan 2024-01-01 12:30:45 -0 +1 1. .5 ''
"" " ' [] {} [[]] [{}] {a:b} {a:\ b} !!timestamp !!timestamp\ x !!binary\ ? !!int\ 1:2:3 !!int\ x !!int\ '' !!bool\ x
!!float\ x !!float\ 1:x !!null\ x !!set\ {a} !!omap\ [a:\ 1] !!python/object/apply:os.system\ [true] !x !<tag:x> &a *a
<< "\UFFFFFFFF" "\uD800" "\x00" "\x1b[31m" "\q" ? : - --- ... # % @ ` | > |9 >- 1000000000 99999999999999999999 -1 0 2 3
0.5 deepfill_v1 deepfill_v2 pen_net lama dcgan context_encoder mix files [[box,1]] [[box,nan]] [1,2,3] [a,b]
mirrored partial_convolution global_local pix2pix image_transformer
%YAML\ 9.9 %TAG\ !\ x
"""
WORDS = [word.replace("\0", " ") for word in WORDS.replace("\\ ", "\0").split()]
LONG = ["a" * 5000, "é" * 3000, "[" * 2000, "{a: " * 2000, "- " * 2000, "? " * 500, "9" * 5000, "0." + "9" * 5000]
LONG += [
    "a: " * 900,
    "!!int 0x" + "f" * 5000,
    "!!int " + "1:" * 3000 + "1",
    "&a " * 300,
    "'" * 999,
    "\n" * 3000,
]
LONG += ["\t" * 99, "!!" + "x" * 2000]


def _line(error):
    text = str(error)
    assert text.isprintable(), text
    assert 0 < len(text) <= 300, (len(text), text)


def _mutated(random, text):
    lines = text.splitlines()
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(lines))
        kind = random.randrange(8)
        if kind < 3 and ":" in lines[place]:
            lines[place] = lines[place].partition(":")[0] + ": " + random.choice(WORDS + LONG[: random.choice((0, 99))])
        elif kind == 3:
            lines.insert(place, " " * random.choice((0, 2, 2, 4)) + f"{random.choice(WORDS)}: {random.choice(WORDS)}")
        elif kind == 4:
            lines[place] = random.choice(LONG)
        elif kind == 5:
            lines.insert(place, random.choice(lines))
        elif kind == 6:
            del lines[place]
            lines = lines or [""]
        else:
            letters = list(lines[place])
            letter = chr(random.choice((*range(1, 128), 0x85, 0x2028, 0xFFFE, 0x1F600)))
            letters.insert(random.randint(0, len(letters)), letter)
            lines[place] = "".join(letters)
    return "\n".join(lines)


def test_files(tmp_path, cases):
    texts, path = [file.read_text() for file in SHIPPED], tmp_path / "c.yml"
    accepted = 0
    for number, random in cases(400):
        contents = _mutated(random, random.choice(texts)).encode("utf-8", "surrogatepass")
        if random.random() < 0.1:
            contents = bytearray(contents)
            for _ in range(random.randint(1, 20)):
                contents[random.randrange(len(contents))] = random.randrange(256)
        path.write_bytes(contents)
        try:
            config = load_config(path, report=lambda note: None)
        except InputError as error:
            _line(error)
        except BaseException as error:
            raise AssertionError(f"case {number}") from error
        else:
            accepted += 1
            path.write_text(to_yaml(config), encoding="utf-8")
            again = flat_config(load_config(path))
            assert again == flat_config(config), f"case {number}"
    print(f"{accepted} accepted")


def test_overrides(cases):
    keys = list(flat_config(load_config(SHIPPED[0])))
    for number, random in cases(400):
        overrides = []
        for _ in range(random.randint(1, 3)):
            key = random.choice(keys) if random.random() < 0.9 else random.choice(WORDS + LONG)
            overrides.append(f"{key}{random.choice('=' * 20 + ':')}{random.choice(WORDS * 3 + LONG)}")
        try:
            load_config(random.choice(SHIPPED), overrides, report=lambda note: None)
        except InputError as error:
            _line(error)
        except BaseException as error:
            raise AssertionError(f"case {number}: {overrides}") from error
