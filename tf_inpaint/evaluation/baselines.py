"""Methods that need no training: from colours that cost nothing to what a user would pick instead of a network.

A fill is a function (image uint8 [H, W, 3] with 0 in the hole, mask bool [H, W]) -> uint8 [H, W, 3], of which the hole
is taken. Some need a package that is no dependency; where it is missing, a sentence says what to install.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import threading
from typing import Callable, NamedTuple

import cv2
import numpy as np

_RADIUS = 3.0  # of the neighbourhood OpenCV's methods look at, in pixels
_PATCH_RADIUS, _SEED = 5, 0  # of PatchMatch: patches of 11 x 11
_PATCHMATCH = threading.Lock()  # its draws are the process's
_REMEDY = "pip install 'tf_inpaint[baselines]'"


class Baseline(NamedTuple):
    """A fill and what is said of it.

    Attributes:
        fill: the function.
        about: a line for people.
        module: that it needs; OpenCV's are "cv2" or "cv2.xphoto".
        package: that brings the module.
        remedy: what to do where it is missing.
    """

    fill: Callable[[np.ndarray, np.ndarray], np.ndarray]
    about: str
    module: str = "cv2"
    package: str = "OpenCV"
    remedy: str = ""

    def missing(self) -> str:
        """What it lacks and how to get that; "" where all is there."""
        if self.module == "cv2.xphoto":
            there = hasattr(cv2, "xphoto")
        else:
            there = importlib.util.find_spec(self.module) is not None
        return "" if there else f"it needs {self.package}: {self.remedy}"

    def version(self) -> str:
        """Package and version, which its results depend on."""
        if self.module.startswith("cv2"):
            return f"OpenCV {cv2.__version__}"
        return f"{self.package} {importlib.metadata.version(self.package)}"


def _opencv(algorithm):
    return lambda image, mask: cv2.inpaint(np.ascontiguousarray(image), np.uint8(255) * mask, _RADIUS, algorithm)


telea = _opencv(cv2.INPAINT_TELEA)  # fast marching (Telea 2004)
navier_stokes = _opencv(cv2.INPAINT_NS)  # fluid dynamics (Bertalmio et al. 2001)


def mean(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean of all known pixels, of each channel."""
    return np.broadcast_to(_mean_colour(image, ~mask), image.shape)


def border_mean(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Every connected hole filled with the mean of the known pixels that touch it, corners included."""
    filled = image.copy()
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    for label in range(1, count):
        hole = labels == label
        around = cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~mask
        filled[hole] = _mean_colour(image, around)
    return filled


def _mean_colour(image, where):
    """The mean colour of some pixels, in integers, halves rounded up."""
    count = int(where.sum())
    return ((2 * image[where].sum(axis=0, dtype=np.int64) + count) // (2 * count)).astype(np.uint8)


def patchmatch(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Patches from elsewhere in the image that agree best (Barnes et al. 2009), always by the same draws."""
    import patchmatch as package

    with _PATCHMATCH:
        package.set_random_seed(_SEED)
        return package.inpaint(np.ascontiguousarray(image), np.uint8(255) * mask, patch_size=_PATCH_RADIUS)


def biharmonic(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The smoothest continuation: its biharmonic equation (Damelin and Hoang 2018)."""
    from skimage.restoration import inpaint_biharmonic

    return np.rint(255.0 * inpaint_biharmonic(image, mask, channel_axis=-1)).clip(0, 255).astype(np.uint8)


def fsr(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Frequency selective reconstruction (Genser et al. 2018), the fast variant."""
    return _xphoto(image, mask, cv2.xphoto.INPAINT_FSR_FAST)


def shift_map(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Shifted copies of regions (He and Sun 2012)."""
    return _xphoto(image, mask, cv2.xphoto.INPAINT_SHIFTMAP)


def _xphoto(image, mask, algorithm):
    """Of BGR and a mask of what is known."""
    filled = np.zeros_like(image)
    cv2.xphoto.inpaint(np.ascontiguousarray(image[..., ::-1]), np.uint8(255) * ~mask, filled, algorithm)
    return filled[..., ::-1]


_CONTRIB = "OpenCV's contributed modules", "put opencv-contrib-python-headless in the place of opencv-python"
CHEAP = {
    "telea": Baseline(telea, f"OpenCV's INPAINT_TELEA, radius {_RADIUS:.0f}"),
    "navier_stokes": Baseline(navier_stokes, f"OpenCV's INPAINT_NS, radius {_RADIUS:.0f}"),
    "mean": Baseline(mean, "the mean colour of all known pixels"),
    "border_mean": Baseline(
        border_mean, "each connected hole filled with the mean colour of the known pixels touching it"
    ),
}
BASELINES = {
    **CHEAP,
    "patchmatch": Baseline(
        patchmatch,
        f"PatchMatch of pypatchmatch, patches of {2 * _PATCH_RADIUS + 1} x {2 * _PATCH_RADIUS + 1}, seed {_SEED}",
        "patchmatch",
        "pypatchmatch",
        f"{_REMEDY}, on Python 3.11 or later",
    ),
    "biharmonic": Baseline(biharmonic, "scikit-image's inpaint_biharmonic", "skimage", "scikit-image", _REMEDY),
    "fsr": Baseline(fsr, "OpenCV's xphoto INPAINT_FSR_FAST", "cv2.xphoto", *_CONTRIB),
    "shift_map": Baseline(shift_map, "OpenCV's xphoto INPAINT_SHIFTMAP", "cv2.xphoto", *_CONTRIB),
}
