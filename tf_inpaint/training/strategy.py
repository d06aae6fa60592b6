"""Where replicas run, chosen by one word of the config.

Each entry of `STRATEGIES` makes a `tf.distribute` strategy, of which the loop asks a scope, replicas and input
pipelines. Strategies over several processes must be made before TensorFlow computes anything.
"""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.errors import InputError, one_line
from tf_inpaint.training.cluster import cluster_from_slurm, cluster_from_tf_config


def one_device():
    """The first GPU, or the CPU."""
    return tf.distribute.OneDeviceStrategy(_devices()[0])


def mirrored():
    """Every GPU; on a machine without GPUs every logical CPU."""
    devices = _devices()
    if "GPU" in devices[0]:
        return tf.distribute.MirroredStrategy(devices)
    return tf.distribute.MirroredStrategy(devices, cross_device_ops=tf.distribute.ReductionToOneDevice())


def multi_worker():
    """Every GPU, or the CPU, of each process that TF_CONFIG names."""
    cluster = cluster_from_tf_config()
    if cluster is None:
        raise InputError(
            "training.strategy multi_worker needs the environment variable TF_CONFIG, which names all workers"
        )
    return _over_workers(cluster)


def slurm():
    """Every GPU, or the CPU, of each task of the Slurm job step."""
    return _over_workers(cluster_from_slurm())


def auto():
    """`multi_worker` where TF_CONFIG names several; else `mirrored` where there are several GPUs, else `one_device`."""
    cluster = cluster_from_tf_config()
    if cluster is not None and len(cluster.addresses) > 1:
        return _over_workers(cluster)
    return mirrored() if len(tf.config.list_logical_devices("GPU")) > 1 else one_device()


STRATEGIES = {
    "auto": auto,
    "one_device": one_device,
    "mirrored": mirrored,
    "multi_worker": multi_worker,
    "slurm": slurm,
}


def make_strategy(kind="auto"):
    """The strategy called `kind`, a name in `STRATEGIES`.

    One over several workers waits until all of them are there.

    Raises:
        ValueError: if there is none of that name.
        InputError: if the environment names no workers, or names them wrongly, or they cannot be joined.
    """
    if kind not in STRATEGIES:
        raise ValueError(f"`kind` must be one of {', '.join(STRATEGIES)}. Received: {kind!r}")
    return STRATEGIES[kind]()


def _over_workers(cluster):
    """All workers as tasks of one job, the chief first."""
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise InputError(
            "a training over several workers must begin before this process computes anything with TensorFlow"
        ) from error
    except tf.errors.OpError as error:
        reason = one_line(error)[:200]
        raise InputError(
            f"worker {cluster.index} cannot begin at {cluster.addresses[cluster.index]} ({reason}): is that an address "
            "of this machine, and its port free?"
        ) from error


def _devices():
    """Names of all GPUs, or of all logical CPUs where there is no GPU."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in devices]
