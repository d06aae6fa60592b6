"""The demo as a window of OpenCV: draw with the mouse, everything else by keys."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np

from tf_inpaint.demo.session import EDGES, MASK, Session, Stroke
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import restore, write_png

TITLE = "tf_inpaint"
_LARGEST = (760, 1200)  # height and width of the image on the screen
_SMALLEST_WIDTH = 480  # of the window: the line of text must fit
_BAR = 28
_LINE = 22  # of the help
_LARGEST_SCALE = 4.0  # small images are enlarged, or nobody could draw on them
_PROBE_SECONDS = 30
_PROBE = "import cv2; cv2.namedWindow('probe'); cv2.destroyAllWindows()"
_HELP = {
    "left button": "draw the hole",
    "right button": "draw the edges",
    "+ -": "hole brush",
    "] [": "brush of edges",
    "e": "eraser on / off",
    "u r": "undo, redo",
    "c": "clear",
    "space": "complete",
    "b": "before / after",
    "a": "where it looked",
    "s": "save",
    "h": "this help",
    "q": "quit",
}


def check_display() -> None:
    """Raise InputError where no window can be opened.

    A display may be named that does not answer, and OpenCV then ends the whole program; so another program tries.
    """
    if not sys.platform.startswith("linux"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise InputError("there is no display for a window here: add --web to draw in a browser")
    try:
        probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, timeout=_PROBE_SECONDS, check=False)
        opened = probe.returncode == 0
    except subprocess.TimeoutExpired:
        opened = False
    if not opened:
        raise InputError(
            "no window can be opened: the display does not answer, or OpenCV was installed without windows "
            "(opencv-python-headless): add --web to draw in a browser"
        )


def layer_files(output: str) -> dict[str, str]:
    """Layer -> the file beside an output into which it is saved."""
    stem = os.path.splitext(output)[0]
    return {MASK: f"{stem}_mask.png", EDGES: f"{stem}_edge.png"}


class Window:
    """A session in a window.

    Args:
        session: with an image loaded.
        inpainter: completes it.
        output: a PNG, where saving puts the completed image; mask and edges go beside it.
    """

    def __init__(self, session: Session, inpainter, output: str):
        self._session = session
        self._inpainter = inpainter
        self._output = output
        self._scale = session.scale_for(*_LARGEST, most=_LARGEST_SCALE)
        self._sizes = session.default_sizes()
        self._erase = False
        self._drawing = False
        self._layer = MASK  # whose brush the ring shows
        self._help = False
        self._view = "drawing"
        self._pointer = None  # where the mouse is, in pixels of the window
        self._stale = True  # whether the window shows something else than it should
        self._help_lines = {key: does for key, does in _HELP.items() if session.takes_edges or "edges" not in does}
        self._message = "h: help"
        self._keys = {
            **dict.fromkeys(" \r", self._complete),
            "u": lambda: self._change(session.undo),
            "r": lambda: self._change(session.redo),
            "c": lambda: self._change(session.clear),
            **dict.fromkeys("+=", lambda: self._resize(MASK, 1.25)),
            "-": lambda: self._resize(MASK, 0.8),
            "]": lambda: self._resize(EDGES, 1.25),
            "[": lambda: self._resize(EDGES, 0.8),
            "e": self._toggle_eraser,
            "b": lambda: self._show("completed"),
            "a": lambda: self._show("attention"),
            "s": self._save,
            "h": self._toggle_help,
        }

    def run(self) -> None:
        """Show the window until it is closed, or q or Escape is pressed; an OpenCV without windows is an InputError."""
        try:
            cv2.namedWindow(TITLE, cv2.WINDOW_AUTOSIZE | getattr(cv2, "WINDOW_GUI_NORMAL", 0))
        except cv2.error as error:
            raise InputError("this OpenCV is built without windows: add --web to draw in a browser") from error
        cv2.setMouseCallback(TITLE, self._mouse)
        try:
            while True:
                if self._stale:  # once for all the moves of the mouse since, or drawing would lag behind the hand
                    self._refresh()
                key = cv2.waitKey(20)
                if cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1 or key & 0xFF in (27, ord("q")):
                    return
                if key >= 0:
                    self.press(chr(key & 0xFF))
        finally:
            cv2.destroyAllWindows()

    def press(self, key: str) -> None:
        """Do what a key stands for; mistakes are shown in the window."""
        if key not in self._keys:
            return
        try:
            self._keys[key]()
        except InputError as error:
            self._message = str(error)
        self._refresh()

    def image(self) -> np.ndarray:
        """What the window shows: uint8 RGB."""
        if self._view == "drawing":
            image = self._session.preview(self._scale)
        else:
            image = self._session.output_at(self._view, self._scale)
        (height, width), help_height = image.shape[:2], _LINE * (len(self._help_lines) + 1)
        shape = (max(height, help_height * self._help), max(width, _SMALLEST_WIDTH), 3)
        canvas = np.full(shape, 32, np.uint8)
        canvas[:height, :width] = image
        if self._help:
            canvas = _with_help(canvas, self._help_lines)
        elif self._pointer is not None and self._view == "drawing":
            self._draw_brush(canvas[:height, :width])
        canvas = np.pad(canvas, [(0, _BAR), (0, 0), (0, 0)], constant_values=48)
        _write(canvas, self._message, (8, canvas.shape[0] - 9))
        return canvas

    def _mouse(self, event, x, y, flags, _):
        if event in (cv2.EVENT_LBUTTONDOWN, cv2.EVENT_RBUTTONDOWN):
            self._begin(MASK if event == cv2.EVENT_LBUTTONDOWN else EDGES, x, y)
        elif event == cv2.EVENT_MOUSEMOVE and self._drawing:
            self._session.extend(x / self._scale, y / self._scale)
        elif event in (cv2.EVENT_LBUTTONUP, cv2.EVENT_RBUTTONUP):
            self._drawing, self._layer = False, MASK
        self._pointer, self._stale = (x, y), True

    def _begin(self, layer, x, y):
        self._view, self._help, self._layer = "drawing", False, layer
        try:
            point = (x / self._scale, y / self._scale)
            self._session.draw(Stroke(layer, (point,), self._sizes[layer], self._erase))
            self._drawing, self._message = True, self._brushes()
        except InputError as error:
            self._message = str(error)

    def _change(self, change):
        self._drawing = False  # or the stroke before would be lengthened
        change()
        self._view, self._message = "drawing", self._brushes()

    def _complete(self):
        self._message = "completing ..."
        self._refresh()
        cv2.waitKey(1)
        self._session.complete(self._inpainter)
        looked = ", a: where it looked" if "attention" in self._session.result else ""
        self._view, self._message = "completed", f"completed; b: before / after{looked}, s: save"

    def _show(self, view):
        view = "drawing" if self._view == view else view
        if view != "drawing":
            self._session.output_at(view, self._scale)
        self._view = view
        self._message = {"drawing": "before", "completed": "after", "attention": "where it looked"}[view]

    def _resize(self, layer, factor):
        size = self._sizes[layer]
        change = max(1, round(size * abs(factor - 1))) * (1 if factor > 1 else -1)
        self._sizes[layer] = min(max(1, size + change), max(self._session.size))
        self._message = self._brushes()

    def _toggle_eraser(self):
        self._erase = not self._erase
        self._message = self._brushes()

    def _toggle_help(self):
        self._help = not self._help

    def _brushes(self):
        edges = f", edges {self._sizes[EDGES]}" if self._session.takes_edges else ""
        return (
            f"{'eraser' if self._erase else 'brush'}: hole {self._sizes[MASK]}{edges} pixels; space: complete, h: help"
        )

    def _save(self):
        session, files = self._session, layer_files(self._output)
        layers = {files[MASK]: session.mask()}
        if session.takes_edges:
            layers[files[EDGES]] = session.edges()
        if session.result is not None:
            completed = restore(session.image, session.result["completed"], session.result_mask)
            write_png(self._output, completed, session.image.metadata)
        for path, layer in layers.items():
            write_png(path, layer)
        saved = [self._output] * (session.result is not None) + list(layers)
        print("\n".join(saved), flush=True)
        self._message = f"saved {', '.join(os.path.basename(path) for path in saved)}"

    def _draw_brush(self, canvas):
        """A ring as large as the brush, around the pointer."""
        radius = max(2, round(self._sizes[self._layer] * self._scale / 2))
        for colour, more in (((0, 0, 0), 1), ((255, 255, 255), 0)):
            cv2.circle(canvas, self._pointer, radius + more, colour, 1, cv2.LINE_AA)

    def _refresh(self):
        self._stale = False
        cv2.imshow(TITLE, np.ascontiguousarray(self.image()[..., ::-1]))


def _with_help(canvas, lines):
    canvas = (canvas * 0.35).astype(np.uint8)
    for row, (keys, meaning) in enumerate(lines.items(), 1):
        _write(canvas, keys, (16, _LINE * row + 5))
        _write(canvas, meaning, (140, _LINE * row + 5))
    return canvas


def _write(canvas, text, corner):
    text = text.encode("ascii", "replace").decode()
    cv2.putText(canvas, text, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (235, 235, 235), 1, cv2.LINE_AA)
