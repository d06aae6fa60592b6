"""Lines along the landmarks of faces, which the paper takes for the edges of faces: by dlib and its model of 68 points.

The extra `landmarks` brings both, `dlib-bin` and the file in `face-recognition-models`. That file was trained on the
300-W images, whose terms exclude commercial use.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os

import cv2
import numpy as np

from tf_inpaint.errors import InputError

REMEDY = "pip install 'tf_inpaint[landmarks]'"
# Points of the iBUG scheme: (first, one after the last, closed).
JAW, BROWS, NOSE = ((0, 17, False),), ((17, 22, False), (22, 27, False)), ((27, 31, False), (31, 36, False))
EYES, LIPS = ((36, 42, True), (42, 48, True)), ((48, 60, True), (60, 68, True))
LINES = (*JAW, *BROWS, *NOSE, *EYES, *LIPS)
_MODELS = "face_recognition_models"
_SIDES = 256, 512  # pixels: faces, at least 80 pixels wide, are looked for in images of a longer side within these
_BORDER = 0.2  # of a side, by which an image is continued, so that faces that fill it are found


def installed() -> bool:
    """Whether the packages of the extra `landmarks` are there."""
    return all(importlib.util.find_spec(name) is not None for name in ("dlib", _MODELS))


def landmark_edges(rgb):
    """Lines along jaw, brows, eyes, nose and lips of every face that is found.

    Args:
        rgb: uint8 [H, W, 3].
    Returns:
        edges: uint8 [H, W], 255 on lines, one pixel wide; 0 throughout where no face is found.
    Raises:
        InputError: if dlib or its model is not installed.
    Reference: Yu et al. 2019, section 3.5, user guidance on faces; Kazemi and Sullivan 2014, by dlib.
    """
    edges = np.zeros(rgb.shape[:2], np.uint8)
    for points in face_landmarks(rgb):
        for first, end, closed in LINES:
            cv2.polylines(edges, [np.rint(points[first:end]).astype(np.int32)], closed, 255)
    return edges


def face_landmarks(rgb):
    """The 68 points, (x, y), of each face in an image uint8 [H, W, 3]: a list of float [68, 2]."""
    if not installed():
        raise InputError(f"landmarks need dlib and its model: {REMEDY}")
    import dlib

    height, width = rgb.shape[:2]
    longer = max(height, width)
    scale = min(max(longer, _SIDES[0]), _SIDES[1]) / longer
    kind = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    seen = rgb if scale == 1.0 else cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=kind)
    border = round(_BORDER * min(seen.shape[:2]))
    seen = cv2.copyMakeBorder(np.ascontiguousarray(seen), *[border] * 4, cv2.BORDER_REPLICATE)
    with _detector() as detect:
        boxes = detect(seen, 0) or detect(seen, 1)  # enlarged, it finds smaller ones, in four times the time
    faces = [_predictor()(seen, dlib.rectangle(box)).parts() for box in boxes]
    return [(np.array([(point.x, point.y) for point in face], np.float64) - border) / scale for face in faces]


_idle = []  # detectors that nobody uses


@contextlib.contextmanager
def _detector():
    """A detector for one caller: two must not call the same at once, and TensorFlow's threads, new to Python for each
    image, cannot keep their own."""
    import dlib

    try:
        detector = _idle.pop()
    except IndexError:
        detector = dlib.get_frontal_face_detector()
    try:
        yield detector
    finally:
        _idle.append(detector)


@functools.lru_cache(maxsize=1)
def _predictor():
    import dlib

    # Importing the package would want setuptools' old pkg_resources.
    folder = importlib.util.find_spec(_MODELS).submodule_search_locations[0]
    return dlib.shape_predictor(os.path.join(folder, "models", "shape_predictor_68_face_landmarks.dat"))
