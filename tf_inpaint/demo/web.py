"""The demo as a page in the browser, by Flask and waitress.

Every visitor has a drawing session of their own, found by a random token in a cookie and kept in memory: nothing is
written to disk, and no address of a picture could be guessed. The page sends strokes; what counts is drawn here, by the
same session object as in the window. Visitors' mistakes come back as {"error": one sentence}.
"""

from __future__ import annotations

import io
import logging
import os
import secrets
import threading
import time
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
from PIL import Image

from tf_inpaint.demo.session import MASK, Session, Stroke
from tf_inpaint.errors import InputError, one_line
from tf_inpaint.io.images import read_image, read_mask
from tf_inpaint.ops.levels import EDGE_THRESHOLD, MASK_THRESHOLD
from tf_inpaint.predict.command import restore

MOST_BYTES = 32 << 20  # of an upload
MOST_JSON_BYTES = 1 << 20  # of a stroke
MOST_SESSIONS = 32
IDLE_SECONDS = 3600
MOST_WAITING = 4  # completions, the running one included
VIEW_SIDE = 1200  # pictures are shown at most so large
_COOKIE = "tf_inpaint_session"  # with the port: cookies are shared by all ports of a machine
_HEADER = "X-Requested-With"  # a page of another site cannot send it without asking first
_POLICY = "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

_HERE = os.path.dirname(os.path.abspath(__file__))
_log = logging.getLogger(__name__)


def check_installed() -> None:
    """Raise InputError where Flask or waitress is missing."""
    missing = [name for name in ("flask", "waitress") if find_spec(name) is None]
    if missing:
        raise InputError(f"the page needs {' and '.join(missing)}: pip install 'tf_inpaint[demo]'")


def serve(inpainter, host: str, port: int, prepare=None) -> None:
    """Serve the page until interrupted, having printed its address; arguments as `make_app`.

    Raises:
        InputError: if the port is taken, or a session cannot be prepared.
    """
    import waitress

    app, most = make_app(inpainter, host, prepare), MOST_BYTES + 4096
    try:
        server = waitress.create_server(
            app,
            host=host,
            port=port,
            threads=8,
            max_request_body_size=most,
            inbuf_overflow=2 * most,  # above which waitress would write to a file
            outbuf_overflow=1 << 30,
        )
    except OSError as error:
        raise InputError(f"cannot listen at {host}:{port}: {error.strerror or error}; try another --port") from error
    print(f"draw at http://{f'[{host}]' if ':' in host else host}:{port}/   (Ctrl-C ends)", flush=True)
    try:
        server.run()
    finally:
        server.close()


def make_app(inpainter, host: str = "127.0.0.1", prepare=None):
    """The Flask application.

    Args:
        inpainter: completes pictures; one at a time.
        host: address it will listen at. At a loopback address, requests under any other name are refused, lest a page
            elsewhere reach it by a name of its own.
        prepare: function of a new session, such as to load a picture into it.
    Raises:
        InputError: what `prepare` says about a session; visitors shall not be the first to see it.
    """
    import flask
    from werkzeug.exceptions import HTTPException

    _new_session(inpainter, prepare)
    app = flask.Flask("tf_inpaint.demo", static_folder="page", static_url_path="/page", root_path=_HERE)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    visitors = Visitors(lambda: _new_session(inpainter, prepare))
    turns = Turns(MOST_WAITING)

    @app.before_request
    def guard():
        name = flask.request.host.rsplit(":", 1)[0].strip("[]")
        loopback = ("127.0.0.1", "localhost", "::1")
        if host in loopback and name not in loopback:
            return _problem(f"this page is served as {host} only", 403)
        if flask.request.method == "POST" and flask.request.headers.get(_HEADER) != "tf_inpaint":
            return _problem(f"requests must carry the header {_HEADER}: tf_inpaint", 403)
        return None

    @app.after_request
    def harden(response):
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.errorhandler(InputError)
    def mistake(error):
        return _problem(str(error), 400)

    @app.errorhandler(_Ended)
    def ended(error):
        return _problem(str(error), 410)

    @app.errorhandler(HTTPException)
    def refused(error):
        if error.code == 413:
            return _problem(f"an upload may have {MOST_BYTES >> 20} MiB at most", 413)
        return _problem(f"{error.name.lower()}: {error.description}", error.code)

    @app.errorhandler(Exception)
    def defect(error):
        _log.exception("a request failed")
        return _problem("something went wrong in the demo itself; its terminal tells what", 500)

    def cookie():
        return f"{_COOKIE}_{flask.request.environ.get('SERVER_PORT', '')}"

    @contextmanager
    def session():
        """The visitor's session, locked."""
        visitor = visitors.find(flask.request.cookies.get(cookie()))
        if visitor is None:
            raise _Ended("your session has ended: reload the page")
        with visitor.lock:
            yield visitor.session

    def body():
        if (flask.request.content_length or 0) > MOST_JSON_BYTES:
            raise InputError(f"a stroke may have {MOST_JSON_BYTES >> 20} MiB at most")
        try:
            data = flask.request.get_json(silent=True)
        except RecursionError:
            data = None
        if not isinstance(data, dict):
            raise InputError("the request holds no JSON object")
        return data

    @app.get("/")
    def page():
        response = flask.make_response(app.send_static_file("index.html"))
        if visitors.find(flask.request.cookies.get(cookie())) is None:
            token = visitors.welcome()
            response.set_cookie(cookie(), token, httponly=True, samesite="Strict", max_age=24 * 3600)
        return response

    @app.get("/api/state")
    def state():
        with session() as own:
            return _state(own)

    @app.post("/api/picture")
    def load_picture():
        data = flask.request.get_data()
        with session() as own:
            own.load(read_image(data, pixel_limit=inpainter.max_pixels))
            return _state(own)

    @app.post("/api/layer/<layer>")
    def load_layer(layer):
        data = flask.request.get_data()
        with session() as own:
            threshold = MASK_THRESHOLD if layer == MASK else EDGE_THRESHOLD
            own.fill(layer, read_mask(data, pixel_limit=inpainter.max_pixels) > threshold)
            return _state(own)

    @app.post("/api/stroke")
    def stroke():
        drawn = _stroke(body())
        with session() as own:
            own.draw(drawn)
            return _state(own)

    @app.post("/api/<any(undo, redo, clear):change>")
    def change(change):
        with session() as own:
            getattr(own, change)()
            return _state(own)

    @app.post("/api/complete")
    def complete():
        with turns.take():
            start = time.monotonic()
            with session() as own:
                task = own.task()
            outputs = inpainter.outputs(*task)  # the session is free meanwhile, or its requests would hold all threads
            with session() as own:
                own.accept(task, outputs)
                return {**_state(own), "seconds": round(time.monotonic() - start, 2)}

    @app.get("/api/view/<any(picture, completed, attention, overlay):name>.png")
    def view(name):
        with session() as own:
            scale = own.scale_for(VIEW_SIDE, VIEW_SIDE)
            return _png(own.overlay(scale) if name == "overlay" else own.shown(name, scale))

    @app.get("/api/<any(completed, mask, edges):name>.png")
    def download(name):
        with session() as own:
            if name == "completed":
                own.shown(name)  # refuses in words where there is none
                return _png(restore(own.picture, own.result[name], own.result_mask), "completed.png")
            plane = own.mask() if name == MASK else own.edges()
            if plane is None:
                raise InputError("this model takes no sketch")
            return _png(np.where(plane, np.uint8(255), np.uint8(0)), f"{name}.png")

    return app


class _Ended(Exception):
    """The request names no session, or one that is no more."""


class Visitors:
    """Sessions by token: the idle ones end, and of too many the one that rested longest.

    Args:
        make: function that makes a new session.
    """

    def __init__(self, make):
        self._make = make
        self._visitors: dict[str, _Visitor] = {}
        self._lock = threading.Lock()

    def welcome(self) -> str:
        """A new session; returns its token."""
        visitor, token = _Visitor(self._make()), secrets.token_urlsafe(32)
        with self._lock:
            oldest = sorted(self._visitors, key=lambda each: self._visitors[each].seen)
            for each in oldest:
                idle = time.monotonic() - self._visitors[each].seen > IDLE_SECONDS
                if idle or len(self._visitors) >= MOST_SESSIONS:
                    del self._visitors[each]
            self._visitors[token] = visitor
        return token

    def find(self, token):
        """The visitor of a token, or None."""
        with self._lock:
            visitor = self._visitors.get(token or "")
            if visitor is not None:
                visitor.seen = time.monotonic()
            return visitor


class _Visitor:
    def __init__(self, session):
        self.session = session
        self.lock = threading.Lock()
        self.seen = time.monotonic()


class Turns:
    """One at a time, and a limited number waiting.

    Args:
        most: how many may wait or be at it.
    """

    def __init__(self, most: int):
        self._places = threading.BoundedSemaphore(most)
        self._turn = threading.Lock()

    @contextmanager
    def take(self):
        """Context of one's turn.

        Raises:
            InputError: if too many are waiting already.
        """
        if not self._places.acquire(blocking=False):
            raise InputError("too many pictures are being completed just now: try again in a moment")
        try:
            with self._turn:
                yield
        finally:
            self._places.release()


def _new_session(inpainter, prepare):
    session = Session(inpainter.takes_edges, inpainter.max_pixels)
    if prepare is not None:
        prepare(session)
    return session


def _state(session) -> dict:
    """What the page has to know."""
    state = {"takes_edges": session.takes_edges, "loaded": session.picture is not None, "revision": session.revision}
    if session.picture is not None:
        height, width = session.size
        state.update(height=height, width=width, sizes=session.default_sizes(), empty=not session.mask().any())
        state.update(can_undo=session.can_undo, can_redo=session.can_redo, blank=session.is_blank)
        state.update(completed=session.result is not None, attention="attention" in (session.result or {}))
    return state


def _stroke(data) -> Stroke:
    try:
        points = tuple((float(x), float(y)) for x, y in data["points"])
        return Stroke(str(data["layer"]), points, float(data["size"]), bool(data.get("erase", False)))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError("a stroke is {layer, points: [[x, y], ...], size, erase}") from error


def _png(array, name=None):
    import flask

    encoded = io.BytesIO()
    Image.fromarray(array).save(encoded, "PNG", compress_level=3)
    encoded.seek(0)
    return flask.send_file(encoded, "image/png", as_attachment=name is not None, download_name=name)


def _problem(sentence, code):
    import flask

    response = flask.jsonify(error=one_line(sentence))
    response.status_code = code
    return response
