"""Tensors of PyTorch's files (`.pth`, `.pt`) without PyTorch: names and shapes first, values when asked for.

Such a file is a pickle that describes tensors as views (offset, shape, strides) of numbered storages, and the storages'
bytes: in a zip archive since PyTorch 1.6, one after the other behind the pickle before that. A pickle can run any
program, so the globals it may ask for are a closed list of harmless stand-ins; whatever else it names is refused.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import pickletools
import re
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tf_inpaint.errors import InputError

_ZIP_HEAD = b"PK\x03\x04"
_LEGACY_HEAD = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # opcode and bytes of 0x1950a86a20f9469cfc6c
_LEGACY_PROTOCOL = 1001
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)
_LONGEST_PICKLE = 1 << 23  # bytes; real ones have up to some 100,000
_EXPANSION = 8  # an archive's file, and all tensors together, may be so many times as large as the file on the disk
_WORK = 30  # times that, in all, may be passed over on the way to what is read
_ALWAYS = 1 << 20  # bytes that they may have whatever its size
_DEPTH = 16  # of dictionaries in dictionaries; real files have 2 to 4

_NUMBERS = "float64 float32 float16 int64 int32 int16 int8 uint8 bool complex64 complex128 uint64 uint32 uint16".split()
_DTYPES = {**{name: np.dtype(name) for name in _NUMBERS}, "bfloat16": np.dtype("uint16")}  # the upper half of a float32
_STORAGES = "Double Float Half Long Int Short Char Byte Bool ComplexFloat ComplexDouble".split()  # of the first eleven


def is_torch_file(path) -> bool:
    """Whether `path` is a file that begins as PyTorch's do; an ending says nothing."""
    try:
        with open(path, "rb") as file:
            head = file.read(32)
    except OSError:
        return False
    return head.startswith(_ZIP_HEAD) or _LEGACY_HEAD in head


class TorchFile:
    """A PyTorch file, of which only the pickle is read at first.

    Dictionaries in dictionaries become names with slashes, such as "netG/dw_conv01.0.weight" or
    "optimG/state/0/exp_avg"; what is no tensor is left out.

    Args:
        path: the file.
    Attributes:
        shapes: name -> shape of every tensor, in the file's order.
    Raises:
        InputError: if it is missing, damaged, no PyTorch file, or asks for anything but tensors.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        with _opened(self.path) as file:
            try:
                self._storages = _storages_of(file, self.path)
                self._tensors = dict(_flatten(self._storages.contents))
            except InputError:
                raise
            except Exception as error:  # bytes that are no description raise whatever they happen to mean
                raise InputError(f"{self.path} is truncated or damaged: its list of tensors cannot be read") from error
        self._length = os.path.getsize(self.path)
        self.shapes = {name: tensor.shape for name, tensor in self._tensors.items()}

    def read(self, names) -> Iterator[tuple[str, np.ndarray]]:
        """(name, array) of the named tensors, one after the other; bfloat16 comes as float32.

        Raises:
            InputError: if the bytes of one are damaged or missing.
        """
        with _opened(self.path) as file:
            read, left = self._storages.reader(file), _bound(self._length)
            for name in names:
                tensor = self._tensors[name]
                left -= math.prod(tensor.shape) * _DTYPES[tensor.dtype].itemsize
                if left < 0:
                    raise InputError(f"{self.path}: {name} is too large to be read: the file itself is far smaller")
                yield name, self._array(name, tensor, read)

    def _array(self, name, tensor, read):
        dtype = _DTYPES[tensor.dtype].newbyteorder(self._storages.byte_order)
        size = dtype.itemsize
        if len(tensor.shape) > 16:
            raise InputError(f"{self.path}: {name} has {len(tensor.shape)} dimensions, which no weight has")
        # Storages are shared: of each, only the stretch that this tensor looks at is read.
        stretch = 1 + sum((side - 1) * step for side, step in zip(tensor.shape, tensor.strides))
        if 0 in tensor.shape:
            stretch = 0
        begin, end = tensor.offset * size, (tensor.offset + stretch) * size
        data = read(tensor.storage.key, begin, end) if stretch else b""
        if len(data) != end - begin:
            raise InputError(f"{self.path} is truncated or damaged: the values of {name} are not all there")
        try:
            strides = [step * size for step in tensor.strides]
            view = np.lib.stride_tricks.as_strided(np.frombuffer(data, dtype), tensor.shape, strides)
            if tensor.dtype == "bfloat16":
                return (view.astype(np.uint32) << 16).view(np.float32)
            return view.astype(dtype.newbyteorder("="))
        except (ValueError, OverflowError, MemoryError) as error:  # few values repeated to a shape beyond all bounds
            raise InputError(f"{self.path}: {name} is too large to be read") from error


def _opened(path):
    try:
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from error


def _bound(length):
    """How many bytes a file of this length may unpack to."""
    return max(_EXPANSION * length, _ALWAYS)


class _Storage(NamedTuple):
    key: str
    dtype: str
    offset: int = 0  # in elements: old files know views of storages too


class _Tensor(NamedTuple):
    storage: _Storage
    dtype: str
    offset: int
    shape: tuple
    strides: tuple


# What a pickle may ask for. The callables have no attributes, so that a pickle cannot change them for the next one.


class _RebuildTensor:
    __slots__ = ()

    def __call__(self, storage, offset, shape, strides, requires_grad=False, hooks=None, dtype=None, metadata=None):
        tensor = _Tensor(storage, dtype or storage.dtype, storage.offset + offset, tuple(shape), tuple(strides))
        numbers = (tensor.offset, *tensor.shape, *tensor.strides)
        if len(tensor.shape) != len(tensor.strides) or any(type(number) is not int or number < 0 for number in numbers):
            raise ValueError("a tensor has an impossible shape")
        if tensor.dtype not in _DTYPES:
            raise ValueError("a tensor has an unknown type")
        return tensor


class _RebuildParameter:
    __slots__ = ()

    def __call__(self, tensor, *_):
        return tensor


class _Inert:
    """Stands for whatever a file says beside its tensors, such as its settings; takes anything and keeps nothing."""

    __slots__ = ()

    def __new__(cls, *_, **__):
        return object.__new__(cls)

    def __init__(self, *_, **__):
        pass

    def __setstate__(self, state):
        pass


class _Dictionary:
    __slots__ = ()

    def __call__(self, *_):
        return {}


_ASIDE = (  # what PyTorch Lightning and OmegaConf write beside weights
    *(f"__builtin__.{name}" for name in ("dict", "list", "int", "long")),
    "typing.Any",
    "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata",
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    "omegaconf.nodes.AnyNode",
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
)
_GLOBALS = {
    **dict.fromkeys(_ASIDE, _Inert),
    "collections.defaultdict": _Dictionary(),
    "collections.OrderedDict": OrderedDict,
    "torch.Size": tuple,
    "torch.storage.UntypedStorage": "uint8",
    **{f"torch.{storage}Storage": dtype for storage, dtype in zip(_STORAGES, _NUMBERS)},
    "torch.BFloat16Storage": "bfloat16",
    **{f"torch.{dtype}": dtype for dtype in _DTYPES},
    **{f"torch._utils._rebuild_tensor{version}": _RebuildTensor() for version in ("", "_v2", "_v3")},
    **{f"torch._utils._rebuild_parameter{form}": _RebuildParameter() for form in ("", "_with_state")},
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file, path):
        super().__init__(file, encoding="utf-8")
        self.path = path
        self.storages = {}

    def find_class(self, module, name):
        asked = f"{module}.{name}"
        if asked not in _GLOBALS:
            raise InputError(
                f"{self.path} asks for {_printable(asked)}, which tensors do not need and which is never run: "
                "give a file of state_dict()s alone"
            )
        return _GLOBALS[asked]

    def persistent_load(self, pid):
        what, dtype, key, _, _, *view = pid
        if what != "storage" or dtype not in _DTYPES:
            raise ValueError("a storage is described in an unknown way")
        storage = _Storage(str(key), dtype, view[0][1] if view and view[0] else 0)
        self.storages[storage.key] = storage
        return storage


def _unpickle(file, path):
    """(contents, {key: storage}) of the pickle that begins here; the file then stands behind it."""
    begin = file.tell()
    for opcode, argument, place in pickletools.genops(file):
        # Python makes room for as many memories as the highest number asks for; a true one counts them up.
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > place:
            raise ValueError("a memory beyond all others")
        if place - begin > _LONGEST_PICKLE:
            raise ValueError("a description beyond all bounds")
    end = file.tell()
    file.seek(begin)
    unpickler = _Unpickler(io.BytesIO(file.read(end - begin)), path)
    return unpickler.load(), unpickler.storages


def _storages_of(file, path):
    head = file.read(32)
    file.seek(0)
    if head.startswith(_ZIP_HEAD):
        return _ZipStorages(file, path)
    if _LEGACY_HEAD in head:
        return _LegacyStorages(file, path)
    if not head:
        raise InputError(f"{path} is an empty file")
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        raise InputError(f"{path} is text, not a PyTorch file: was a web page or a pointer saved in its place?")
    raise InputError(f"{path} is not a PyTorch file: it is neither a zip archive nor has it PyTorch's magic number")


class _ZipStorages:
    """PyTorch 1.6 and later: <root>/data.pkl, <root>/data/<key>, <root>/byteorder."""

    def __init__(self, file, path):
        self._path = path
        archive = self._archive(file)
        names = archive.namelist()
        roots = [name[: -len("data.pkl")] for name in names if re.fullmatch(r"([^/]+/)?data\.pkl", name)]
        if not roots:
            packed = next((name for name in names if name.endswith((".ckpt", ".pth", ".pt"))), None)
            if packed is not None:
                raise InputError(f"{path} is an archive with {_printable(packed)} in it: unpack it first")
            raise InputError(f"{path} is a zip archive, but not one of PyTorch's: it holds no data.pkl")
        self._root = roots[0]
        if any(name == f"{self._root}constants.pkl" or name.startswith(f"{self._root}code/") for name in names):
            raise InputError(f"{path} is a TorchScript archive, a program: give a file of its state_dict() instead")
        big = f"{self._root}byteorder" in names and self._member(archive, "byteorder") == b"big"
        self.byte_order = ">" if big else "<"
        self.contents, _ = _unpickle(io.BytesIO(self._member(archive, "data.pkl")), path)

    def reader(self, file):
        """read(key, begin, end): bytes [begin, end) of a storage, or fewer where it is shorter."""
        archive, left = self._archive(file), _WORK * _bound(os.fstat(file.fileno()).st_size)

        def read(key, begin, end):
            nonlocal left
            left -= end  # what lies before a stretch is passed over byte by byte
            if left < 0:
                raise InputError(f"{self._path} describes far more than it holds")
            return self._member(archive, f"data/{key}", begin, end)

        return read

    def _archive(self, file):
        try:
            return zipfile.ZipFile(file)
        except _ZIP_ERRORS as error:
            raise InputError(f"{self._path} is truncated or damaged: its list of contents cannot be read") from error

    def _member(self, archive, name, begin=0, end=None):
        """Bytes [begin, end) of a file of the archive; those of a whole one are checked against its sum."""
        try:
            info = archive.getinfo(self._root + name)
            most = _bound(os.fstat(archive.fp.fileno()).st_size)
            if info.file_size > (min(most, _LONGEST_PICKLE) if name == "data.pkl" else most):
                raise InputError(f"{self._path}: {_printable(name)} in it claims to be far larger than the file itself")
            with archive.open(info) as member:
                member.seek(begin)
                return member.read(None if end is None else end - begin)
        except InputError:
            raise
        except KeyError as error:
            raise InputError(f"{self._path} is truncated or damaged: {_printable(name)} is missing in it") from error
        except _ZIP_ERRORS as error:
            raise InputError(f"{self._path} is truncated or damaged: {_printable(name)} cannot be read") from error


class _LegacyStorages:
    """Before PyTorch 1.6: magic number, protocol, system, contents and keys as pickles; then a count and bytes each."""

    byte_order = "<"  # whatever machine wrote it

    def __init__(self, file, path):
        _unpickle(file, path)
        protocol, _ = _unpickle(file, path)
        if protocol != _LEGACY_PROTOCOL:
            raise InputError(f"{path} is of a version of PyTorch's format that is not known")
        _unpickle(file, path)  # about the machine that wrote it
        self.contents, storages = _unpickle(file, path)
        keys, _ = _unpickle(file, path)
        if not isinstance(keys, list) or not set(map(str, keys)) <= set(storages):
            raise ValueError("the list of storages names strangers")
        self._places = {}
        length = os.fstat(file.fileno()).st_size
        for key in map(str, keys):
            count = file.read(8)
            begin = file.tell()
            end = begin + int.from_bytes(count, "little", signed=True) * _DTYPES[storages[key].dtype].itemsize
            if len(count) < 8 or not begin <= end <= length:
                raise InputError(f"{path} is truncated or damaged: it ends before its values do")
            self._places[key] = begin, end
            file.seek(end)

    def reader(self, file):
        """As that of `_ZipStorages`."""

        def read(key, begin, end):
            start, stop = self._places.get(key, (0, 0))
            if start + end > stop:
                return b""
            file.seek(start + begin)
            return file.read(end - begin)

        return read


def _flatten(contents, path="", seen=None):
    """(name, tensor) of all tensors in dictionaries and lists, each of which is looked into once."""
    seen = set() if seen is None else seen
    if isinstance(contents, _Tensor):
        yield _printable(path) or "tensor", contents
    elif isinstance(contents, (dict, list)) and id(contents) not in seen and path.count("/") < _DEPTH:
        seen.add(id(contents))
        inner = dict.items(contents) if isinstance(contents, dict) else enumerate(contents)
        for key, value in inner:
            if isinstance(key, type):  # a callback's, whose tensors are scores
                continue
            yield from _flatten(value, f"{path}/{key}" if path else str(key), seen)


def _printable(name):
    """A name out of a file, fit for a sentence."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:200]
