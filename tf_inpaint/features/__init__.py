"""Frozen networks whose features losses and metrics compare: what an image shows, rather than its pixels."""
