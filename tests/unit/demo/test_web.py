"""The page's server: what visitors may do, and what strangers may not."""

import io
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("flask")

from tf_inpaint.demo import app as app_module
from tf_inpaint.demo import visitors as visitors_module
from tf_inpaint.demo import web
from tf_inpaint.demo.app import MOST_WAITING, make_app
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import encode_png
from tf_inpaint.io.metadata import Metadata
from tf_inpaint.ops.holes import grown

HEADERS = {"X-Requested-With": "tf_inpaint"}


def _bytes(array, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind)
    return file.getvalue()


def _array(answer):
    return np.asarray(Image.open(io.BytesIO(answer.data)))


class Visitor:
    """A browser with cookies of its own."""

    def __init__(self, app):
        self.client = app.test_client()
        assert self.client.get("/").status_code == 200

    def get(self, path, **more):
        return self.client.get(path, **more)

    def post(self, path, data=None, json=None):
        return self.client.post(path, data=data, json=json, headers=HEADERS)

    def says(self, answer, code=400):
        assert answer.status_code == code and answer.is_json, answer.data[:300]
        sentence = answer.get_json()["error"]
        assert "\n" not in sentence
        return sentence


@pytest.fixture
def app(inpainter):
    return make_app(inpainter)


@pytest.fixture
def visitor(app):
    return Visitor(app)


@pytest.fixture
def photo(image_file):
    return _bytes(image_file.rgb)


@pytest.fixture
def loaded(visitor, photo):
    """A visitor with an image."""
    visitor.post("/api/picture", photo)
    return visitor


@pytest.fixture
def ready(visitor, photo):
    """A visitor with a mask drawn on it."""
    return _ready(visitor, photo)


def _ready(visitor, photo):
    visitor.post("/api/picture", photo)
    visitor.post("/api/stroke", json=HOLE)
    return visitor


HOLE = {"layer": "mask", "points": [[20, 30], [60, 30]], "size": 10}
LINE = {"layer": "edges", "points": [[20, 30], [60, 30]], "size": 2}


def test_from_upload_to_download(visitor, image_file, photo, inpainter):
    assert visitor.get("/api/state").get_json()["loaded"] is False
    state = visitor.post("/api/picture", photo).get_json()
    assert (state["width"], state["height"], state["takes_edges"], state["empty"]) == (80, 60, True, True)
    np.testing.assert_array_equal(_array(visitor.get("/api/view/picture.png")), image_file.rgb)
    state = visitor.post("/api/stroke", json=HOLE).get_json()
    assert state["can_undo"] and not state["empty"]
    visitor.post("/api/stroke", json=LINE)
    overlay = _array(visitor.get("/api/view/overlay.png"))
    assert overlay.shape == (60, 80, 4) and overlay[30, 40, 3] == 255 and overlay[26, 40, 3] > 0

    state = visitor.post("/api/complete").get_json()
    assert state["completed"] and state["attention"] and state["seconds"] >= 0
    mask, edges = _array(visitor.get("/api/mask.png")) > 127, _array(visitor.get("/api/edges.png")) > 127
    completed = visitor.get("/api/completed.png")
    assert "attachment" in completed.headers["Content-Disposition"]
    expected = inpainter.outputs(image_file.rgb, mask, edges)["completed"]
    np.testing.assert_array_equal(_array(completed), expected)
    np.testing.assert_array_equal(_array(visitor.get("/api/view/completed.png")), expected)
    assert (_array(visitor.get("/api/view/attention.png")) == 99).all()

    assert visitor.post("/api/undo").get_json()["can_redo"]
    assert visitor.post("/api/redo").get_json()["can_redo"] is False
    assert visitor.post("/api/clear").get_json()["empty"]


def test_a_mask_and_a_sketch_can_be_uploaded(loaded):
    layer = np.zeros((60, 80), np.uint8)
    layer[10:20] = 140  # a hole, but too grey for a line
    assert loaded.post("/api/layer/mask", _bytes(layer)).status_code == 200
    np.testing.assert_array_equal(_array(loaded.get("/api/mask.png")) > 0, layer > 0)
    loaded.post("/api/layer/edges", _bytes(layer))
    assert not _array(loaded.get("/api/edges.png")).any()


def test_alpha_and_grey_come_back(visitor):
    grey = np.random.default_rng(0).integers(0, 256, (60, 80), dtype=np.uint8)
    visitor.post("/api/picture", _bytes(grey))
    visitor.post("/api/stroke", json=HOLE)
    visitor.post("/api/complete")
    assert _array(visitor.get("/api/completed.png")).shape == (60, 80)


def test_what_the_photograph_says_comes_back_and_what_is_transparent_is_not_seen(visitor, monkeypatch):
    array = np.full((60, 80, 4), 255, np.uint8)
    array[10:, :, :3], array[:10, :, 3] = 90, 0
    visitor.post("/api/picture", encode_png(array, Metadata(dpi=(300.0, 300.0), texts=(("Author", "somebody"),))))
    visitor.post("/api/stroke", json=HOLE)
    visitor.post("/api/complete")
    completed = Image.open(io.BytesIO(visitor.get("/api/completed.png").data))
    assert completed.text == {"Author": "somebody"} and round(completed.info["dpi"][0]) == 300
    assert completed.mode == "RGBA" and np.asarray(completed)[:10, :, 3].max() == 0


def test_holes_grow_are_blended_and_saved_as_is_asked_for(ready, image_file, inpainter):
    drawn = _array(ready.get("/api/mask.png")) > 127
    ready.post("/api/complete", json={"grow": 4, "blend": "feather"})
    _, mask, _ = inpainter.seen[-1]
    np.testing.assert_array_equal(mask, grown(drawn, 4))
    assert inpainter.blending == "feather" and mask.sum() > drawn.sum()
    for ending, kind in (("png", "PNG"), ("webp", "WEBP"), ("jpg", "JPEG")):
        answer = ready.get(f"/api/completed.{ending}")
        assert Image.open(io.BytesIO(answer.data)).format == kind and ending in answer.headers["Content-Disposition"]
        off = np.abs(_array(answer).astype(int) - np.where(mask[..., np.newaxis], (10, 20, 30), image_file.rgb))
        assert off.max() <= 40 * (kind == "JPEG")
    ready.post("/api/complete", json={"grow": 0, "blend": None})
    assert inpainter.blending is None and inpainter.seen[-1][1].sum() == drawn.sum()
    for wrong in ({"grow": -1}, {"grow": 1.5}, {"grow": True}, {"grow": 10**9}):
        assert "grow by 0 to 1000 pixels" in ready.says(ready.post("/api/complete", json=wrong))
    for wrong in ("sharp", [], 7):
        assert "one of none, feather" in ready.says(ready.post("/api/complete", json={"blend": wrong}))
    assert "grow it less" in ready.says(ready.post("/api/complete", json={"grow": 90}))
    ready.says(ready.get("/api/completed.gif"), 404)


def test_what_of_an_uploaded_mask_is_the_hole_is_said_at_the_start(inpainter, photo):
    visitor = Visitor(make_app(inpainter, mask_from="dark"))
    visitor.post("/api/picture", photo)
    layer = np.full((60, 80), 255, np.uint8)
    layer[10:20] = 0
    visitor.post("/api/layer/mask", _bytes(layer))
    np.testing.assert_array_equal(_array(visitor.get("/api/mask.png")) > 0, layer == 0)


def test_an_upload_that_looks_like_no_mask_is_refused(loaded):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    said = loaded.says(loaded.post("/api/layer/mask", _bytes(noise)))
    assert said.startswith("the mask has ") and "a photograph where a mask is expected?" in said


def test_an_unguided_model_has_no_sketch(unguided, photo):
    visitor = Visitor(make_app(unguided))
    assert visitor.post("/api/picture", photo).get_json()["takes_edges"] is False
    assert "takes no edges" in visitor.says(visitor.post("/api/stroke", json=LINE))
    assert "takes no edges" in visitor.says(visitor.get("/api/edges.png"))


# Hostile input


def test_a_picture_of_a_hundred_megapixels_is_refused_before_it_is_decoded(visitor, photo):
    bomb = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(bomb, "PNG")
    said = visitor.says(visitor.post("/api/picture", bomb.getvalue()))
    assert "10000 x 10000 = 100,000,000 pixels, more than the limit of 1,048,576" in said and "--max_pixels" in said
    assert visitor.post("/api/picture", photo).status_code == 200


@pytest.mark.parametrize(
    "data, said",
    [
        (b"just some text", "the upload is not an image"),
        (b"", "the upload is empty"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "the upload is"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "the upload is not an image"),
    ],
)
def test_what_is_no_picture_is_said(visitor, photo, data, said):
    assert said in visitor.says(visitor.post("/api/picture", data))
    visitor.post("/api/picture", photo)
    assert said in visitor.says(visitor.post("/api/layer/mask", data))
    assert visitor.post("/api/stroke", json=HOLE).status_code == 200


def test_a_truncated_picture_is_said(visitor, photo):
    assert "the upload is damaged" in visitor.says(visitor.post("/api/picture", photo[: len(photo) // 2]))


def test_a_mask_of_another_size(loaded):
    said = loaded.says(loaded.post("/api/layer/mask", _bytes(np.zeros((5, 6), np.uint8))))
    assert said == "the mask has 6 x 5 pixels, but the image has 80 x 60"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'{"layer": "mask"}',
        b'{"layer": "mask", "size": 3, "points": 7}',
        b'{"layer": "mask", "size": 3, "points": [[1, 2, 3]]}',
        b'{"layer": "mask", "size": "x", "points": [[1, 2]]}',
        b'{"layer": "mask", "size": 1e999, "points": [[1, 2]]}',
        b'{"layer": "mask", "size": 3, "points": [[NaN, 2]]}',
        b'{"layer": "../../etc", "size": 3, "points": [[1, 2]]}',
        b'{"points": ' + b"[" * 100_000,
        b"7" * ((1 << 20) + 1),
    ],
)
def test_garbage_for_a_stroke(loaded, body):
    answer = loaded.client.post("/api/stroke", data=body, headers={**HEADERS, "Content-Type": "application/json"})
    loaded.says(answer)
    assert loaded.get("/api/state").get_json()["empty"]


def test_too_many_bytes(visitor, monkeypatch, inpainter, photo):
    monkeypatch.setattr(app_module, "MOST_BYTES", 1 << 20)
    visitor = Visitor(make_app(inpainter))
    assert "1 MiB at most" in visitor.says(visitor.post("/api/picture", bytes((1 << 20) + 1)), 413)
    assert visitor.post("/api/picture", photo).status_code == 200


def test_asking_too_early(visitor, photo):
    for path in ("/api/view/picture.png", "/api/mask.png", "/api/view/overlay.png"):
        assert visitor.says(visitor.get(path)) == "load an image first"
    assert visitor.says(visitor.post("/api/complete")) == "load an image first"
    visitor.post("/api/picture", photo)
    assert "draw a hole first" in visitor.says(visitor.post("/api/complete"))
    assert "complete the image first" in visitor.says(visitor.get("/api/completed.png"))


def test_places_that_are_not_there(visitor):
    for path in ("/api/nothing", "/page/../web.py", "/page/%2e%2e/web.py", "/api/view/secret.png", "/etc/passwd"):
        visitor.says(visitor.get(path), 404)
    visitor.says(visitor.get("/api/complete"), 405)


# Strangers


def test_visitors_do_not_see_each_other(app, image_file, photo):
    one, other = _ready(Visitor(app), photo), Visitor(app)
    one.post("/api/complete")
    assert other.get("/api/state").get_json()["loaded"] is False
    for path in ("/api/view/picture.png", "/api/completed.png", "/api/mask.png"):
        assert other.says(other.get(path)) == "load an image first" or path == "/api/completed.png"
        other.says(other.get(path))
    other.post("/api/picture", _bytes(255 - image_file.rgb))
    np.testing.assert_array_equal(_array(one.get("/api/view/picture.png")), image_file.rgb)


def test_without_or_with_a_wrong_token_there_is_nothing(app, photo):
    Visitor(app).post("/api/picture", photo)
    stranger = app.test_client()
    assert stranger.get("/api/state").status_code == 410
    stranger.set_cookie("tf_inpaint_session_80", "guessed")
    assert stranger.get("/api/view/picture.png").status_code == 410
    assert "reload the page" in stranger.get("/api/state").get_json()["error"]


def test_the_cookie_is_random_and_out_of_reach(app):
    cookies = [app.test_client().get("/").headers["Set-Cookie"] for _ in range(2)]
    tokens = [cookie.partition("=")[2].partition(";")[0] for cookie in cookies]
    assert tokens[0] != tokens[1] and min(map(len, tokens)) >= 40
    assert "HttpOnly" in cookies[0] and "SameSite=Strict" in cookies[0]


def test_another_site_cannot_post(visitor, photo):
    answer = visitor.client.post("/api/picture", data=photo)  # a form could send this much
    assert "must carry the header" in visitor.says(answer, 403)
    assert visitor.get("/api/state").get_json()["loaded"] is False


def test_another_name_for_this_machine_is_refused(app, inpainter):
    client = app.test_client()
    assert client.get("/", headers={"Host": "evil.example:7860"}).status_code == 403
    for name in ("127.0.0.1:7860", "localhost:7860", "[::1]:7860"):
        assert client.get("/", headers={"Host": name}).status_code == 200
    public = make_app(inpainter, host="0.0.0.0").test_client()
    assert public.get("/", headers={"Host": "studio.example"}).status_code == 200


def test_headers_keep_other_scripts_out(visitor):
    for path in ("/", "/page/page.js", "/api/state"):
        headers = visitor.get(path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"


def test_a_defect_is_one_sentence_and_the_server_goes_on(ready, inpainter, monkeypatch):
    def fail(*_):
        raise RuntimeError("secret detail")

    with monkeypatch.context() as patch:
        patch.setattr(inpainter, "outputs", fail)
        said = ready.says(ready.post("/api/complete"), 500)
        assert "secret" not in said
    assert ready.post("/api/complete").status_code == 200


def test_completions_take_turns_and_too_many_are_told(app, photo, inpainter):
    *waiting, last = [_ready(Visitor(app), photo) for _ in range(MOST_WAITING + 1)]
    inpainter.go.clear()
    with ThreadPoolExecutor(MOST_WAITING) as pool:
        answers = pool.map(lambda visitor: visitor.post("/api/complete"), waiting)
        assert inpainter.started.acquire(timeout=20)
        time.sleep(0.5)  # until the others have queued up
        assert "too many images are being completed" in last.says(last.post("/api/complete"))
        inpainter.go.set()
    assert [answer.status_code for answer in answers] == [200] * MOST_WAITING


def test_a_visitor_who_waits_holds_no_other_request(app, ready, inpainter):
    """Else one visitor with some tabs would hold every thread of the server for as long as a completion takes."""
    inpainter.go.clear()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ready.post, "/api/complete")
        assert inpainter.started.acquire(timeout=20)
        same = app.test_client()  # the browser's second tab
        same.set_cookie("tf_inpaint_session_80", ready.client.get_cookie("tf_inpaint_session_80").value)
        assert same.post("/api/stroke", json=LINE, headers=HEADERS).status_code == 200
        assert not answer.done()
        inpainter.go.set()
    assert answer.result().status_code == 200


def test_two_demos_on_one_machine_keep_their_sessions(inpainter, unguided):
    """Cookies know no ports."""
    first, second = make_app(inpainter), make_app(unguided)
    jar = {}
    for app, port in ((first, 7860), (second, 7861)):
        answer = app.test_client().get("/", base_url=f"http://127.0.0.1:{port}/")
        name, _, value = answer.headers["Set-Cookie"].partition(";")[0].partition("=")
        jar[name] = value
    assert len(jar) == 2
    client = first.test_client()
    for name, value in jar.items():
        client.set_cookie(name, value, domain="127.0.0.1")
    assert client.get("/api/state", base_url="http://127.0.0.1:7860/").status_code == 200


def test_a_sketch_alone_can_be_cleared(visitor, photo):
    assert visitor.post("/api/picture", photo).get_json()["blank"]
    state = visitor.post("/api/stroke", json=LINE).get_json()
    assert state["empty"] and not state["blank"]


def test_old_sessions_make_room(app, photo, monkeypatch):
    monkeypatch.setattr(visitors_module, "MOST_SESSIONS", 3)
    visitors = [Visitor(app) for _ in range(3)]
    visitors[0].get("/api/state")  # now the second rested longest
    Visitor(app)
    assert [visitor.get("/api/state").status_code for visitor in visitors] == [200, 410, 200]
    monkeypatch.setattr(visitors_module, "IDLE_SECONDS", -1)
    Visitor(app)
    assert visitors[0].get("/api/state").status_code == 410


def test_sessions_that_rest_make_room_for_memory(inpainter, photo, monkeypatch):
    monkeypatch.setattr(app_module, "MOST_HELD", 100_000)  # an image takes 24 kB, with what is drawn
    monkeypatch.setattr(app_module, "SESSION_BYTES_PER_PIXEL", 0)
    app = make_app(inpainter)
    visitors = [Visitor(app) for _ in range(6)]
    for visitor in visitors:
        assert visitor.post("/api/picture", photo).status_code == 200
    codes = [visitor.get("/api/state").status_code for visitor in visitors]
    assert codes == sorted(codes, reverse=True) and codes[0] == 410 and codes[-3:] == [200] * 3, codes


def test_the_start_picture_is_there_for_everyone(inpainter, image_file):
    app = make_app(inpainter, prepare=lambda session: session.load(image_file))
    assert Visitor(app).get("/api/state").get_json()["loaded"]


def test_a_start_that_cannot_be_is_told_before_anyone_comes(unguided, image_file):
    with pytest.raises(InputError, match="the mask has 3 x 2 pixels"):
        make_app(unguided, prepare=lambda session: (session.load(image_file), session.fill("mask", np.ones((2, 3)))))


def test_a_taken_port_is_a_sentence(inpainter, capsys):
    pytest.importorskip("waitress")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="cannot listen at 127.0.0.1:.*try another --port"):
            web.serve(inpainter, "127.0.0.1", taken.getsockname()[1])
    assert capsys.readouterr().out == ""  # no address that leads nowhere


def test_missing_libraries_are_a_sentence(monkeypatch):
    monkeypatch.setattr(web, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"the page needs flask and waitress: pip install 'tf_inpaint\[demo\]'"):
        web.check_installed()


def test_what_is_strange_about_a_file_is_said(loaded):
    layer = np.zeros((60, 80, 4), np.uint8)
    layer[:20], layer[20:40] = 255, (0, 0, 0, 255)
    state = loaded.post("/api/layer/mask", _bytes(layer)).get_json()
    assert state["warning"].startswith("the mask is a layer of light and dark paint")
    assert "warning" not in loaded.get("/api/state").get_json()
    covers = (0, "marks no hole"), (57, "covers 95% of the image: inverted?"), (60, "covers the whole image and leaves")
    for rows, said in covers:
        layer = np.zeros((60, 80), np.uint8)
        layer[:rows] = 255
        state = loaded.post("/api/layer/mask", _bytes(layer)).get_json()
        assert state["warning"].startswith(f"the mask {said}")
    file = io.BytesIO()
    frames = [Image.fromarray(np.full((6, 8), level, np.uint8)) for level in (0, 255)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    state = loaded.post("/api/picture", file.getvalue()).get_json()
    assert state["loaded"] and state["warning"] == "the picture has 2 frames, of which the first counts"


def test_a_page_for_other_machines_does_not_say_that_pictures_stay(inpainter):
    pages = [make_app(inpainter, host).test_client().get("/").get_data(as_text=True) for host in ("::1", "0.0.0.0")]
    assert ["stays on this machine" in page for page in pages] == [True, False]
    assert all("Then paint what shall be filled in." in page for page in pages)
