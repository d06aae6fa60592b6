"""The one training loop: it knows strategies, optimizers, checkpoints and logs, and no loss."""
