"""The one training loop: it knows strategies, optimisers, checkpoints and logs, and no loss."""
