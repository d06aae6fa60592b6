"""A stand-in for the network: it fills holes with one colour and draws the edges into them."""

import threading

import numpy as np
import pytest

from tf_inpaint.io.images import ImageFile


class FakeInpainter:
    """Attributes: `seen`, the arguments so far; `started` counts completions, which last until `go` is set."""

    def __init__(self, takes_edges=True, max_pixels=1 << 20):
        self.takes_edges, self.max_pixels, self.origin = takes_edges, max_pixels, "a stand-in"
        self.seen, self.started, self.go, self._turn = [], threading.Semaphore(0), threading.Event(), threading.Lock()
        self.go.set()

    def outputs(self, image, mask, edges=None, *, blending=None):
        assert self._turn.acquire(blocking=False)  # one at a time
        self.started.release()
        self.go.wait(20)
        self._turn.release()
        self.seen.append((image, mask, edges))
        self.blending = blending  # of the last
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
