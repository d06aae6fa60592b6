"""The graph of textures that comes in a file: the same function, and never an old one."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.inference import texture
from tf_inpaint.ops.texture import redraw


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
    """How often the graph is written down in Python."""
    times, write = [], texture._written_down
    monkeypatch.setattr(texture, "_written_down", lambda: times.append(1) or write())
    return times


def test_the_file_is_of_today_s_sources_and_draws_the_same_bytes(case, written):
    redrawn = texture.Redraw()(*case).numpy()
    assert not written, "stale: python -m tf_inpaint.inference.texture"
    expected = tf.function(redraw, autograph=False)(*map(tf.constant, case)).numpy()
    np.testing.assert_array_equal(redrawn, expected)
    assert np.any(redrawn != case[1]) and redrawn.dtype == np.uint8


@pytest.mark.parametrize("kind", ["other sources", "damaged", "missing"])
def test_of_a_file_that_is_of_no_use_nothing_is_taken(case, written, monkeypatch, tmp_path, kind):
    stored = bytearray(texture.FILE.read_bytes())
    stored[0 if kind == "other sources" else 1000] ^= 1
    if kind != "missing":
        (tmp_path / "texture.graph").write_bytes(stored)
    monkeypatch.setattr(texture, "FILE", tmp_path / "texture.graph")
    monkeypatch.setattr(texture, "_written_down", lambda: written.append(1) or (lambda *each: [each[1]]))
    np.testing.assert_array_equal(texture.Redraw()(*case), case[1])
    assert written


def test_it_is_prepared_once_while_other_things_are_done(monkeypatch):
    threads, drawn = [], texture.Redraw()
    monkeypatch.setattr(texture, "_read", lambda: lambda *each: threads.append(threading.current_thread()) or [each[1]])
    for _ in range(2):
        drawn.prepare()
    drawn._preparing.join()
    assert threads == [drawn._preparing] and not drawn._preparing.daemon
