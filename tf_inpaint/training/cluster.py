"""Which processes train together, as the environment of each of them says.

    TF_CONFIG    TensorFlow's own variable, JSON: {"cluster": {"worker": ["host:port", ...]},
                 "task": {"type": "worker", "index": 0}}; with a "chief", that one comes first.
    SLURM_*      what srun gives to each task of a job step.

TensorFlow's SlurmClusterResolver is not used: it sorts names of nodes as text (n10 before n2) where Slurm counts tasks
in its own order, and it fails on nodes without GPUs.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from dataclasses import dataclass
from typing import Mapping, Tuple

from tf_inpaint.errors import InputError

_EXAMPLE = '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}'
_JOBS = ("chief", "worker")
_FIRST_PORT, _PORTS_OF_A_JOB, _SLOTS = 10000, 16, 1250  # 10000 .. 29999: below what systems hand out by themselves


@dataclass(frozen=True)
class Cluster:
    """The workers of a training, and which of them this process is.

    Attributes:
        addresses: "host:port" of each worker; the first is the chief.
        index: of this process among them.
    """

    addresses: Tuple[str, ...]
    index: int


def cluster_from_tf_config(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """The cluster that TF_CONFIG names, or None where it names none.

    Raises:
        InputError: if it is no JSON of the form above, or asks for a task this program does not have.
    """
    text = environment.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        values = json.loads(text)
    except ValueError as error:
        raise InputError(
            f"the environment variable TF_CONFIG is not JSON ({error}); an example is {_EXAMPLE}"
        ) from None
    if not isinstance(values, dict):
        raise _wrong("must have a cluster and a task")
    jobs, task = values.get("cluster"), values.get("task")
    if not jobs:
        return None
    if not (isinstance(jobs, dict) and isinstance(task, dict)):
        raise _wrong("must have a cluster and a task")
    kind, index = task.get("type"), task.get("index")
    for job in (*jobs, kind):
        if job not in _JOBS:
            raise _wrong(f"has a task of type {job!r}, but here every process is a worker, or the chief")
    addresses = [address for job in _JOBS if job in jobs for address in _addresses(job, jobs[job])]
    for address in addresses:
        if addresses.count(address) > 1:
            raise _wrong(f"names {address} twice")
    count = len(jobs.get(kind, []))
    if type(index) is not int or not 0 <= index < count:
        raise _wrong(f"says that this is {kind} {index!r}, but there are {count}, counted from 0")
    return Cluster(tuple(addresses), index + (len(jobs.get("chief", [])) if kind == "worker" else 0))


def cluster_from_slurm(environment: Mapping[str, str] = os.environ) -> Cluster:
    """The tasks of the Slurm job step in which this process is one.

    Tasks must be laid out in blocks, as is Slurm's default with one task a node.

    Raises:
        InputError: outside of a job step, or if its variables cannot be understood.
    """

    def variable(name):
        if not environment.get(name):
            raise InputError(
                f"training.strategy slurm needs the environment variable {name}, which srun sets: start train.py with "
                "srun, or name the workers in TF_CONFIG and take training.strategy: multi_worker"
            )
        return environment[name]

    rank, job = variable("SLURM_PROCID"), variable("SLURM_JOB_ID")
    nodes, tasks = variable("SLURM_STEP_NODELIST"), variable("SLURM_STEP_TASKS_PER_NODE")
    try:
        hosts, counts = expand_hosts(nodes), _expand_counts(tasks)
        if len(hosts) != len(counts):
            raise ValueError
        port = _FIRST_PORT + int(job) % _SLOTS * _PORTS_OF_A_JOB
        addresses = [f"{host}:{port + i}" for host, count in zip(hosts, counts) for i in range(count)]
        index = int(rank)
        addresses[index]
    except (ValueError, IndexError):
        raise InputError(
            f"cannot understand Slurm's variables SLURM_PROCID {rank!r}, SLURM_JOB_ID {job!r}, SLURM_STEP_NODELIST "
            f"{nodes!r} and SLURM_STEP_TASKS_PER_NODE {tasks!r}: name the workers in TF_CONFIG instead"
        ) from None
    return Cluster(tuple(addresses), index)


def expand_hosts(text: str) -> list[str]:
    """Slurm's short form of a list of nodes, written out: "n[08-10],m" -> ["n08", "n09", "n10", "m"]."""
    hosts = []
    for item in re.findall(r"(?:[^,\[\]]|\[[^\[\]]*\])+", text):
        pieces = re.split(r"\[([^\]]*)\]", item)  # text and ranges in turn
        choices = [_expand_ranges(piece) if i % 2 else [piece] for i, piece in enumerate(pieces)]
        hosts += ["".join(choice) for choice in itertools.product(*choices)]
    return hosts


def _expand_ranges(text):
    """ "08-10,12" -> ["08", "09", "10", "12"]."""
    numbers = []
    for item in text.split(","):
        first, _, last = item.partition("-")
        numbers += [str(number).zfill(len(first)) for number in range(int(first), int(last or first) + 1)]
    return numbers


def _expand_counts(text):
    """ "2(x3),1" -> [2, 2, 2, 1]."""
    counts = []
    for item in text.split(","):
        found = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", item)
        if found is None:
            raise ValueError(item)
        counts += [int(found[1])] * int(found[2] or 1)
    return counts


def _addresses(job, addresses):
    if not isinstance(addresses, list) or not addresses:
        raise _wrong(f"must list the addresses of {job}")
    for address in addresses:
        if not isinstance(address, str) or not re.fullmatch(r".+:\d+", address):
            raise _wrong(f"must name every {job} as host:port, not {address!r}")
    return addresses


def _wrong(what):
    return InputError(f"the environment variable TF_CONFIG {what}; an example is {_EXAMPLE}")
