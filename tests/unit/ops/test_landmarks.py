"""Lines along faces, by dlib where it is installed."""

import threading

import numpy as np
import pytest

from tf_inpaint.ops import landmarks

FOUND = pytest.mark.skipif(not landmarks.installed(), reason="needs the extra landmarks")


def test_lines_take_all_points_in_their_order(monkeypatch):
    """Points on a row: an open line reaches from its first point to its last, and lines do not meet."""
    points = np.array([[3.0 * i, 4.0] for i in range(68)])
    monkeypatch.setattr(landmarks, "face_landmarks", lambda rgb: [points])
    row = landmarks.landmark_edges(np.zeros((9, 210, 3), np.uint8))[4] > 0
    assert [i for i in range(67) if not row[3 * i + 1]] == [16, 21, 26, 30, 35, 41, 47, 59] and row[:202:3].all()


@FOUND
def test_threads_that_are_new_at_every_call_take_the_detector_of_the_one_before(monkeypatch):
    """As TensorFlow's are, for each image of a training: the files were read for each."""
    import dlib

    made = []
    monkeypatch.setattr(landmarks, "_idle", [])
    monkeypatch.setattr(dlib, "get_frontal_face_detector", lambda: made.append(0) or (lambda image, times: []))
    for _ in range(3):
        thread = threading.Thread(target=landmarks.landmark_edges, args=[np.zeros((64, 64, 3), np.uint8)])
        thread.start()
        thread.join()
    assert len(made) == 1
    landmarks._predictor.cache_clear()
    assert landmarks._predictor() is landmarks._predictor()


@FOUND
def test_a_photograph_has_a_face_and_noise_has_none():
    data = pytest.importorskip("skimage.data")
    astronaut = data.astronaut()[:300, 60:360]
    (points,) = landmarks.face_landmarks(astronaut)
    mouth, chin, brows = points[48:].mean(0), points[8], points[17:27].mean(0)
    assert brows[1] < mouth[1] < chin[1] < 300 and abs(mouth[0] - brows[0]) < 40
    larger = np.repeat(np.repeat(astronaut, 3, 0), 3, 1)
    np.testing.assert_allclose(landmarks.face_landmarks(larger)[0] / 3, points, atol=6)
    np.testing.assert_allclose(landmarks.face_landmarks(astronaut[::3, ::3])[0] * 3, points, atol=15)
    edges = landmarks.landmark_edges(astronaut)
    assert edges.shape == (300, 300) and set(np.unique(edges)) == {0, 255} and 0.002 < (edges > 0).mean() < 0.03
    noise = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    assert not landmarks.landmark_edges(noise).any()
