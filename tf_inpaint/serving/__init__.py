"""Exported models: their signatures, their weights, what they are asked with, and a client that asks."""
