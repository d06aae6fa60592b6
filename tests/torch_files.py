"""PyTorch files without PyTorch: Python's pickle, storages, and modules of its names while a file is being written."""

import collections
import io
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest

_TYPES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
    "complex64": "ComplexFloatStorage",
    "complex128": "ComplexDoubleStorage",
    "bfloat16": "BFloat16Storage",
}


class _Modules:
    """`torch` and `torch._utils` with the globals that tensors are pickled by."""

    def __init__(self):
        self.torch, self.utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
        self.torch._utils = self.utils
        for name in _TYPES.values():
            setattr(self.torch, name, type(name, (), {"__module__": "torch"}))
        for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"):
            setattr(self.utils, name, self._function(name))

    @staticmethod
    def _function(name):
        def function():
            raise RuntimeError("this is only a name")

        function.__module__, function.__name__, function.__qualname__ = "torch._utils", name, name
        return function


_MODULES = _Modules()
_Storage = collections.namedtuple("_Storage", "type key count data")


class Rebuilt:
    """An array to be pickled through another function, or with another storage's name, than plain tensors."""

    def __init__(self, array, function="_rebuild_tensor_v2", storage=None):
        self.array, self.function, self.storage = array, function, storage


class _StorageReference:
    def __init__(self, storage):
        self.storage = storage


class _Pickler(pickle.Pickler):
    """Arrays as tensors: views of the flat array that NumPy calls their base, which may be shared."""

    def __init__(self, file, legacy, view):
        super().__init__(file, protocol=2)
        self.legacy, self.view = legacy, view
        self.storages = {}

    def persistent_id(self, thing):
        if not isinstance(thing, _StorageReference):
            return None
        storage = thing.storage
        described = ("storage", getattr(_MODULES.torch, storage.type), storage.key, "cpu", storage.count)
        return (*described, self.view) if self.legacy else described

    def reducer_override(self, thing):
        if isinstance(thing, np.ndarray):
            thing = Rebuilt(thing)
        if not isinstance(thing, Rebuilt):
            return NotImplemented
        function = getattr(_MODULES.utils, thing.function)
        if thing.function == "_rebuild_parameter":
            return function, (thing.array, True, collections.OrderedDict())
        array = thing.array
        base = array
        while base.base is not None:
            base = base.base
        kind = thing.storage or _TYPES[array.dtype.name]
        storage = self.storages.setdefault(id(base), _Storage(kind, str(len(self.storages)), base.size, base))
        offset = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
        strides = tuple(step // array.itemsize for step in array.strides)
        rest = (False, collections.OrderedDict()) if thing.function == "_rebuild_tensor_v2" else ()
        return function, (_StorageReference(storage), offset // array.itemsize, array.shape, strides, *rest)


def write(path, contents, legacy=False, big_endian=False, view=None, **members):
    """Writes what `torch.save(contents, path)` would for arrays in place of tensors.

    Args:
        legacy: the format before PyTorch 1.6.
        view: (key, offset, count) that very old files add to each storage.
        members: further files of the zip archive, or others in place of the usual ones.
    """
    description = io.BytesIO()
    pickler = _Pickler(description, legacy, view)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", _MODULES.torch)
        patch.setitem(sys.modules, "torch._utils", _MODULES.utils)
        pickler.dump(contents)
    storages = pickler.storages.values()
    if legacy:
        with open(path, "wb") as file:
            for thing in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}):
                pickle.dump(thing, file, protocol=2)
            file.write(description.getvalue())
            pickle.dump([storage.key for storage in storages], file, protocol=2)
            for storage in storages:
                file.write(storage.count.to_bytes(8, "little") + storage.data.tobytes())
        return path
    files = {"data.pkl": description.getvalue(), "byteorder": b"big" if big_endian else b"little", "version": b"3\n"}
    for storage in storages:
        data = storage.data.byteswap() if big_endian else storage.data
        files[f"data/{storage.key}"] = data.tobytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**files, **members}.items():
            if data is not None:
                archive.writestr(f"archive/{name}", data)
    return path


def nhwc(array):
    """Images or maps of PyTorch in TensorFlow's order of axes."""
    return np.asarray(array).transpose(0, 2, 3, 1)


def hwio(array):
    """A kernel of PyTorch in TensorFlow's order of axes; other arrays as they are."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
