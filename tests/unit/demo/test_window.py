"""The window without a screen: what keys do and what is shown. tests/e2e drives a real one."""

import numpy as np
import pytest

from tf_inpaint.demo import window as window_module
from tf_inpaint.demo.session import Session, Stroke
from tf_inpaint.demo.window import Window, check_display
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import read_image, read_mask


@pytest.fixture
def window(monkeypatch, tmp_path, image_file, inpainter):
    shown = []
    monkeypatch.setattr(window_module.cv2, "imshow", lambda title, image: shown.append(image))
    monkeypatch.setattr(window_module.cv2, "waitKey", lambda delay: -1)
    session = Session(inpainter.takes_edges)
    session.load(image_file)
    window = Window(session, inpainter, str(tmp_path / "out.png"))
    window.session, window.shown_images, window.folder = session, shown, tmp_path
    return window


def _draw(window):
    window.session.draw(Stroke("mask", ((20, 30), (60, 30)), 10))
    window.session.draw(Stroke("edges", ((20, 30), (60, 30)), 1))


def test_keys_draw_complete_and_save(window, image_file):
    _draw(window)
    window.press("s")
    assert sorted(path.name for path in window.folder.iterdir()) == ["out_edge.png", "out_mask.png"]
    window.press(" ")
    window.press("s")
    mask = read_mask(window.folder / "out_mask.png") > 127
    completed = read_image(window.folder / "out.png").rgb
    np.testing.assert_array_equal(mask, window.session.mask())
    np.testing.assert_array_equal(completed[~mask], image_file.rgb[~mask])
    assert (completed[mask & ~window.session.edges()] == (10, 20, 30)).all()
    window.press("u")
    window.press("u")
    assert not window.session.can_undo
    window.press("r")
    assert window.session.mask().any()
    window.press("c")
    assert not window.session.mask().any()


def test_views_are_toggled(window):
    _draw(window)
    drawing = window.image()
    window.press(" ")
    after = window.image()
    window.press("b")
    assert (window.image() != after).any()
    window.press("b")
    np.testing.assert_array_equal(window.image()[:100], after[:100])
    window.press("a")
    assert (window.image()[:100, :100] == 99).all()
    window.press("u")
    assert window.image().shape == drawing.shape


def test_mistakes_are_shown_not_raised(window):
    before = window.image()
    window.press(" ")  # no hole yet
    window.press("b")  # nothing completed yet
    assert (window.image() != before)[-28:].any()  # the line of text
    window.press("x")  # no meaning


def test_help_fits_however_small_the_picture(window):
    assert window.image().shape[1] >= 480
    plain = window.image().shape[0]
    window.press("h")
    assert window.image().shape[0] >= max(plain, 300)
    window.press("h")
    assert window.image().shape[0] == plain


def test_brushes_and_eraser(window):
    sizes = dict(window._sizes)
    window.press("+")
    window.press("]")
    assert all(window._sizes[layer] > size for layer, size in sizes.items())
    for _ in range(50):
        window.press("-")
        window.press("[")
    assert set(window._sizes.values()) == {1}
    window.press("e")
    window._mouse(window_module.cv2.EVENT_LBUTTONDOWN, 10, 10, 0, None)
    assert window.session._growing[0].erase


def test_the_mouse_draws_in_picture_pixels(window):
    cv2, scale = window_module.cv2, window._scale
    assert scale == 4.0  # 60 x 80 is small
    window._mouse(cv2.EVENT_MOUSEMOVE, 5, 5, 0, None)  # nothing held
    assert not window.session.can_undo
    window._mouse(cv2.EVENT_LBUTTONDOWN, 20 * 4, 30 * 4, 0, None)
    window._mouse(cv2.EVENT_MOUSEMOVE, 60 * 4, 30 * 4, 0, None)
    window._mouse(cv2.EVENT_LBUTTONUP, 60 * 4, 30 * 4, 0, None)
    window._mouse(cv2.EVENT_MOUSEMOVE, 70 * 4, 5 * 4, 0, None)
    assert window.session.mask()[30, 20:61].all() and not window.session.mask()[5].any()
    window._mouse(cv2.EVENT_RBUTTONDOWN, 8, 8, 0, None)
    assert window.session.edges()[2, 2]


def test_undoing_while_drawing_ends_the_stroke(window):
    cv2 = window_module.cv2
    _draw(window)
    before = window.session.edges()
    window._mouse(cv2.EVENT_LBUTTONDOWN, 40, 200, 0, None)
    window.press("u")
    window._mouse(cv2.EVENT_MOUSEMOVE, 300, 200, 0, None)
    np.testing.assert_array_equal(window.session.edges(), before)


def test_a_ring_shows_the_brush_in_the_window_only(window):
    cv2 = window_module.cv2
    plain, scale = window.image(), window._scale
    window._mouse(cv2.EVENT_MOUSEMOVE, 160, 120, 0, None)
    ring = np.argwhere((window.image() != plain).any(axis=2))
    assert abs(np.ptp(ring[:, 1]) - window._sizes["mask"] * scale) <= 4
    assert not window.session.can_undo and not window.shown_images  # nothing drawn, and no image for every move
    window.press("h")
    assert window.image().shape[2] == 3


def test_an_unguided_model_has_no_sketch_in_its_help(image_file, unguided, tmp_path):
    session = Session(takes_edges=False)
    session.load(image_file)
    window = Window(session, unguided, str(tmp_path / "o.png"))
    assert len(window._help_lines) == len(window_module._HELP) - 2
    assert not any("edges" in meaning for meaning in window._help_lines.values())


def test_no_display_points_to_the_page(monkeypatch):
    monkeypatch.setattr(window_module.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(InputError, match="add --web"):
        check_display()


@pytest.mark.slow  # it starts another program
@pytest.mark.skipif(not window_module.sys.platform.startswith("linux"), reason="displays are tried on Linux only")
@pytest.mark.parametrize("name, value", [("DISPLAY", ":7654"), ("WAYLAND_DISPLAY", "nowhere")])
def test_a_display_that_does_not_answer_does_not_end_the_program(monkeypatch, name, value):
    for display in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(display, raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="the display does not answer, .*: add --web"):
        check_display()


def test_an_opencv_without_windows_points_to_the_page(window, monkeypatch):
    def refuse(*_):
        raise window_module.cv2.error("no GUI")

    monkeypatch.setattr(window_module.cv2, "namedWindow", refuse)
    with pytest.raises(InputError, match="without windows: add --web"):
        window.run()
