"""TensorFlow's .index file, checked before TensorFlow reads it: a damaged one may end the process without a word.

It is a sorted table: blocks of entries, each followed by its kind and checksum, and at the end a footer that says where
the table of blocks is. An entry describes a variable: type, shape, and the stretch of a data file that holds it.
"""

from __future__ import annotations

import math
import struct

from tf_inpaint.errors import InputError, first_line

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48  # bytes
_LARGEST = 1 << 36  # bytes of a variable
_PLAIN = 0  # kind of a block that is not compressed; TensorFlow writes no other into an index
_POLYNOMIAL = 0x82F63B78  # of CRC-32C, reflected


class _Damaged(Exception):
    pass


def check_index(prefix: str) -> None:
    """Raise InputError if the index of a checkpoint is damaged."""
    try:
        with open(f"{prefix}.index", "rb") as file:
            table = file.read()
        _check(table)
    except OSError as error:
        raise InputError(f"{prefix}.index cannot be read ({error.strerror or error})") from error
    except (_Damaged, IndexError, struct.error) as error:
        what = f": {error}" if isinstance(error, _Damaged) else ""
        raise InputError(
            f"{prefix}.index cannot be read as a TensorFlow checkpoint{what}; the file is damaged or incomplete"
        ) from error


def find_damage(prefix: str) -> str:
    """What is wrong with the files of a checkpoint, "" if every variable can be read and has its checksum."""
    import tensorflow as tf

    try:
        check_index(prefix)
        reader = tf.train.load_checkpoint(prefix)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (InputError, tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
        return first_line(error)
    return ""


def _check(table):
    if len(table) < _FOOTER or struct.unpack("<Q", table[-8:])[0] != _MAGIC:
        raise _Damaged("it does not end as a table does")
    footer = table[-_FOOTER:]
    _, place = _handle(footer, 0)
    blocks, _ = _handle(footer, place)
    for _, handle in _entries(_block(table, *blocks)):
        for name, value in _entries(_block(table, *_handle(handle, 0)[0])):
            if name:  # the entry without a name is the header
                _check_variable(name, value)


def _check_variable(name, value):
    from google.protobuf.message import DecodeError
    from tensorflow import dtypes
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto

    try:
        entry = BundleEntryProto.FromString(value)
        shown = name.decode()[:80]
        size = dtypes.as_dtype(entry.dtype).size  # of a number; text has no size of its own
    except (DecodeError, TypeError, ValueError, KeyError) as error:
        raise _Damaged("a variable is described in an unknown way") from error
    shape = [side.size for side in entry.shape.dim]
    if any(side < 0 for side in shape) or entry.offset < 0 or not 0 <= entry.size <= _LARGEST:
        raise _Damaged(f"variable {shown} has an impossible shape")
    if entry.slices:
        return
    if math.prod(shape) * max(size or 1, 1) > entry.size:
        raise _Damaged(f"variable {shown} has an impossible shape")


def _entries(block):
    """(key, value) of each entry; a key repeats the beginning of the one before."""
    restarts = struct.unpack("<I", block[-4:])[0]
    end, place, key = len(block) - 4 * (restarts + 1), 0, b""
    if end < 0:
        raise _Damaged("a block is cut")
    while place < end:
        shared, place = _number(block, place)
        rest, place = _number(block, place)
        length, place = _number(block, place)
        if shared > len(key) or place + rest + length > end:
            raise _Damaged("an entry is cut")
        key = key[:shared] + block[place : place + rest]
        yield key, block[place + rest : place + rest + length]
        place += rest + length


def _block(table, offset, size):
    if offset + size + 5 > len(table):
        raise _Damaged("a block lies outside of it")
    contents, kind = table[offset : offset + size], table[offset + size]
    (stored,) = struct.unpack("<I", table[offset + size + 1 : offset + size + 5])
    rotated = (stored - 0xA282EAD8) & 0xFFFFFFFF
    if _crc32c(table[offset : offset + size + 1]) != (rotated >> 17 | rotated << 15) & 0xFFFFFFFF:
        raise _Damaged("a checksum is wrong")
    if kind != _PLAIN:
        raise _Damaged("a block is compressed")
    return contents


def _handle(data, place):
    """((offset, size) of a block, place behind it)."""
    offset, place = _number(data, place)
    size, place = _number(data, place)
    return (offset, size), place


def _number(data, place):
    """A whole number of 7 bits a byte, the lowest first."""
    number = shift = 0
    while True:
        byte = data[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place
        if shift > 63:
            raise _Damaged("a number is too long")


def _table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _table()


def _crc32c(data):
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder = _TABLE[(remainder ^ byte) & 255] ^ remainder >> 8
    return remainder ^ 0xFFFFFFFF
