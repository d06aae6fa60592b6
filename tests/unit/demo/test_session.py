import time

import numpy as np
import pytest

from tf_inpaint.demo import session as session_module
from tf_inpaint.demo.session import EDGES_COLOUR, MOST_POINTS, Session, Stroke
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import ImageFile


@pytest.fixture
def session(image_file):
    session = Session(takes_edges=True)
    session.load(image_file)
    return session


def _line(layer="mask", y=30, size=10, **more):
    return Stroke(layer, ((20, y), (60, y)), size, **more)


def test_a_stroke_is_as_broad_as_its_brush_and_round_at_its_ends(session):
    session.draw(_line())
    mask = session.mask()
    assert mask.shape == (60, 80) and mask.dtype == bool
    assert 9 <= mask[:, 40].sum() <= 11 and mask[30, 20:61].all()
    rows, columns = np.nonzero(mask)
    assert columns.min() in (14, 15, 16) and columns.max() in (64, 65, 66)
    assert mask[26, 16] == mask[26, 64] == False  # noqa: E712 - round
    assert abs(rows.mean() - 30) < 0.6


def test_a_click_is_a_disc_and_a_pixel_is_a_pixel(session):
    session.draw(Stroke("mask", ((40, 30),), 12))
    assert abs(session.mask().sum() - np.pi * 36) < 20
    session.draw(Stroke("edges", ((5, 7),), 1))
    np.testing.assert_array_equal(np.argwhere(session.edges()), [[7, 5]])


def test_layers_do_not_touch_each_other_and_the_eraser_takes_away(session):
    session.draw(_line("mask"))
    session.draw(_line("edges", size=2))
    hole, lines = session.mask().sum(), session.edges().sum()
    assert hole > lines > 60
    session.draw(_line("mask", size=20, erase=True))
    assert not session.mask().any() and session.edges().sum() == lines


def test_undo_and_redo(session):
    states = [session.mask()]
    for y in (10, 30, 50):
        session.draw(_line(y=y))
        states.append(session.mask())
    for expected in states[-2::-1]:
        session.undo()
        np.testing.assert_array_equal(session.mask(), expected)
    assert not session.can_undo and session.can_redo
    session.undo()  # nothing more
    for expected in states[1:]:
        session.redo()
        np.testing.assert_array_equal(session.mask(), expected)
    session.redo()
    session.undo()
    session.draw(_line(y=5))
    assert not session.can_redo  # drawing ends it


def test_a_growing_stroke_is_one_action(session):
    session.draw(Stroke("mask", ((10, 10),), 5))
    for x in range(11, 60, 4):
        session.extend(x, 10)
    grown = session.mask()
    session.undo()
    assert not session.mask().any() and not session.can_undo
    session.redo()
    np.testing.assert_array_equal(session.mask(), grown)
    assert grown[10, 10:58].all()


def test_clearing_can_be_undone(session):
    session.clear()
    assert not session.can_undo  # there was nothing to clear
    session.draw(_line("mask"))
    session.draw(_line("edges"))
    session.clear()
    assert not session.mask().any() and not session.edges().any()
    session.undo()
    assert session.mask().any() and session.edges().any()


def test_a_loaded_mask_is_an_action_too(session):
    layer = np.zeros((60, 80), bool)
    layer[5:9] = True
    session.draw(_line())
    session.fill("mask", layer)
    np.testing.assert_array_equal(session.mask(), layer)
    session.undo()
    assert session.mask()[30, 40] and not session.mask()[5, 5]
    with pytest.raises(InputError, match="the mask has 3 x 2 pixels, but the image has 80 x 60"):
        session.fill("mask", np.zeros((2, 3), bool))
    with pytest.raises(InputError, match="the edge map has 3 x 2 pixels"):
        session.fill("edges", np.zeros((2, 3), bool))


def test_big_pictures_are_shown_small_and_drawn_large():
    session = Session(takes_edges=True)
    session.load(ImageFile(np.zeros((1000, 3000, 3), np.uint8), None, False))
    scale = session.scale_for(700, 1500)
    assert scale == 0.5
    session.draw(Stroke("mask", ((1000, 500),), 100))
    session.draw(Stroke("edges", ((0, 100), (3000, 100)), 1))
    assert abs(session.mask().sum() - np.pi * 50**2) < 200
    shown = session.preview(scale)
    assert shown.shape == (500, 1500, 3) and shown[250, 500].any()
    assert (shown[50] == EDGES_COLOUR).all(axis=-1).sum() > 1400  # a thin line stays to be seen
    assert session.scale_for(5000, 5000) == 1.0 and session.scale_for(5000, 7500, most=4.0) == 2.5
    assert session.overlay(scale).shape == (500, 1500, 4)


def test_small_pictures_can_be_shown_enlarged(session, image_file):
    session.draw(_line("mask"))
    session.draw(_line("edges", y=50, size=1))
    shown = session.preview(3.0)
    np.testing.assert_array_equal(shown[::3, ::3], session.preview())
    assert shown.shape == (180, 240, 3)


def test_preview_and_overlay_tell_hole_and_sketch(session, image_file):
    session.draw(_line("mask", y=20))
    session.draw(_line("edges", y=50, size=2))
    shown, overlay = session.preview(), session.overlay()
    free = ~session.mask() & ~session.edges()
    np.testing.assert_array_equal(shown[free], image_file.rgb[free])
    assert (shown[session.edges()] == EDGES_COLOUR).all()
    assert (overlay[free] == 0).all() and (overlay[session.edges()][:, 3] == 255).all()
    assert 0 < overlay[20, 40, 3] < 255


def test_completing(session, image_file, inpainter):
    with pytest.raises(InputError, match="there is no completed image yet"):
        session.output_at("completed")
    with pytest.raises(InputError, match="draw a hole first"):
        session.complete(inpainter)
    session.draw(_line("mask"))
    session.draw(_line("edges", size=2))
    session.complete(inpainter)
    image, mask, edges = inpainter.seen[0]
    assert image is image_file.rgb
    np.testing.assert_array_equal(mask, session.mask())
    np.testing.assert_array_equal(edges, session.edges())
    assert session.output_at("completed", 0.5).shape == (30, 40, 3)
    np.testing.assert_array_equal(session.image_at(), image_file.rgb)
    session.draw(_line("mask", y=5))
    np.testing.assert_array_equal(session.result_mask, mask)  # what was completed, not what is drawn now

    session.fill("mask", np.ones((60, 80), bool))
    with pytest.raises(InputError, match="covers the whole image"):
        session.complete(inpainter)
    session.load(image_file)
    assert session.result is None and not session.can_undo


def test_an_unguided_model_is_offered_no_sketch(image_file, unguided):
    session = Session(takes_edges=False)
    session.load(image_file)
    with pytest.raises(InputError, match="takes no edges"):
        session.draw(_line("edges"))
    session.draw(_line("mask"))
    session.complete(unguided)
    assert unguided.seen[0][2] is None and session.edges() is None


@pytest.mark.parametrize(
    "stroke, said",
    [
        (Stroke("sky", ((1, 1),), 5), "a layer is mask or edges"),
        (Stroke("mask", (), 5), "1 to 5000 points, not 0"),
        (Stroke("mask", ((0, 0),) * (MOST_POINTS + 1), 5), "not 5001"),
        (Stroke("mask", ((float("nan"), 0),), 5), "near the image"),
        (Stroke("mask", ((1e9, 0),), 5), "near the image"),
        (Stroke("mask", ((1, 1),), 0.5), "at least a pixel"),
        (Stroke("mask", ((1, 1),), float("inf")), "near the image"),
    ],
)
def test_impossible_strokes_change_nothing(session, stroke, said):
    with pytest.raises(InputError, match=said):
        session.draw(stroke)
    assert not session.can_undo and not session.mask().any()


def test_strokes_may_leave_the_picture(session):
    session.draw(Stroke("mask", ((-30, 30), (200, 30)), 10))
    assert session.mask()[30].all()


def test_the_oldest_of_many_strokes_stay_but_cannot_be_undone(session, monkeypatch):
    monkeypatch.setattr(session_module, "MOST_ACTIONS", 60)
    session.draw(_line(y=10))
    oldest = session.mask()
    for x in range(60):
        session.draw(Stroke("mask", ((x, 50),), 3))
    drawn = session.mask()
    for _ in range(60):
        session.undo()
    assert not session.can_undo
    np.testing.assert_array_equal(session.mask(), oldest)
    for _ in range(60):
        session.redo()
    np.testing.assert_array_equal(session.mask(), drawn)
    session.clear()
    assert session.is_blank


@pytest.mark.parametrize("kind", ["strokes", "masks"])
def test_memory_is_bounded_however_much_is_drawn(session, monkeypatch, kind):
    monkeypatch.setattr(session_module, "MOST_BYTES", 10_000)
    rng = np.random.default_rng(0)
    for x in range(60):
        if kind == "strokes":
            session.draw(Stroke("mask", ((x, 1),) * MOST_POINTS, 1))
        else:
            session.fill("mask", rng.random((60, 80)) < 0.5)
    assert sum(len(change) for action in session._done for change in action) <= 10_000
    session.undo()
    assert session.mask().any()


def test_large_strokes_and_their_undo_are_quick(monkeypatch):
    session = Session(takes_edges=True)
    session.load(ImageFile(np.zeros((1024, 1024, 3), np.uint8), None, False))
    points = tuple(map(tuple, np.random.default_rng(0).uniform(-1000, 2000, (MOST_POINTS, 2))))
    start = time.monotonic()
    for size in (1024, 10240) * 5:
        session.draw(Stroke("mask", points, size))
    for change in (session.undo, session.redo) * 10:
        change()
    assert time.monotonic() - start < 5
    assert session.mask().all()


@pytest.mark.parametrize("shape, point, size", [((1, 40_000), (20_000, 0), 40_000), ((500, 300), (30, 40), 5000)])
def test_a_brush_broader_than_the_image(shape, point, size):
    session = Session(takes_edges=True)
    session.load(ImageFile(np.zeros((*shape, 3), np.uint8), None, False))
    session.draw(Stroke("mask", (point,), size))
    assert session.mask().mean() > 0.99
    session.draw(Stroke("mask", ((3 * size // 100, 0),), size))
    session.draw(Stroke("mask", (point,), size, erase=True))
    assert session.mask().mean() < 0.01
    session.undo()
    session.undo()
    session.undo()
    assert not session.mask().any()


def test_a_stroke_drawn_from_distances_is_the_one_that_opencv_draws(session, monkeypatch):
    stroke = Stroke("mask", ((20, 20), (60, 30), (30, 70)), 12)
    session.draw(stroke)
    drawn = session.mask()
    session.undo()
    monkeypatch.setattr(session_module, "_BROADEST", 1)
    session.draw(stroke)
    assert drawn.any() and (session.mask() != drawn).mean() < 0.02


def test_what_is_completed_is_what_was_there_at_the_start(session, image_file, inpainter):
    session.draw(_line())
    task = session.task()
    session.draw(_line(y=5))
    session.accept(task, inpainter.outputs(*task[:3]))
    np.testing.assert_array_equal(session.result_mask, task[1])
    assert set(session.result) == {"completed", "attention"}
    session.load(ImageFile(image_file.rgb.copy(), None, False))
    with pytest.raises(InputError, match="another image was loaded"):
        session.accept(task, inpainter.outputs(*task[:3]))
    assert session.result is None


def test_where_attention_looked_is_shown_of_models_that_have_any(session, inpainter):
    with pytest.raises(InputError, match="there is no attention image yet"):
        session.output_at("attention")
    session.draw(_line())
    task = session.task()
    session.accept(task, {"completed": inpainter.outputs(*task[:3])["completed"]})
    with pytest.raises(InputError, match="this model has no attention image: the weights photos_v1 have one"):
        session.output_at("attention")


def test_limits(session, image_file):
    small = Session(True, max_pixels=1000)
    with pytest.raises(InputError, match=r"80 x 60 = 4,800 pixels, more than the limit of 1,000"):
        small.load(image_file)
    with pytest.raises(InputError, match="load an image first"):
        small.mask()
    with pytest.raises(InputError, match="load an image first"):
        small.draw(_line())


def test_what_a_session_holds_counts_sixteen_bits(session, image_file):
    before = session.bytes
    deep = np.zeros((*image_file.rgb.shape[:2], 1), np.uint16)
    session.load(image_file._replace(deep=deep))
    assert session.bytes == before + deep.nbytes
