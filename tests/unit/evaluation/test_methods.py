"""What completes: baselines by hand, folders of completions, names of columns."""

import re

import cv2
import numpy as np
import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.evaluation.baselines import BASELINES, CHEAP
from tf_inpaint.evaluation.methods import Completions, Method, Untrained, complete_all, named
from tf_inpaint.evaluation.tasks import Task
from tf_inpaint.io.images import write_png

RNG = np.random.default_rng(0)


def _task(mask, image=None, name="x.jpg"):
    image = RNG.integers(0, 256, (*mask.shape, 3), np.uint8) if image is None else image
    return Task(0, name, image, mask)


def _mask(height=12, width=12):
    mask = np.zeros((height, width), bool)
    mask[3:6, 4:8] = True
    return mask


@pytest.mark.parametrize("name", BASELINES)
def test_known_pixels_stay_and_the_hole_does_not_matter(name):
    if BASELINES[name].missing():
        pytest.skip(BASELINES[name].missing())
    mask = _mask(48, 40)
    image = RNG.integers(0, 256, (48, 40, 3), np.uint8)
    other = np.where(mask[..., np.newaxis], np.uint8(255) - image, image)
    first, second = Untrained(name).complete([_task(mask, image), _task(mask, other)])
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first[~mask], image[~mask])


@pytest.mark.parametrize("name", BASELINES)
def test_what_is_missing_is_a_sentence(name, monkeypatch):
    if name in CHEAP:
        assert not BASELINES[name].missing()
        return
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delattr(cv2, "xphoto", raising=False)
    assert re.match("it needs .*: (pip install 'tf_inpaint|put opencv-contrib)", BASELINES[name].missing())


def test_biharmonic_is_that_of_the_library():
    restoration = pytest.importorskip("skimage.restoration")
    task = _task(_mask())
    expected = restoration.inpaint_biharmonic(task.image, task.mask, channel_axis=-1)
    completed = Untrained("biharmonic").complete([task])[0]
    np.testing.assert_allclose(completed / 255.0, expected, atol=0.5 / 255 + 1e-9)


def test_opencv_is_asked_as_it_says():
    task = _task(_mask())
    known = np.where(task.mask[..., np.newaxis], np.uint8(0), task.image)
    expected = cv2.inpaint(known, _mask().astype(np.uint8), 3, cv2.INPAINT_TELEA)
    np.testing.assert_array_equal(Untrained("telea").complete([task])[0], expected)
    expected = cv2.inpaint(known, _mask().astype(np.uint8), 3, cv2.INPAINT_NS)
    np.testing.assert_array_equal(Untrained("navier_stokes").complete([task])[0], expected)


def test_mean_is_rounded_to_the_nearest_level():
    image = np.zeros((2, 2, 3), np.uint8)
    image[0, 0], image[0, 1], image[1, 0] = (10, 0, 255), (11, 0, 255), (12, 1, 254)
    mask = np.array([[False, False], [False, True]])
    assert Untrained("mean").complete([_task(mask, image)])[0][1, 1].tolist() == [11, 0, 255]
    image[1, 0] = 11, 1, 255
    mask[0, 0] = True  # leaves 11 and 11, 0 and 1: a half is rounded up
    assert Untrained("mean").complete([_task(mask, image)])[0][1, 1].tolist() == [11, 1, 255]


def test_every_hole_has_the_mean_of_its_own_border():
    image = np.full((5, 9, 3), 100, np.uint8)
    image[:, 5:] = 200
    mask = np.zeros((5, 9), bool)
    mask[2, 1] = mask[2, 7] = mask[1, 8] = True  # the last two touch at a corner, so they are one
    image[2, 2] = 180  # one of eight around the first
    filled = Untrained("border_mean").complete([_task(mask, image)])[0]
    assert (filled[2, 1] == 110).all() and (filled[2, 7] == 200).all() and (filled[1, 8] == 200).all()


def test_completions_are_found_by_name_and_taken_as_they_are(tmp_path):
    completed = RNG.integers(0, 256, (12, 12, 3), np.uint8)
    write_png(tmp_path / "deep" / "x.png", completed)
    write_png(tmp_path / "small.png", completed[:6])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    names = ["deep/x.jpg", "small.jpg", "broken.jpg", "none.jpg"]
    results = Completions("theirs", str(tmp_path), names).complete([_task(_mask(), name=name) for name in names])
    np.testing.assert_array_equal(results[0], completed)
    assert "small.png has 12 x 6 pixels instead of 12 x 12" in str(results[1])
    assert "broken.png is not an image" in str(results[2]) and "theirs has no completion" in str(results[3])
    with pytest.raises(InputError, match="has the name of one to evaluate, such as y"):
        Completions("theirs", str(tmp_path), ["y.jpg"])
    write_png(tmp_path / "twice.png", completed)
    (tmp_path / "twice.jpg").write_bytes(b"another")
    with pytest.raises(InputError, match=r"which belongs to twice.bmp, .*twice.jpg or .*twice.png\?"):
        Completions("theirs", str(tmp_path), ["twice.bmp"])


def test_all_methods_complete_a_batch_ahead_and_in_order():
    class Together(Method):
        threaded = False

        def complete(self, tasks):
            return [task.index for task in tasks]

    def batches():
        for batch in ([0, 1], [], [2], [3]):
            began.append(batch)
            yield [_task(_mask())._replace(index=index) for index in batch]

    began, mean = [], Untrained("mean")
    generator = complete_all([Together(), mean], batches())
    batch, columns, seconds = next(generator)
    assert columns[0] == [0, 1] and began == [[0, 1], []] and len(seconds) == 2
    np.testing.assert_array_equal(columns[1], mean.complete(batch))
    assert next(generator) == ([], [[], []], [0, 0])
    generator.close()  # what is not begun is not begun any more
    assert began == [[0, 1], [], [2]]


def test_names_of_columns(tmp_path):
    odd = tmp_path / "a=b"
    odd.mkdir()
    assert named([f"mine={tmp_path}", "runs/places/", str(odd)], "--x") == [
        ("mine", str(tmp_path)),
        ("places", "runs/places/"),
        ("a=b", str(odd)),
    ]
    for entries in (["runs/a", "other/a"], ["telea"]):
        with pytest.raises(InputError, match="two methods would be called"):
            named(entries, "--x")
