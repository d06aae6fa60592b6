"""A stand-in for the network: it fills holes with one colour and draws the sketch into them."""

import numpy as np
import pytest

from tf_inpaint.io.images import ImageFile


class FakeInpainter:
    def __init__(self, takes_edges=True, max_pixels=1 << 20):
        self.takes_edges, self.max_pixels, self.origin = takes_edges, max_pixels, "a stand-in"
        self.seen = []

    def outputs(self, image, mask, edges=None):
        self.seen.append((image, mask, edges))
        completed = image.copy()
        completed[mask] = (10, 20, 30)
        if edges is not None:
            completed[mask & edges] = (250, 250, 250)
        return {"completed": completed, "attention": np.full_like(image, 99)}


@pytest.fixture
def inpainter():
    return FakeInpainter()


@pytest.fixture
def unguided():
    return FakeInpainter(takes_edges=False)


@pytest.fixture
def image_file():
    """60 x 80, different everywhere."""
    return ImageFile(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8), None, False)
