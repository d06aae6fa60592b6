"""Evaluating on a Ray cluster: a worker for each shard, and the results of all made here."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Callable

from tf_inpaint.cluster import begin_worker, connected, explained, import_ray, places
from tf_inpaint.evaluation.journal import drop
from tf_inpaint.evaluation.run import Evaluation


def run_on_cluster(
    evaluation: Evaluation, address: str, workers: int | None, progress: Callable[[int, int], None]
) -> dict:
    """What `evaluation.run` returns and writes, to the byte, its images being measured by workers of a cluster.

    A lost worker's shard is given to another, which goes on with its rows; so does the same command with as many
    workers.

    Args:
        evaluation: of all images; its output is a folder that all nodes share.
        address: of the cluster; "" for that of `RAY_ADDRESS`, or one of this machine.
        workers: how many; by default one a GPU, or one a node where there is none.
        progress: as `Evaluation.run` takes it, called when a worker has ended.
    Raises:
        InputError: as `Evaluation.run`.
    """
    ray = import_ray()
    tasks = evaluation.tasks()
    total = len(tasks)
    evaluation.methods(tasks.names)  # refused before anything is dropped
    with connected(address):
        count, resources = places(workers)
        if evaluation.restart:  # once: a worker that takes over a lost one's shard goes on with it
            drop(evaluation.output)
            evaluation = replace(evaluation, restart=False)
        measure = ray.remote(_measure).options(max_retries=-1, scheduling_strategy="SPREAD", **resources)
        shards = [replace(evaluation, shard=f"{number}/{count}") for number in range(1, count + 1)]
        waiting, done = [measure.remote(shard, os.getcwd()) for shard in shards], 0
        progress(done, total)
        try:
            while waiting:
                ended, waiting = ray.wait(waiting)
                done += sum(ray.get(ended))
                progress(done, total)
        except ray.exceptions.RayError as error:
            raise explained(error) from None
    return evaluation.run()


def _measure(shard, folder):
    """How many images a shard has measured or left out."""
    begin_worker(folder)
    images = shard.run()["pictures"]
    return images["count"] + len(images["left_out"])
