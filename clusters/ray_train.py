"""Trains on a Ray cluster: everything after `--` is train.py's.

    python clusters/ray_train.py --workers 4 --gpus 8 --storage /shared/ray -- --config configs/celeba.yml

Ray Train starts the workers, names them to each other in TF_CONFIG, and starts all of them again where one is lost;
they go on from the last checkpoint by themselves. All nodes must see this folder, the images and the run folder at the
same paths.
"""

import argparse
import os
import sys

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.tensorflow import TensorflowTrainer

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def train(settings):
    """A worker."""
    os.environ.pop("TF_USE_LEGACY_KERAS", None)  # Ray Train asks for Keras 2, which a current TensorFlow lacks
    sys.path.insert(0, settings["root"])
    from tf_inpaint.cluster import begin_worker
    from tf_inpaint.training.command import main

    begin_worker(settings["folder"])
    main(settings["arguments"])


def main(argv):
    """Starts workers and waits for them."""
    here = argv.index("--") if "--" in argv else len(argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", help="of the cluster (default: RAY_ADDRESS, or this machine alone)")
    parser.add_argument("--workers", type=int, default=1, help="processes, as a rule one a node (default: 1)")
    parser.add_argument("--gpus", type=int, default=0, help="of each (default: 0)")
    parser.add_argument("--cpus", type=int, default=1, help="of each, that Ray keeps for it (default: 1)")
    parser.add_argument("--storage", required=True, help="a folder that all nodes share, for Ray Train's own notes")
    parser.add_argument("--restarts", type=int, default=10, help="after losses of workers (default: 10)")
    options = parser.parse_args(argv[:here])
    checked_config(argv[here + 1 :])  # a mistake in it is no lost worker, after whom all start again
    ray.init(address=options.address)
    resources = {"CPU": options.cpus, **({"GPU": options.gpus} if options.gpus else {})}
    TensorflowTrainer(
        train,
        train_loop_config={"root": ROOT, "folder": os.getcwd(), "arguments": argv[here + 1 :]},
        scaling_config=ScalingConfig(
            num_workers=options.workers, use_gpu=options.gpus > 0, resources_per_worker=resources
        ),
        run_config=RunConfig(
            storage_path=os.path.abspath(options.storage), failure_config=FailureConfig(max_failures=options.restarts)
        ),
    ).fit()


if __name__ == "__main__":
    sys.path.insert(0, ROOT)
    from tf_inpaint import cli
    from tf_inpaint.training.command import checked_config

    cli.run(main)
