"""What test.py does."""
