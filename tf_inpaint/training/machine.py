"""What a run runs on, in words."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import sys

import tensorflow as tf

import tf_inpaint

_GIB = 2**30


def versions(strategy):
    """JSON-able record of a start: when, by what command, with which versions, on which devices."""
    return {
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": sys.argv,
        "tf_inpaint": tf_inpaint.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{package: importlib.metadata.version(package) for package in ("tensorflow", "keras", "numpy")},
        "devices": device_names(strategy),
        "workers": strategy.num_replicas_in_sync // len(strategy.extended.worker_devices),
    }


def device_names(strategy):
    """One entry for each replica's device in this process, such as "GPU:0 NVIDIA A100" or "CPU:0"."""
    return [_device_name(device) for device in strategy.extended.worker_devices]


def peak_memory():
    """The most memory used so far: of each GPU, or else of this process."""
    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        names = [gpu.name.replace("/device:", "") for gpu in gpus]
        peaks = [tf.config.experimental.get_memory_info(name)["peak"] for name in names]
        return ", ".join(f"{name} {peak / _GIB:.2f} GiB" for name, peak in zip(names, peaks))
    try:
        import resource
    except ImportError:  # Windows
        return "unknown"
    unit = 1 if sys.platform == "darwin" else 1024
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _GIB:.2f} GiB in this process"


def _device_name(device):
    spec = tf.DeviceSpec.from_string(device)
    name = f"{spec.device_type}:{spec.device_index}"
    gpus = tf.config.list_physical_devices("GPU")
    if spec.device_type == "GPU" and spec.device_index < len(gpus):
        model = tf.config.experimental.get_device_details(gpus[spec.device_index]).get("device_name", "")
        return f"{name} {model}".strip()
    return name
