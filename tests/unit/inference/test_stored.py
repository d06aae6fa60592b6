"""Graphs that come in files: the same functions, and never old ones."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint import Inpainter
from tf_inpaint.checkpoints import open_checkpoint
from tf_inpaint.inference.network import load_network
from tf_inpaint.inference.stored import PACKAGE, StoredGraph
from tf_inpaint.inference.texture import redraw_graph
from tf_inpaint.ops.texture import redraw

STALE = "stale: python -m tf_inpaint.inference.stored, with TensorFlow 2.15"


@pytest.fixture(scope="module")
def network():
    return load_network(open_checkpoint())


@pytest.fixture(scope="module")
def written_down(network):
    return network.fill._written_down()


@pytest.fixture(scope="module")
def case():
    """An image of waves and noise, what a network may have drawn, and a hole."""
    rng, (y, x) = np.random.default_rng(0), np.indices((48, 64))
    waves = 128 + 60 * np.sin(x / 2.5 + y / 7) + rng.normal(0, 12, (48, 64))
    image = np.clip(np.stack([waves, waves[::-1], waves], -1), 0, 255).astype(np.uint8)
    mask = np.zeros((48, 64), bool)
    mask[14:34, 20:44] = True
    return image, np.where(mask[..., None], np.uint8(120), image), mask


@pytest.fixture
def written(monkeypatch):
    """How often a graph is written down in Python."""
    times, write = [], StoredGraph._written_down
    monkeypatch.setattr(StoredGraph, "_written_down", lambda self: times.append(1) or write(self))
    return times


def test_textures_are_of_today_s_sources_and_the_same_bytes(case, written):
    redrawn = redraw_graph()(*case).numpy()
    assert not written, STALE
    expected = tf.function(redraw, autograph=False)(*map(tf.constant, case)).numpy()
    np.testing.assert_array_equal(redrawn, expected)
    assert np.any(redrawn != case[1]) and redrawn.dtype == np.uint8


@pytest.mark.parametrize("hole", [np.s_[:, 14:34, 20:44], np.s_[:, :9, 40:]], ids=["within", "at the border"])
def test_the_network_is_of_today_s_sources_and_the_same_bytes(network, written_down, case, written, hole):
    """Two images of no size that a network takes, one of which has lines in its hole."""
    images = np.stack([case[0], case[0][::-1]])[:, :-3]
    mask = np.zeros(images.shape[:3], bool)
    mask[hole] = True
    edges = np.zeros_like(mask)
    edges[1, 5:30, 41] = True
    completed = network.fill(images, mask, edges, mask).numpy()
    assert not written, STALE
    expected = written_down(*map(tf.constant, (images, mask, edges, mask))).numpy()
    np.testing.assert_array_equal(completed[mask], expected[mask])
    without = network.fill(images, mask, np.zeros_like(mask), mask).numpy()
    assert np.array_equal(without[0], completed[0]) and np.any(without[1] != completed[1])


def test_an_inpainter_completes_by_it(network, case, written):
    image, _, mask = case
    inpainter = Inpainter.load(texture="none")
    completed = inpainter.complete(image, mask)
    assert inpainter.graphs == 1 and not written
    edges = np.zeros_like(mask)
    expected = network.fill(*(array[np.newaxis] for array in (image, mask, edges, mask))).numpy()[0]
    np.testing.assert_array_equal(completed, np.where(mask[..., np.newaxis], expected, image))


@pytest.mark.parametrize("change", [{"precision": "mixed_bfloat16"}, {"weights": "photos_v1"}], ids=str)
def test_what_completes_otherwise_has_none(change):
    assert Inpainter.load(**change).engine._stored is None


@pytest.mark.parametrize("kind", ["other sources", "other options", "damaged", "missing"])
def test_of_a_file_that_is_of_no_use_nothing_is_taken(written, tmp_path, kind):
    counted, numbers = tf.Variable(2.0), np.float32([1, 2])
    signature, file = [tf.TensorSpec([None], tf.float32)], tmp_path / "double.graph"

    def graph(sources=("ops/boxes.py",), options=""):
        return StoredGraph(file, sources, lambda x: x * counted, signature, [numbers], {"factor": counted}, options)

    graph().write()
    written.clear()
    np.testing.assert_array_equal(graph()(numbers), [2, 4])
    assert not written
    if kind == "damaged":
        stored = bytearray(file.read_bytes())
        stored[len(stored) // 2] ^= 1
        file.write_bytes(stored)
    if kind == "missing":
        file.unlink()
    sources = ["ops/flow.py" if kind == "other sources" else "ops/boxes.py"]
    np.testing.assert_array_equal(graph(sources, "wide" if kind == "other options" else "")(numbers), [2, 4])
    assert written


def test_variables_are_read_whenever_it_is_called(written, tmp_path):
    first, second, ones = tf.Variable([3.0]), tf.Variable([5.0]), np.ones(1, np.float32)
    arguments = tmp_path / "difference.graph", ["ops/boxes.py"], lambda x: x * (second - first)
    graphs = [
        StoredGraph(*arguments, [tf.TensorSpec([None], tf.float32)], [ones], {"second": second, "first": first})
        for _ in range(2)
    ]
    graphs[0].write()
    written.clear()
    assert graphs[1](ones).numpy() == 2
    second.assign([4.0])
    assert graphs[1](ones).numpy() == 1 and not written


def test_it_is_prepared_once_and_whoever_calls_it_meanwhile_waits(monkeypatch, tmp_path):
    called, go_on = [], threading.Event()

    def read(self):
        def graph(x):
            called.append((threading.current_thread(), go_on.wait(10)))
            return x

        return graph

    monkeypatch.setattr(StoredGraph, "_read", read)
    stored = StoredGraph(tmp_path / "same.graph", [], lambda x: x, [tf.TensorSpec([], tf.float32)], [1.0])
    for _ in range(2):
        stored.prepare()
    threading.Timer(0.2, go_on.set).start()
    stored(2.0)
    assert called == [(stored._preparing, True), (threading.current_thread(), True)] and not stored._preparing.daemon


def test_the_files_are_in_the_package():
    assert {path.name for path in PACKAGE.rglob("*.graph")} == {"texture.graph", "photos.graph"}
