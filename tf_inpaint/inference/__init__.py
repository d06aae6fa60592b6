"""From an image and a mask to a completion."""
