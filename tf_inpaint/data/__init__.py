"""Training examples as pure functions of (seed, position)."""
