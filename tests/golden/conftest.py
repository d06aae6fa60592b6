"""The original programs' numbers: the full set where it is at hand, small extracts of it in any clone."""

import bz2
import shutil
from pathlib import Path

import numpy as np
import pytest

EXTRACTS = Path(__file__).parent / "data"
_AGREEMENT = {}  # what -> (largest deviation met, tolerance)


def agree(what, deviation, tolerance):
    """Fail if the deviation exceeds the tolerance; the largest of each kind is printed after the tests."""
    deviation = float(deviation)
    _AGREEMENT[what] = (max(deviation, _AGREEMENT.get(what, (0.0,))[0]), tolerance)
    if not deviation <= tolerance:
        pytest.fail(f"{what}: deviates by {deviation:.3g}, {tolerance:.3g} is tolerated")


@pytest.fixture(name="agree", scope="session")
def _agree():
    return agree


def pytest_terminal_summary(terminalreporter):
    if _AGREEMENT:
        terminalreporter.section("agreement with the original programs (largest deviation, tolerance)")
        for what, (deviation, tolerance) in _AGREEMENT.items():
            terminalreporter.write_line(f"{what:<72}{deviation:10.1e}{tolerance:10.0e}")


class Arrays:
    """Arrays of one reference file by name; what an extract leaves out skips the test that asks for it."""

    def __init__(self, path):
        self._file = np.load(path)
        self.names = self._file.files

    def __getitem__(self, name):
        if name not in self.names:
            pytest.skip(f"{name} is not in the extract of the reference arrays")
        return self._file[name]

    def __contains__(self, name):
        return name in self.names

    def under(self, prefix):
        """{rest of the name: array} of all names that begin so."""
        return {name[len(prefix) :]: self._file[name] for name in self.names if name.startswith(prefix)}


@pytest.fixture(scope="session")
def arrays(request):
    """arrays("ops") -> Arrays of ops.npz, or of the extract of the same name."""

    def load(name):
        extract = EXTRACTS / f"{name}.npz"
        try:
            return Arrays(request.getfixturevalue("reference") / f"{name}.npz")
        except pytest.skip.Exception:
            if extract.exists():
                return Arrays(extract)
            raise

    return load


@pytest.fixture(scope="session")
def original_checkpoint(reference, tmp_path_factory):
    """original_checkpoint("deepfill_v1") -> folder holding the original's TensorFlow 1 checkpoint, unpacked."""

    def unpack(model):
        folder = tmp_path_factory.mktemp(model)
        for file in (reference / model / "checkpoint").iterdir():
            if file.suffix == ".bz2":
                (folder / file.stem).write_bytes(bz2.decompress(file.read_bytes()))
            else:
                shutil.copy(file, folder / file.name)
        return folder

    return unpack
