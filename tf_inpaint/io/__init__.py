"""Files: images, lists of them, writing whole files or none."""
