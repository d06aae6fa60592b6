"""TensorFlow Serving's messages on the wire, without its libraries.

A Predict call and a warm-up record are a handful of protocol-buffer fields around arrays, and the format is simple: a
number (field << 3 | kind), then a variable-length integer (kind 0) or a length and bytes (kind 2). Written by hand,
they need no package that is tied to one release of TensorFlow; tests hold them to the real ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

# DataType of TensorFlow's types.proto, for what passes between clients and exported models.
_UINT8, _STRING = 4, 7
AVAILABLE = 30  # ModelVersionStatus.State


def predict_request(model: str, signature: str, inputs: Mapping[str, np.ndarray], version: int | None = None) -> bytes:
    """A PredictRequest.

    Args:
        model: its name on the server.
        signature: "serving_default" or "encoded".
        inputs: name -> uint8 array, or array of bytes (dtype object).
        version: of the model; None is the newest.
    """
    chosen = b"" if version is None else _field(2, _field(1, version))
    spec = _field(1, model.encode()) + chosen + _field(3, signature.encode())
    return _field(1, spec) + b"".join(_entry(2, name, array) for name, array in inputs.items())


def read_predict_request(message: bytes) -> tuple[str, str, dict[str, np.ndarray]]:
    """(model, signature, inputs) of a PredictRequest; the signature is "" where none is named."""
    model, signature, inputs = "", "", {}
    for number, value in _fields(message):
        if number == 1:
            spec = dict(_fields(value))
            model, signature = spec.get(1, b"").decode(), spec.get(3, b"").decode()
        elif number == 2:
            name, array = _read_entry(value)
            inputs[name] = array
    return model, signature, inputs


def predict_response(outputs: Mapping[str, np.ndarray]) -> bytes:
    """A PredictResponse of arrays as `predict_request` takes them."""
    return b"".join(_entry(1, name, array) for name, array in outputs.items())


def read_predict_response(message: bytes) -> dict[str, np.ndarray]:
    """The outputs of a PredictResponse: uint8 arrays and arrays of bytes (dtype object)."""
    return dict(_read_entry(value) for number, value in _fields(message) if number == 1)


def status_request(model: str) -> bytes:
    """A GetModelStatusRequest."""
    return _field(1, _field(1, model.encode()))


def read_status_response(message: bytes) -> dict[int, int]:
    """Version -> state of a GetModelStatusResponse; `AVAILABLE` is the state of one that answers."""
    statuses = [dict(_fields(value)) for number, value in _fields(message) if number == 1]
    return {status.get(1, 0): status.get(2, 0) for status in statuses}


def warmup_record(request: bytes) -> bytes:
    """A PredictionLog of a PredictRequest: one record of a model's `tf_serving_warmup_requests`."""
    return _field(6, _field(1, request))


def _entry(number, name, array):
    return _field(number, _field(1, name.encode()) + _field(2, _tensor(np.asarray(array))))


def _read_entry(message):
    entry = dict(_fields(message))
    return entry[1].decode(), _read_tensor(entry[2])


def _tensor(array):
    """A TensorProto."""
    if array.dtype != np.uint8 and array.dtype != object:
        raise ValueError(f"`array` must be uint8 or of bytes. Received: {array.dtype}")
    shape = b"".join(_field(2, _field(1, side)) for side in array.shape)
    if array.dtype == np.uint8:
        kind, contents = _UINT8, _field(4, array.tobytes())
    else:
        kind, contents = _STRING, b"".join(_field(8, value) for value in array.reshape(-1))
    return _field(1, kind) + _field(2, shape) + contents


def _read_tensor(message):
    kind, sides, contents, strings, levels = None, [], None, [], b""
    for number, value in _fields(message):
        if number == 1:
            kind = value
        elif number == 2:
            sides = [dict(_fields(side)).get(1, 0) for place, side in _fields(value) if place == 2]
        elif number == 4:
            contents = value
        elif number == 7:  # levels one by one, as servers send them
            levels += value if isinstance(value, bytes) else _varint(value)
        elif number == 8:
            strings.append(value)
    if kind == _STRING:
        array = np.empty(len(strings), object)
        array[:] = strings
    elif kind == _UINT8:
        array = _levels(levels) if contents is None else np.frombuffer(contents, np.uint8)
    else:
        raise ValueError(f"`message` must hold a tensor of uint8 or strings. Received: type {kind}")
    missing = int(np.prod(sides)) - array.size  # the last value stands for all that follow
    return np.pad(array, (0, missing if array.size else 0), "edge").reshape(sides)


def _levels(varints):
    """uint8 [N] of numbers 0 .. 255 one after the other, each in a byte or, from 128, in two."""
    data = np.frombuffer(varints, np.uint8)
    goes_on = data > 0x7F
    begins = np.ones(data.shape, bool)
    begins[1:] = ~goes_on[:-1]
    return (data & 0x7F | np.where(goes_on, 0x80, 0).astype(np.uint8))[begins]


def _field(number, value):
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    return _varint(number << 3) + _varint(value)


def _varint(value):
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field, a whole number or bytes; others than these two kinds are passed over."""
    place = 0
    while place < len(message):
        tag, place = _read_varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, place = _read_varint(message, place)
            yield number, value
        elif kind == 2:
            length, place = _read_varint(message, place)
            if place + length > len(message):
                raise ValueError(
                    f"`message` must be whole. Received: {len(message)} bytes of at least {place + length}"
                )
            yield number, message[place : place + length]
            place += length
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise ValueError(f"`message` must be a protocol buffer. Received: a field of kind {kind}")


def _read_varint(message, place):
    value = shift = 0
    while True:
        if place >= len(message) or shift > 63:
            raise ValueError(f"`message` must be whole. Received: {len(message)} bytes that end within a number")
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
