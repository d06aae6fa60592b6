"""TensorFlow Serving's messages without its own package, which needs TensorFlow and is tied to one release of it.

A protocol buffer is read by the numbers of its fields. What passes between clients and exported models is declared here
with Serving's numbers; tests hold it to the real messages.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

# Name of a message -> its fields, in the words of .proto files. A map is a list of entries.
_DECLARED = {
    "Version": "int64 value = 1",
    "ModelSpec": "string name = 1; Version version = 2; string signature_name = 3",
    "Dim": "int64 size = 1",
    "Shape": "repeated Dim dim = 2",
    "Tensor": "int32 dtype = 1; Shape tensor_shape = 2; bytes tensor_content = 4; repeated int32 int_val = 7; "
    "repeated bytes string_val = 8",
    "Entry": "string key = 1; Tensor value = 2",
    "PredictRequest": "ModelSpec model_spec = 1; repeated Entry inputs = 2",
    "PredictResponse": "repeated Entry outputs = 1",
    "GetModelStatusRequest": "ModelSpec model_spec = 1",
    "ModelVersionStatus": "int64 version = 1; int32 state = 2",
    "GetModelStatusResponse": "repeated ModelVersionStatus model_version_status = 1",
    "PredictLog": "PredictRequest request = 1",
    "PredictionLog": "PredictLog predict_log = 6",
}
_PACKAGE = "tf_inpaint.serving"
# DataType of TensorFlow's types.proto, for what passes between clients and exported models.
_UINT8, _STRING = 4, 7
AVAILABLE = 30  # ModelVersionStatus.State


def _message_classes():
    file = descriptor_pb2.FileDescriptorProto(name="tf_inpaint/serving.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _DECLARED.items():
        message = file.message_type.add(name=name)
        for declared in fields.split("; "):
            *repeated, kind, field, _, number = declared.split()
            field = message.field.add(name=field, number=int(number))
            field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            if kind in _DECLARED:
                field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = field.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    found = {name: pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in _DECLARED}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}


_CLASSES = _message_classes()


def write(name: str, **fields) -> bytes:
    """A message of the name and fields given; messages within it are dicts."""
    return _CLASSES[name](**fields).SerializeToString()


def read(name: str, message: bytes):
    """A message of this name, with its fields as attributes; ValueError if it is damaged."""
    try:
        return _CLASSES[name].FromString(message)
    except DecodeError as error:
        raise ValueError(f"`message` must be a whole protocol buffer. Received: {len(message)} bytes") from error


def predict_request(model: str, signature: str, inputs: Mapping[str, np.ndarray], version: int | None = None) -> bytes:
    """A PredictRequest.

    Args:
        model: its name on the server.
        signature: "serving_default" or "encoded".
        inputs: as `entries` takes arrays.
        version: of the model; None is the newest.
    """
    spec = {"name": model, "signature_name": signature}
    if version is not None:
        spec["version"] = {"value": version}
    return write("PredictRequest", model_spec=spec, inputs=entries(inputs))


def entries(arrays: Mapping[str, np.ndarray]) -> list[dict]:
    """Inputs or outputs of a message: name -> uint8 array, or array of bytes (dtype object)."""
    return [{"key": name, "value": _tensor(np.asarray(array))} for name, array in arrays.items()]


def arrays(entries) -> dict[str, np.ndarray]:
    """What `entries` was given, of a message that was read."""
    return {entry.key: _array(entry.value) for entry in entries}


def _tensor(array):
    """The fields of a TensorProto."""
    if array.dtype == np.uint8:
        fields = {"dtype": _UINT8, "tensor_content": array.tobytes()}
    elif array.dtype == object:
        fields = {"dtype": _STRING, "string_val": list(array.flat)}
    else:
        raise ValueError(f"`array` must be uint8 or of bytes. Received: {array.dtype}")
    return {**fields, "tensor_shape": {"dim": [{"size": side} for side in array.shape]}}


def _array(tensor):
    if tensor.dtype == _STRING:
        array = np.array([*tensor.string_val, None], object)[:-1]  # of bytes alone NumPy makes another type
    elif tensor.dtype == _UINT8:  # levels one by one, as servers send them, or as they lie in memory
        array = np.array(tensor.int_val, np.uint8) if tensor.int_val else np.frombuffer(tensor.tensor_content, np.uint8)
    else:
        raise ValueError(f"`message` must hold a tensor of uint8 or strings. Received: type {tensor.dtype}")
    sides = [dim.size for dim in tensor.tensor_shape.dim]
    missing = int(np.prod(sides)) - array.size  # the last value stands for all that follow
    return np.pad(array, (0, missing if array.size else 0), "edge").reshape(sides)
