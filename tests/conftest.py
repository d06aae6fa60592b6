"""Shared by all tests: two logical CPUs, a fixed seed, and the way to the reference data."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import pytest
import tensorflow as tf
import torch_files

ROOT = Path(__file__).resolve().parents[1]

# Before anything touches a device: replica tests need two of them.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_configure(config):
    config.agreement = {}  # of golden tests: what -> (largest deviation met, tolerance)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    met = node.config.agreement
    for what, (deviation, tolerance) in getattr(node, "workeroutput", {}).get("agreement", {}).items():
        met[what] = max(deviation, met.get(what, (0.0,))[0]), tolerance


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Files with slow tests come first, so that at the end no process works long while the others are done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """`--dist loadfile`, but whoever asks the exported models goes to one process: each is exported once."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "serving" if file.startswith("tests/e2e/serving/") else file

    return Scheduling(config, log)


def pytest_terminal_summary(terminalreporter, config):
    if config.agreement:
        terminalreporter.section("agreement with the original programs (largest deviation, tolerance)")
        for what, (deviation, tolerance) in config.agreement.items():
            terminalreporter.write_line(f"{what:<72}{deviation:10.1e}{tolerance:10.0e}")


@pytest.fixture(autouse=True)
def _seed():
    tf.keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def reference():
    """Folder of arrays made by the original programs; a test that asks for it is skipped where it is absent."""
    folder = Path(os.environ.get("TF_INPAINT_REFERENCE", ROOT.parent / "shared" / "reference"))
    if not folder.is_dir():
        pytest.skip(f"no reference arrays at {folder} (set TF_INPAINT_REFERENCE)")
    return folder


@pytest.fixture(scope="session")
def torch_save():
    """torch_save(path, contents, legacy=False) -> path; see `torch_files.write`."""
    return torch_files.write


@pytest.fixture(scope="session")
def vgg16():
    """A VGG-16 without top, drawn at random."""
    tf.keras.utils.set_random_seed(16)
    return tf.keras.applications.VGG16(include_top=False, weights=None)


@pytest.fixture(scope="session")
def vgg16_file(vgg16, tmp_path_factory):
    """Its weights in the form of Keras' own files."""
    path = tmp_path_factory.mktemp("vgg") / "vgg16_notop.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name for layer in vgg16.layers]
        for layer in vgg16.layers:
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = [f"weight{number}" for number, _ in enumerate(layer.weights)]
            for number, weight in enumerate(layer.get_weights()):
                group[f"weight{number}"] = weight
    return path
