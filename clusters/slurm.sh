#!/bin/bash
# Trains on two nodes of four GPUs: sbatch clusters/slurm.sh. One task a node takes all GPUs of the node.
#SBATCH --nodes=2 --ntasks-per-node=1 --gpus-per-node=4 --cpus-per-task=32
# TERM lets it save two minutes before its time is up; the same script, submitted again or queued again, goes on.
#SBATCH --time=24:00:00 --requeue --signal=TERM@120
srun --kill-on-bad-exit=1 python train.py --config configs/celeba.yml --set training.strategy=slurm data.batch_size=64
