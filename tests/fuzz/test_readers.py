"""Damaged and odd images: a sentence or an image, soon; TensorFlow's reader and Python's see the same."""

import faulthandler
import io
import struct
import sys
import time
import zlib
from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_inpaint.errors import InputError
from tf_inpaint.io.holes import MASK_SOURCES, read_holes
from tf_inpaint.io.images import check_image, read_image, read_mask
from tf_inpaint.ops.decode import decode_image, decode_mask

SECONDS = 10  # for one case on a busy machine; a hang ends the run with its place
MODES = ("L", "LA", "RGB", "RGBA", "P", "1", "I;16")
PIXELS = 1 << 20  # of which no more are decoded


@pytest.fixture
def within_time():
    """Called for each case, ends what takes too long, threads of TensorFlow included."""

    def begin():
        faulthandler.dump_traceback_later(20 * SECONDS, exit=True, file=sys.__stderr__)
        return time.monotonic()

    yield begin
    faulthandler.cancel_dump_traceback_later()


def _picture(random):
    height, width = random.choice([(1, 1), (3, 5), (16, 16), (17, 40), (64, 48)])
    mode = random.choice(MODES)
    noise = np.random.default_rng(random.randrange(1 << 30))
    if random.random() < 0.5:
        levels = noise.integers(0, 256, (height, width, 4), np.uint8)
    else:  # flat, or a mask
        levels = np.zeros((height, width, 4), np.uint8) + np.uint8([random.choice([0, 255, 99]), 0, 200, 255])
        levels[height // 3 :, width // 2 :] = random.choice([0, 1, 128, 255])
    if mode == "I;16":
        return Image.fromarray(levels[..., 0].astype(np.uint16) * 257)
    return Image.fromarray(levels, "RGBA").convert(mode)


def _exif(random):
    order = random.choice([b"II", b"MM"])
    signs = "<" if order == b"II" else ">"
    entries = [(0x010F, 3, 1), (0x0112, random.choice([3, 3, 3, 4, 1]), random.randrange(0, 10)), (0x0128, 3, 2)]
    body = order + struct.pack(signs + "HIH", 42, 8, len(entries))
    for tag, kind, value in entries:
        body += struct.pack(signs + "HHI", tag, kind, 1) + struct.pack(signs + "HH", value, 0)
    return body + bytes(4)


def _jpeg(random):
    image, file = _picture(random), io.BytesIO()
    options = {"quality": random.choice([5, 75, 95]), "subsampling": random.choice([0, 1, 2])}
    image = image.convert("L" if image.mode in ("L", "1") else "RGB")
    image.save(file, "JPEG", progressive=random.random() < 0.3, **options)
    data = file.getvalue()
    segments = [(0xE1, b"Exif\0\0" + _exif(random))] if random.random() < 0.7 else []
    others = [(0xFE, b"a comment * Exif\0\0II*\0"), (0xE2, b"ICC_PROFILE\0\1\1" + bytes(200))]
    others += [(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), (0xE1, b"Exif\0\0" + _exif(random))]
    others += [(0xEE, b"Adobe\0d\0\0\0\0" + bytes([random.randrange(3)])), (0xED, bytes(66))]
    segments += random.sample(others, random.choice([0, 0, 1, 2]))
    random.shuffle(segments)
    written = b"".join(b"\xff" + bytes([kind]) + struct.pack(">H", len(body) + 2) + body for kind, body in segments)
    return data[:2] + written + data[2:] if random.random() < 0.5 else data[:20] + written + data[20:]


def _png(random):
    image, file, options = _picture(random), io.BytesIO(), {}
    if random.random() < 0.4 and image.mode in ("L", "P", "RGB", "I;16"):
        options["transparency"] = {"RGB": (99, 0, 200)}.get(image.mode, random.choice([0, 99, 255]))
    image.save(file, "PNG", **options)
    data = file.getvalue()
    chunks = [(b"eXIf", _exif(random))] * (random.random() < 0.4)
    chunks += [(b"gAMA", struct.pack(">I", 45455))] * (random.random() < 0.2)
    chunks += [(b"sBIT", bytes([8] * 3))] * (random.random() < 0.05)
    chunks += [(b"tEXt", b"Comment\0Exif\0\0MM\0*")] * (random.random() < 0.1)
    where = random.choice([33, len(data) - 12])
    return data[:where] + b"".join(_chunk(*chunk) for chunk in chunks) + data[where:]


def _chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _mutated(random, data):
    way = random.choice(["none", "none", "bytes", "bytes", "cut", "repeat", "chunks"])
    data = bytearray(data)
    if way == "bytes":
        for _ in range(random.choice([1, 1, 2, 8])):
            data[random.randrange(len(data))] = random.randrange(256)
    elif way == "cut":
        del data[random.randrange(len(data)) :]
    elif way == "repeat":
        first = random.randrange(len(data))
        data[first:first] = data[first : first + random.randrange(1, 64)]
    elif way == "chunks" and data[:4] == b"\x89PNG":  # values with their checksums, as no damaged disk makes them
        place = 8
        while place + 12 <= len(data):
            (length,) = struct.unpack_from(">I", data, place)
            if length and place + 12 + length <= len(data) and random.random() < 0.4:
                data[place + 8 + random.randrange(length)] = random.randrange(256)
                struct.pack_into(">I", data, place + 8 + length, zlib.crc32(data[place + 4 : place + 8 + length]))
            place += 12 + length
    return bytes(data)


def file_of(random):
    """(contents, whether they are sound)."""
    data = random.choice([_jpeg, _png])(random)
    mutated = _mutated(random, data)
    return mutated, mutated == data


def _either(read, *refusals):
    try:
        return np.asarray(read()), None
    except refusals as error:
        return None, error


def differences(data, sound):
    """What TensorFlow's reader and Python's make differently of a file that TensorFlow takes: sentences.

    What is guessed where a JPEG is damaged differs between versions of its library, and so does what is refused.
    """
    found, is_jpeg = [], data[:2] == b"\xff\xd8"
    for name, decode, read in (
        ("image", decode_image, lambda: read_image(data, PIXELS).rgb),
        ("mask", lambda contents: decode_mask(contents)[..., 0], lambda: read_mask(data, PIXELS)),
    ):
        ours, refused = _either(lambda decode=decode: decode(tf.constant(data)), tf.errors.InvalidArgumentError)
        theirs, why = _either(read, InputError)
        if ours is None:
            continue
        if theirs is None and not sound and is_jpeg:
            continue
        if theirs is None:
            found.append(f"{name}: refused by Python alone: {why}")
        elif ours.shape != theirs.shape:
            found.append(f"{name}: {ours.shape} by TensorFlow, {theirs.shape} by Python")
        elif sound or not is_jpeg:
            apart = np.abs(ours.astype(int) - theirs).max()
            if apart > 2 * is_jpeg:
                found.append(f"{name}: {apart} levels apart")
    return found


def test_the_two_readers_see_the_same(cases, within_time):
    found = []
    for number, random in cases(300):
        begun = within_time()
        found += [f"case {number}: {sentence}" for sentence in differences(*file_of(random))]
        assert time.monotonic() - begun < SECONDS, f"case {number}"
    assert not found, "\n".join(found)


def test_files_end_in_a_sentence_or_an_image(cases, within_time):
    for number, random in cases(300):
        begun, (data, _), source = within_time(), file_of(random), random.choice(MASK_SOURCES)
        for read in (check_image, read_image, partial(read_holes, mask_from=source)):
            try:
                read(data, pixel_limit=PIXELS)
            except InputError as error:
                assert "\n" not in str(error) and 10 < len(str(error)) < 300, f"case {number}: {error}"
        assert time.monotonic() - begun < SECONDS, f"case {number}"
