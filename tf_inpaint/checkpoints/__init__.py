"""Weights in files: finding, telling apart, reading."""
