"""Damaged weights of every kind: read as they are or refused in one line, never a number that is not finite."""

import io
import struct
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.checkpoints import open_checkpoint
from tf_inpaint.checkpoints.npz import About, write_weight_file
from tf_inpaint.errors import InputError

SHAPES = {"a.kernel": (3, 3, 4, 8), "a.bias": (8,), "b.kernel": (5, 5, 8, 2), "b.bias": (2,)}
KINDS = ("<f2", "<f4", "<f8", ">f4", "<i4", "|u1", "|O", "<c8", "<U3", "|V4", "<M8[s]", "|S2", "|b1", "f4,i4", "x")
CLAIMS = ((), (8,), (-8,), (1 << 40,), (1 << 62, 4), (0,), (8, 1 << 30), (1,) * 40, ("8",), (8.0,), (True,))


def _arrays(random):
    draw = np.random.default_rng(random.getrandbits(32))
    return {name: draw.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def _damage(random, data):
    """Bytes changed, cut, repeated or put in."""
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 8))):
        place, length = random.randrange(len(data)), random.choice((1, 2, 4, 8, 100))
        kind = random.randrange(6)
        if kind < 3:
            data[place] = random.choice((0, 255, 127, 128, random.randrange(256)))
        elif kind == 3:
            data[place : place + length] = random.choice((b"\xff", b"\0", b"\x7f")) * length
        elif kind == 4:
            data[place:place] = data[random.randrange(len(data)) :][:length]
        else:
            del data[place : place + random.choice((length, length, len(data)))]
            data = data or bytearray(b"\0")
    return bytes(data)


def _check(path, number):
    try:
        checkpoint = open_checkpoint(str(path))
        values = dict(checkpoint.read(checkpoint.shapes))
    except InputError as error:
        assert str(error).isprintable() and len(str(error)) < 700, str(error)
        return False
    except BaseException as error:
        raise AssertionError(f"case {number}") from error
    if checkpoint.kind == "npz":
        assert all(np.isfinite(value).all() for value in values.values()), f"case {number}"
    return True


def _hostile_npz(random, path):
    """An archive that is whole, and holds what it should not."""
    about = {"format": 2, **About("deepfill_v2", {}, 64, "")._asdict()}
    about[random.choice(list(about))] = random.choice((None, -1, 1e999, [], {}, "x", True, 1 << 70, [[[]]]))
    notes = str(about).replace("'", '"').replace("None", "null").replace("True", "true").replace("inf", "Infinity")
    notes = random.choice((notes, "[" * 100_000, "[]", "", "1", '{"format": "x"}', '{"format": 1}')).encode()
    if random.random() < 0.7:
        notes = b'{"format": 2, "recipe": "deepfill_v2", "options": {}, "trained_size": 64, "text": ""}'
    compression = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, value in {**_arrays(random), "about.json": np.frombuffer(notes, np.uint8)}.items():
            kind, shape = value.dtype.str, value.shape
            if random.random() < 0.3:
                kind, shape = random.choice((kind, *KINDS)), random.choice((shape, shape, *CLAIMS))
            if name != "about.json" and random.random() < 0.2:
                value = value * random.choice((np.nan, np.inf, 1e38, 1e-40)).__float__()
            head = repr({"descr": kind, "fortran_order": random.random() < 0.1, "shape": shape}).encode()
            head = random.choice((head, head, head, b"(" * 5000, b"{}", b"", b"__import__('os')")).ljust(117) + b"\n"
            magic = b"\x93NUMPY" + random.choice((b"\1\0",) * 9 + (b"\2\0", b"\3\0", b"\7\0"))
            data = magic + struct.pack("<H", len(head)) + head + value.astype(value.dtype).tobytes()
            if random.random() < 0.05:
                data += bytes(1 << 20)
            archive.writestr(random.choice((f"{name}.npy",) * 30 + (name, "../x.npy", "a.bias.npy")), data)


@pytest.mark.filterwarnings("ignore:Duplicate name", "ignore:overflow")
def test_npz(tmp_path, cases):
    path = tmp_path / "w.npz"
    for number, random in cases(300):
        if random.random() < 0.5:
            _hostile_npz(random, path)
        else:
            write_weight_file(str(path), _arrays(random), About("deepfill_v2", {}, 64, ""), random.random() < 0.5)
        if random.random() < 0.5:
            path.write_bytes(_damage(random, path.read_bytes()))
        _check(path, number)


def test_pytorch(tmp_path, cases, torch_save):
    path = tmp_path / "x.pth"
    for number, random in cases(300):
        torch_save(path, {"netG": _arrays(random)}, random.random() < 0.5)
        data = path.read_bytes()
        if data[:2] == b"PK" and random.random() < 0.5:  # whole archives of damaged members
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            name = random.choice([*members, *[name for name in members if name.endswith("data.pkl")] * 4])
            members[name] = random.choice((_damage(random, members[name]), members[name] + bytes(1 << 23)))
            with zipfile.ZipFile(path, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
                for name, member in members.items():
                    archive.writestr(name, member)
        else:
            path.write_bytes(_damage(random, data))
        _check(path, number)


def test_tensorflow(tmp_path, cases):
    """TensorFlow's own reader reads what has passed: an abort here ends the tests."""
    variables = {name: tf.Variable(tf.zeros(shape)) for name, shape in SHAPES.items()}
    prefix = tf.train.Checkpoint(step=tf.Variable(3), generator=variables).write(str(tmp_path / "snap"))
    files = {ending: tmp_path / f"snap{ending}" for ending in (".index", ".data-00000-of-00001")}
    whole = {ending: file.read_bytes() for ending, file in files.items()}
    for number, random in cases(300):
        for ending, file in files.items():
            file.write_bytes(whole[ending])
        ending = random.choice((".index", ".index", ".data-00000-of-00001"))
        files[ending].write_bytes(_damage(random, whole[ending]))
        _check(prefix, number)
