"""What the page may ask for, as a Flask application.

Every visitor has a drawing session of their own, found by a random token in a cookie and kept in memory: nothing is
written to disk, and no address of an image could be guessed. The page sends strokes; what counts is drawn here, by the
same session object as in the window. Visitors' mistakes come back as {"error": one sentence}.
"""

from __future__ import annotations

import io
import logging
import os
import re
import threading
import time
from contextlib import contextmanager

import flask
from werkzeug.exceptions import HTTPException

from tf_inpaint.demo.session import MASK, Session, Stroke
from tf_inpaint.demo.visitors import Turns, Visitors
from tf_inpaint.errors import InputError, one_line
from tf_inpaint.inference.blending import BLENDINGS
from tf_inpaint.io.holes import read_holes, strange_cover
from tf_inpaint.io.images import check_image, encode_image, encode_png, read_image, read_mask, restore
from tf_inpaint.ops.holes import MOST_GROWTH
from tf_inpaint.ops.levels import EDGE_THRESHOLD

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_BYTES = 32 << 20  # of an upload
MOST_JSON_BYTES = 1 << 20  # of a stroke
MOST_WAITING = 4  # completions, the running one included
MOST_DECODED = 2  # uploads at a time
SESSION_BYTES_PER_PIXEL = 24
MOST_HELD = 1 << 30  # bytes of all sessions, or two of the largest images
VIEW_SIDE = 1200  # images are shown at most so large
KINDS = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}  # of downloads
_COOKIE = "tf_inpaint_session"  # with the port: cookies are shared by all ports of a machine
_HEADER = "X-Requested-With"  # a page of another site cannot send it without asking first
_POLICY = "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

_log = logging.getLogger(__name__)


def make_app(inpainter, host: str = "127.0.0.1", prepare=None, mask_from: str = "auto") -> flask.Flask:
    """The application.

    Args:
        inpainter: completes images; one at a time.
        host: address it will listen at. At a loopback address, requests under any other name are refused, lest a page
            elsewhere reach it by a name of its own.
        prepare: function of a new session, such as to load an image into it.
        mask_from: what of masks that are uploaded is the hole, one of `io.holes.MASK_SOURCES`.
    Raises:
        InputError: what `prepare` says about a session; visitors shall not be the first to see it.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    app = flask.Flask("tf_inpaint.demo", static_folder="page", static_url_path="/page", root_path=here)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    page = _Page(inpainter, prepare, mask_from, _index(os.path.join(here, "page", "index.html"), host in LOOPBACK))
    app.before_request(lambda: _guard(host))
    app.after_request(_harden)
    app.register_error_handler(InputError, lambda error: _problem(error, 400))
    app.register_error_handler(_Ended, lambda error: _problem(error, 410))
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, _defect)
    app.get("/")(page.index)
    app.get("/api/state")(page.state)
    app.post("/api/picture")(page.load_image)
    app.post("/api/layer/<layer>")(page.load_layer)
    app.post("/api/stroke")(page.draw)
    app.post("/api/<any(undo, redo, clear):change>")(page.change)
    app.post("/api/complete")(page.complete)
    app.get("/api/view/<any(picture, completed, attention, overlay):name>.png")(page.view)
    app.get("/api/<any(mask, edges):layer>.png")(page.download_layer)
    app.get("/api/completed.<any(png, jpg, webp):ending>")(page.download)
    return app


class _Page:
    """The answers to requests, each from and about the visitor's own session."""

    def __init__(self, inpainter, prepare, mask_from, index):
        self._inpainter = inpainter
        self._index = index
        self._mask_from = mask_from
        self._prepare = prepare or (lambda session: None)
        self._begin()  # where it cannot be prepared, that is told at once
        most_pixels = inpainter.max_pixels or 0
        self._visitors = Visitors(self._begin, max(MOST_HELD, 2 * SESSION_BYTES_PER_PIXEL * most_pixels))
        self._decoding = threading.BoundedSemaphore(MOST_DECODED)
        self._turns = Turns(MOST_WAITING)

    def index(self):
        response = flask.make_response(self._index)
        if self._visitor() is None:
            token = self._visitors.welcome()
            response.set_cookie(_cookie(), token, httponly=True, samesite="Strict", max_age=24 * 3600)
        return response

    def state(self):
        with self._session() as session:
            return _state(session)

    def load_image(self):
        data = flask.request.get_data()
        with self._session() as session, self._decoding:
            session.check_size(*check_image(data))
            image = read_image(data)
            session.load(image)
        return _warned(self._changed(), "the picture", image.notes)

    def load_layer(self, layer):
        data = flask.request.get_data()
        with self._session() as session, self._decoding:
            session.check_size(*check_image(data))
            values, warning = read_holes(data, self._mask_from) if layer == MASK else (_lines(data), None)
            session.fill(layer, values)
            sentences = [warning, strange_cover(values)] if layer == MASK else []
            return _warned(_state(session), "the mask", [*filter(None, sentences)])

    def draw(self):
        stroke = _stroke(_json())
        with self._session() as session:
            session.draw(stroke)
            return _state(session)

    def change(self, change):
        with self._session() as session:
            {"undo": session.undo, "redo": session.redo, "clear": session.clear}[change]()
            return _state(session)

    def complete(self):
        grow, blending = _settings()
        with self._turns.take():
            start = time.monotonic()
            with self._session() as session:
                task = session.task(grow)
            # The session is free meanwhile, or it would hold all threads.
            outputs = self._inpainter.outputs(*task[:3], blending=blending)
            with self._session() as session:
                session.accept(task, outputs)
            return {**self._changed(), "seconds": round(time.monotonic() - start, 2)}

    def view(self, name):
        with self._session() as session:
            scale = session.scale_for(VIEW_SIDE, VIEW_SIDE)
            shown = {"picture": session.image_at, "overlay": session.overlay}.get(name)
            return _png(shown(scale) if shown else session.output_at(name, scale))

    def download(self, ending):
        name = f"completed.{ending}"
        with self._session() as session:
            completed = restore(session.image, session.output_at("completed"), session.result_mask)
            contents = encode_image(name, completed, session.image.metadata, white=session.image.white)
            return _file(contents, KINDS[ending], name)

    def download_layer(self, layer):
        with self._session() as session:
            values = session.mask() if layer == MASK else session.edges()
            if values is None:
                raise InputError("this model takes no edges")
            return _png(values, f"{layer}.png")

    def _changed(self):
        """The state after a session has grown, for which others that rest make room."""
        visitor = self._visitor()
        if visitor is not None:
            self._visitors.make_room(visitor)
        return self.state()

    def _begin(self):
        session = Session(self._inpainter.takes_edges, self._inpainter.max_pixels)
        self._prepare(session)
        return session

    def _visitor(self):
        return self._visitors.find(flask.request.cookies.get(_cookie()))

    @contextmanager
    def _session(self):
        """The visitor's session, locked."""
        visitor = self._visitor()
        if visitor is None:
            raise _Ended("your session has ended: reload the page")
        with visitor.lock:
            yield visitor.session


class _Ended(Exception):
    """The request names no session, or one that is no more."""


# Requests


def _guard(host):
    name = flask.request.host.rsplit(":", 1)[0].strip("[]")
    if host in LOOPBACK and name not in LOOPBACK:
        return _problem(f"this page is served as {host} only", 403)
    if flask.request.method == "POST" and flask.request.headers.get(_HEADER) != "tf_inpaint":
        return _problem(f"requests must carry the header {_HEADER}: tf_inpaint", 403)
    return None


def _cookie():
    return f"{_COOKIE}_{flask.request.environ.get('SERVER_PORT', '')}"


def _json() -> dict:
    if (flask.request.content_length or 0) > MOST_JSON_BYTES:
        raise InputError(f"a stroke may have {MOST_JSON_BYTES >> 20} MiB at most")
    try:
        data = flask.request.get_json(silent=True)
    except RecursionError:
        data = None
    if not isinstance(data, dict):
        raise InputError("the request holds no JSON object")
    return data


def _lines(data):
    return read_mask(data) > EDGE_THRESHOLD


def _stroke(data) -> Stroke:
    try:
        points = tuple((float(x), float(y)) for x, y in data["points"])
        return Stroke(str(data["layer"]), points, float(data["size"]), bool(data.get("erase", False)))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError("a stroke is {layer, points: [[x, y], ...], size, erase}") from error


def _settings():
    """(grow, blending) of a request that says how to complete, or leaves it to the model."""
    data = _json() if flask.request.content_length else {}
    grow, blending = data.get("grow", 0), data.get("blend")
    if type(grow) is not int or not 0 <= grow <= MOST_GROWTH:
        raise InputError(f"holes grow by 0 to {MOST_GROWTH} pixels")
    if blending is not None and blending not in [*BLENDINGS]:
        raise InputError(f"a blending is one of {', '.join(BLENDINGS)}")
    return grow, blending


# Responses


def _state(session) -> dict:
    """What the page has to know."""
    state = {"takes_edges": session.takes_edges, "loaded": session.image is not None, "revision": session.revision}
    if session.image is not None:
        height, width = session.size
        state.update(height=height, width=width, sizes=session.default_sizes(), empty=not session.mask().any())
        state.update(can_undo=session.can_undo, can_redo=session.can_redo, blank=session.is_blank)
        state.update(completed=session.result is not None, attention="attention" in (session.result or {}))
    return state


def _warned(state, what, sentences) -> dict:
    """A state, with sentences about what was uploaded, each to follow its name."""
    return {**state, "warning": "; ".join(f"{what} {sentence}" for sentence in sentences)} if sentences else state


def _index(path, at_home):
    """The page, which says that pictures stay here only where no other machine reaches it."""
    with open(path, encoding="utf-8") as file:
        return file.read() if at_home else re.sub('<span class="home">.*?</span>', "", file.read())


def _png(array, name=None):
    return _file(encode_png(array, compress_level=3), KINDS["png"], name)


def _file(contents, kind, name):
    """An image, or a download where it has a name."""
    return flask.send_file(io.BytesIO(contents), kind, as_attachment=name is not None, download_name=name)


def _harden(response):
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def _refused(error):
    if error.code == 413:
        return _problem(f"an upload may have {MOST_BYTES >> 20} MiB at most", 413)
    return _problem(f"{error.name.lower()}: {error.description}", error.code)


def _defect(error):
    _log.exception("a request failed")
    return _problem("something went wrong in the demo itself; its terminal tells what", 500)


def _problem(sentence, code):
    response = flask.jsonify(error=one_line(sentence))
    response.status_code = code
    return response
