"""Trains an inpainting network.

    python train.py                                # lists the configs
    python train.py --config configs/celeba.yml
    python train.py --config configs/celeba.yml --set data.train=photos/ data.batch_size=8
    python train.py --config configs/celeba.yml --dry-run

The same command goes on where its run folder stands. Ctrl-C or SIGTERM finishes the step, saves and ends with exit code
0; twice quits at once. A loss that is no longer a finite number ends with exit code 2, as any other unusable input.
"""

from tf_inpaint import cli
from tf_inpaint.training.command import main

if __name__ == "__main__":
    cli.run(main)
