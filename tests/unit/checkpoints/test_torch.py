"""PyTorch files: every view and type of both formats comes as it was; nothing in them runs; damage is a sentence."""

import collections
import os
import pickle
import zipfile

import numpy as np
import pytest

from tf_inpaint.checkpoints.torch import TorchFile, is_torch_file
from tf_inpaint.errors import InputError

RNG = np.random.default_rng(0)
FORMATS = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
TYPES = "float64 float32 float16 int64 int32 int16 int8 uint8 bool complex64 complex128".split()


def _read(path):
    file = TorchFile(path)
    arrays = dict(file.read(file.shapes))
    assert {name: array.shape for name, array in arrays.items()} == file.shapes
    return arrays


def _assert_equal(arrays, expected):
    assert list(arrays) == list(expected)
    for name, array in expected.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape), name
        np.testing.assert_array_equal(arrays[name], array, name)


def _refusal(path):
    with pytest.raises(InputError) as refused:
        _read(path)
    sentence = str(refused.value)
    assert str(path) in sentence and "\n" not in sentence
    return sentence.replace(str(path), "F")


@FORMATS
def test_dictionaries_in_dictionaries_become_names(tmp_path, torch_save, legacy):
    kernel, bias, moment = RNG.random((4, 3, 2, 2)), RNG.random(4), RNG.random(4)
    network = collections.OrderedDict([("conv.0.weight", kernel), ("conv.0.bias", bias)])
    network._metadata = collections.OrderedDict([("", {"version": 1})])  # as PyTorch's state_dict has
    contents = {
        "netG": network,
        "iteration": 300,
        "betas": (0.5, 0.999),
        "optimG": {"state": {0: {"exp_avg": moment, "step": 7}}, "param_groups": [{"lr": 1e-4, "params": [0, 1]}]},
        "again": network,
        "list": [bias[1:]],
    }
    contents["itself"] = contents
    _assert_equal(
        _read(torch_save(tmp_path / "x.pth", contents, legacy)),
        {
            "netG/conv.0.weight": kernel,
            "netG/conv.0.bias": bias,
            "optimG/state/0/exp_avg": moment,
            "list/0": bias[1:],
        },
    )
    _assert_equal(_read(torch_save(tmp_path / "y.pth", network, legacy)), dict(network))
    _assert_equal(_read(torch_save(tmp_path / "z.pth", bias, legacy)), {"tensor": bias})
    assert _read(torch_save(tmp_path / "n.pth", {"iteration": 3}, legacy)) == {}


@FORMATS
def test_every_type(tmp_path, torch_save, legacy):
    arrays = {name: np.arange(-3, 9).reshape(3, 4).astype(name) for name in TYPES}
    _assert_equal(_read(torch_save(tmp_path / "x.pth", arrays, legacy)), arrays)


@FORMATS
def test_bfloat16_comes_as_float32(tmp_path, torch_save, rebuilt, legacy):
    values = np.array([[1.0, -2.5], [3.140625, 1e30]], np.float32)
    halves = (values.view(np.uint32) >> 16).astype(np.uint16)
    expected = (halves.astype(np.uint32) << 16).view(np.float32)
    assert expected[0, 1] == -2.5
    contents = {"x": rebuilt(halves, storage="BFloat16Storage"), "y": rebuilt(halves.T, storage="BFloat16Storage")}
    _assert_equal(_read(torch_save(tmp_path / "x.pth", contents, legacy)), {"x": expected, "y": expected.T})


@FORMATS
def test_views_offsets_and_shared_storages(tmp_path, torch_save, legacy):
    flat, grid = np.arange(40, dtype=np.float32), RNG.random((6, 8)).astype(np.float32)
    arrays = {
        "head": flat[:10],
        "middle": flat[5:15],
        "folded": flat[10:30].reshape(4, 5),
        "transposed": grid.T,
        "row": grid[2],
        "column": grid[:, 3],
        "part": grid[1:5:2, 2:7:3],
        "whole": grid,
        "repeated": np.broadcast_to(flat[7:8], (3, 4)),
        "one": flat[9:10].reshape(()),
        "none": flat[3:3].reshape(0, 4),
    }
    path = torch_save(tmp_path / "x.pth", arrays, legacy)
    _assert_equal(_read(path), arrays)
    assert [name for name, _ in TorchFile(path).read(["row", "head"])] == ["row", "head"]
    assert path.stat().st_size < 4000  # two storages, not eleven


@FORMATS
def test_parameters_and_tensors_of_the_first_releases(tmp_path, torch_save, rebuilt, legacy):
    array = RNG.random((2, 3))
    contents = {"parameter": rebuilt(array, "_rebuild_parameter"), "old": rebuilt(array.T, "_rebuild_tensor")}
    _assert_equal(_read(torch_save(tmp_path / "x.pth", contents, legacy)), {"parameter": array, "old": array.T})


def test_old_files_know_views_of_storages(tmp_path, torch_save):
    array = np.arange(10.0)
    path = torch_save(tmp_path / "x.pth", {"x": array[1:4]}, legacy=True, view=("view", 2, 8))
    _assert_equal(_read(path), {"x": array[3:6]})


def test_big_endian(tmp_path, torch_save):
    arrays = {"x": RNG.random((2, 3)), "y": np.arange(5)}
    _assert_equal(_read(torch_save(tmp_path / "x.pth", arrays, big_endian=True)), arrays)


@FORMATS
def test_only_the_description_is_read_at_first(tmp_path, torch_save, legacy):
    """A damaged value harms none but itself."""
    arrays = {"x": RNG.random(1000), "y": RNG.random(1000)}
    path = torch_save(tmp_path / "x.pth", arrays, legacy)
    data = path.read_bytes()
    place = data.index(arrays["y"].tobytes())
    path.write_bytes(data[:place] + bytes(8) + data[place + 8 :])
    file = TorchFile(path)
    assert file.shapes == {"x": (1000,), "y": (1000,)}
    _assert_equal(dict(file.read(["x"])), {"x": arrays["x"]})
    if not legacy:  # which has no sums to check
        with pytest.raises(InputError, match=r"truncated or damaged: data/1 cannot be read"):
            list(file.read(["y"]))


class _Command:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@FORMATS
@pytest.mark.parametrize("place", ["alone", "among tensors"])
def test_a_program_in_a_file_is_refused_and_never_run(tmp_path, torch_save, legacy, place):
    mark = tmp_path / "ran"
    command = _Command(os.system, f"touch {mark}")
    contents = command if place == "alone" else {"netG": {"x": np.zeros(3), "y": command}}
    assert _refusal(torch_save(tmp_path / "x.pth", contents, legacy)) == (
        f"F asks for {os.system.__module__}.system, which tensors do not need and which is never run: "
        "give a file of state_dict()s alone"
    )
    assert not mark.exists()


@FORMATS
@pytest.mark.parametrize("function", [eval, getattr, __import__, pickle.loads, np.load, collections.Counter])
def test_globals_are_a_closed_list(tmp_path, torch_save, legacy, function):
    sentence = _refusal(torch_save(tmp_path / "x.pth", {"x": _Command(function, "1")}, legacy))
    assert f"{function.__name__}, which tensors do not need" in sentence


def _with_pickle(path, torch_save, data):
    return torch_save(path, {}, **{"data.pkl": data})


@pytest.mark.parametrize(
    "name",
    ["ccollections\nOrderedDict.fromkeys\n", "c os\nsystem\n", "ctorch._utils\n__builtins__\n", "cos\nsys\x1b[2J\n"],
)
def test_no_way_around_by_names(tmp_path, torch_save, name):
    sentence = _refusal(_with_pickle(tmp_path / "x.pth", torch_save, b"\x80\x02" + name.encode() + b"."))
    assert "which is never run" in sentence and sentence.isprintable()


def test_a_file_cannot_change_what_the_next_one_is_read_with(tmp_path, torch_save):
    for name in (b"torch._utils\n_rebuild_tensor_v2", b"torch._utils\n_rebuild_parameter", b"collections\nOrderedDict"):
        for state in (
            b"}U\x08__call__Nsb.",
            b"N}U\x08__call__Ns\x86b.",
            b"N}U\x09__class__ccollections\nOrderedDict\ns\x86b.",
        ):
            path = _with_pickle(tmp_path / "bad.pth", torch_save, b"\x80\x02c" + name + b"\n" + state)
            assert _refusal(path).startswith("F is truncated or damaged")
    arrays = {"x": RNG.random((2, 3))}
    _assert_equal(_read(torch_save(tmp_path / "good.pth", arrays)), arrays)


@FORMATS
def test_truncated_files(tmp_path, torch_save, legacy):
    path = torch_save(tmp_path / "x.pth", {"netG": {"x": RNG.random(50), "y": RNG.random((3, 4))}}, legacy)
    data = path.read_bytes()
    for length in range(40, len(data), 7):
        path.write_bytes(data[:length])
        assert _refusal(path).startswith("F is truncated or damaged: ")
        assert is_torch_file(path)


@FORMATS
def test_damage_is_a_sentence_or_another_value(tmp_path, torch_save, legacy):
    path = torch_save(tmp_path / "x.pth", {"netG": {"x": RNG.random(5), "y": RNG.random((3, 4))}}, legacy)
    data = path.read_bytes()
    for place in range(0, len(data), 3):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 + 37 * place % 255]) + data[place + 1 :])
        try:
            _read(path)
        except InputError as error:
            assert str(error).isprintable()


_NOT_TORCH = "F is not a PyTorch file: it is neither a zip archive nor has it PyTorch's magic number"


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "F is an empty file"),
        (b"<!DOCTYPE html>\n<html>", "F is text, not a PyTorch file: was a web page or a pointer saved in its place?"),
        (bytes(range(200)), _NOT_TORCH),
        (pickle.dumps({"x": 1}), _NOT_TORCH),
        (b"PK\x03\x04" + bytes(100), "F is truncated or damaged: its list of contents cannot be read"),
    ],
)
def test_what_is_no_pytorch_file(tmp_path, data, said):
    (tmp_path / "x.pth").write_bytes(data)
    assert _refusal(tmp_path / "x.pth") == said


def test_what_cannot_be_opened(tmp_path):
    assert _refusal(tmp_path / "none.pth") == "F cannot be read (No such file or directory)"
    assert _refusal(tmp_path) == "F cannot be read (Is a directory)"
    assert not is_torch_file(tmp_path) and not is_torch_file(tmp_path / "none.pth")


def test_descriptions_beyond_all_bounds(tmp_path, torch_save):
    """Room for 2^32 memories, and dictionaries in dictionaries without end."""
    path = tmp_path / "x.pth"
    for data in (b"}r\xff\xff\xff\xff.", b"}U\x00" * 5000 + b"N" + b"s" * 5000 + b"."):
        _with_pickle(path, torch_save, b"\x80\x02" + data)
        assert _refusal(path) == "F is truncated or damaged: its list of tensors cannot be read"
    array = np.zeros(3, np.float32)
    torch_save(path, {"x": np.broadcast_to(array[:1], (1 << 30, 1 << 30))})
    file = TorchFile(path)
    assert file.shapes == {"x": (1 << 30, 1 << 30)}
    with pytest.raises(InputError, match="x is too large to be read"):
        list(file.read(["x"]))


def test_archives_of_other_kinds(tmp_path, torch_save):
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<xml/>")
    assert _refusal(path) == "F is a zip archive, but not one of PyTorch's: it holds no data.pkl"
    torch_save(path, {}, **{"constants.pkl": b"", "code/__torch__.py": b""})
    assert _refusal(path) == "F is a TorchScript archive, a program: give a file of its state_dict() instead"
    torch_save(path, {"x": np.zeros(3)}, **{"data/0": None})
    assert _refusal(path) == "F is truncated or damaged: data/0 is missing in it"
    torch_save(path, {"x": np.zeros(3)}, **{"data/0": bytes(16)})
    assert _refusal(path) == "F is truncated or damaged: the values of x are not all there"


def test_a_legacy_file_of_an_unknown_version(tmp_path):
    with open(tmp_path / "x.pth", "wb") as file:
        pickle.dump(0x1950A86A20F9469CFC6C, file, protocol=2)
        pickle.dump(2002, file, protocol=2)
    assert _refusal(tmp_path / "x.pth") == "F is of a version of PyTorch's format that is not known"


def test_bombs_are_bounded_by_the_file(tmp_path, torch_save):
    path = tmp_path / "x.pth"
    torch_save(path, {"x": np.zeros(3)}, **{"data/0": None})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(1 << 27))
    assert path.stat().st_size < 1 << 18
    assert "claims to be far larger than the file itself" in _refusal(path)
    torch_save(path, {"x": np.zeros(3)}, **{"data.pkl": None})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"]" * (1 << 25) + b".")
    assert "claims to be far larger than the file itself" in _refusal(path)
    array = np.zeros(1 << 10, np.float32)
    torch_save(path, {str(i): np.broadcast_to(array, (1 << 6, 1 << 10)) for i in range(99)})
    assert "is too large to be read: the file itself is far smaller" in _refusal(path)
