"""Where replicas run, chosen by one word of the config.

Each entry of `STRATEGIES` makes a `tf.distribute` strategy. The loop asks it only for a scope, replicas and input
pipelines, so that a strategy over several workers is one more entry here.
"""

from __future__ import annotations

import tensorflow as tf


def one_device():
    """The first GPU, or the CPU."""
    return tf.distribute.OneDeviceStrategy(_devices()[0])


def mirrored():
    """Every GPU; on a machine without GPUs every logical CPU."""
    devices = _devices()
    if "GPU" in devices[0]:
        return tf.distribute.MirroredStrategy(devices)
    return tf.distribute.MirroredStrategy(devices, cross_device_ops=tf.distribute.ReductionToOneDevice())


def auto():
    """`mirrored` where there are several GPUs, else `one_device`."""
    return mirrored() if len(tf.config.list_logical_devices("GPU")) > 1 else one_device()


STRATEGIES = {"auto": auto, "one_device": one_device, "mirrored": mirrored}


def make_strategy(kind="auto"):
    """The strategy called `kind`, a name in `STRATEGIES`.

    Raises:
        ValueError: if there is none of that name.
    """
    if kind not in STRATEGIES:
        raise ValueError(f"`kind` must be one of {', '.join(STRATEGIES)}. Received: {kind!r}")
    return STRATEGIES[kind]()


def _devices():
    """Names of all GPUs, or of all logical CPUs where there is no GPU."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in devices]
