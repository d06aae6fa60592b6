"""Ray clusters: connecting, how many workers fit, what each begins with, what it says when it fails."""

from __future__ import annotations

import contextlib
import math
import os
import re

from tf_inpaint.errors import InputError


def import_ray():
    """The module `ray`, which tells nobody of its use.

    Raises:
        InputError: if it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray.data
    except ImportError as error:
        raise InputError(f"--ray needs Ray: pip install 'tf_inpaint[ray]' ({error})") from error
    return ray


@contextlib.contextmanager
def connected(address: str | None):
    """Context in which there is a cluster: at an address, at that of `RAY_ADDRESS`, or one of this machine alone."""
    ray = import_ray()
    if ray.is_initialized():
        yield
        return
    alone = not address and not os.environ.get("RAY_ADDRESS")
    # A processor of two is for Ray's own tasks, however many there are.
    settings = {"include_dashboard": False, "num_cpus": max(2, os.cpu_count() or 1)} if alone else {}
    try:
        ray.init(address=address or None, log_to_driver=False, logging_level="error", **settings)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"there is no Ray cluster at {address or os.environ.get('RAY_ADDRESS')}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def places(wanted: int | None) -> tuple[int, dict]:
    """How many workers, by default one a GPU, or a node where there is none; and what each takes of its node."""
    import ray

    gpus = int(ray.cluster_resources().get("GPU", 0))
    nodes = sum("CPU" in node["Resources"] for node in ray.nodes() if node["Alive"])
    count = wanted or gpus or nodes
    # Of a CPU half, so that something is left for Ray's own tasks.
    return count, {"num_gpus": 1 / math.ceil(count / gpus)} if gpus else {"num_cpus": 0.5}


def begin_worker(folder: str) -> None:
    """Makes a worker's process ready, before it imports TensorFlow.

    Args:
        folder: from which relative paths count, where it exists.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # several may share a GPU
    with contextlib.suppress(OSError):
        os.chdir(folder)


def explained(error: Exception) -> Exception:
    """The `InputError` of a worker, of which Ray keeps the text alone; any other error as it is."""
    sentences = re.findall(rf"^{InputError.__module__}.InputError: (.*)$", str(error), re.MULTILINE)
    return InputError(sentences[-1]) if sentences else error
