"""The page as a static folder, in headless Chromium: `export --format web`.

A stand-in for ONNX Runtime Web, which paints holes in a colour that tells of the window, shows all that is the page's
own; textures are another colour. With TF_INPAINT_ONNXRUNTIME_WEB, the folder of that npm package, and tf2onnx, the
shipped network completes, too.
"""

import contextlib
import functools
import http.server
import importlib.util
import json
import os
import shutil
import threading

import numpy as np
import pytest
from pages import By, Keys, Select, downloaded, drag, idle, look, message, open_browser, open_picture, wait
from PIL import Image

from tf_inpaint import export as command
from tf_inpaint.demo import site
from tf_inpaint.io.images import read_image, read_mask
from tf_inpaint.ops.holes import grown

pytestmark = pytest.mark.slow

RUNTIME = os.environ.get("TF_INPAINT_ONNXRUNTIME_WEB")
STAND_IN = """
export const env = { wasm: {} };
export class Tensor { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } }
const session = {
  async run({ image, mask, completed }) {
    const [height, width] = image.dims.length === 4 ? image.dims.slice(1) : image.dims;
    if (completed) {
      const data = completed.data.slice();
      mask.data.forEach((hole, at) => hole && data.set([data[3 * at], width / 8, data[3 * at + 2] + 50], 3 * at));
      return { drawn: { data } };
    }
    const data = image.data.slice();
    mask.data.forEach((hole, at) => hole && data.set([width / 4, height / 4, 90], 3 * at));
    return { drawn: { data } };
  },
};
export const InferenceSession = { create: async () => session };
"""


class Handler(http.server.SimpleHTTPRequestHandler):
    """What was asked for is kept in the server's `asked`."""

    def log_message(self, *_):
        self.server.asked.append(self.path)


@contextlib.contextmanager
def served(folder):
    """(address, paths asked for so far)."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", server.asked
    finally:
        server.shutdown()
        server.server_close()


def _runtime(folder):
    """A package with the stand-in in it."""
    (folder / "dist").mkdir(parents=True)
    (folder / "package.json").write_text('{"version": "0"}')
    for names in site.find_runtime(None)["kinds"].values():
        for name in names:
            (folder / "dist" / name).write_text(STAND_IN if name.endswith(".mjs") else "nothing")
    return site.find_runtime(str(folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("static")
    about = {"title": "tf_inpaint", "origin": "a stand-in", "guided": False, "contract": {}, "beside": 8}
    expected = np.zeros((1, site.EXAMPLE_SIDE, site.EXAMPLE_SIDE, 3), np.uint8)
    site.write_site(str(folder / "site"), b"a model", about, expected, _runtime(folder / "package"))
    return folder / "site"


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def browser(profile):
    with open_browser(profile) as browser:
        yield browser


def _visit(browser, address):
    browser.get(address)
    idle(browser)
    ready = "navigator.serviceWorker.ready.then((it) => arguments[0](it.active.state === 'activated'))"
    wait(browser, lambda: browser.execute_async_script(ready), "the service worker")


def _complete(browser):
    browser.find_element(By.ID, "view-draw").click()
    browser.find_element(By.ID, "complete").click()
    idle(browser)
    assert message(browser).startswith("completed in"), message(browser)


def _saved(browser, profile, name="completed.png"):
    Select(browser.find_element(By.ID, "format")).select_by_value(name.split(".")[1])
    (profile / name).unlink(missing_ok=True)
    return downloaded(browser, profile, "save", name)


def _mask(browser, profile):
    (profile / "mask.png").unlink(missing_ok=True)
    return read_mask(downloaded(browser, profile, "save-mask", "mask.png")) > 127


def _clean(browser):
    problems = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not problems


@pytest.mark.parametrize("layer", ["opaque", "transparent"])
def test_a_mask_from_a_file(folder, browser, profile, photo, layer):
    """White is the hole; on a transparent layer, paint of any colour."""
    height, width = read_image(photo).rgb.shape[:2]
    hole = np.zeros((height, width), bool)
    hole[30:60, 40:90] = True
    levels = np.zeros((height, width, 4), np.uint8)
    levels[hole] = 255 if layer == "opaque" else (10, 20, 30, 255)
    Image.fromarray(levels[..., :3] if layer == "opaque" else levels).save(profile / f"{layer}.png")
    with served(folder) as (address, _):
        _visit(browser, address)
        open_picture(browser, photo)
        idle(browser)
        browser.find_element(By.ID, "open-mask").send_keys(str(profile / f"{layer}.png"))
        idle(browser)
        np.testing.assert_array_equal(_mask(browser, profile), hole)
        assert browser.find_element(By.ID, "message").text == ""
        Image.new("L", (width, height)).save(profile / "black.png")
        browser.find_element(By.ID, "open-mask").send_keys(str(profile / "black.png"))
        idle(browser)
        assert browser.find_element(By.ID, "message").text == "the mask marks no hole"


def test_paint_complete_save_without_a_request(folder, browser, profile, photo):
    with served(folder) as (address, asked):
        _visit(browser, address)
        moved = "new PerformanceObserver((list) => arguments[0](list.getEntries().length)).observe("
        moved += "{ type: 'layout-shift', buffered: true });"
        moved += "requestAnimationFrame(() => setTimeout(arguments[0], 0, 0))"
        assert browser.execute_async_script(moved) == 0
        asked.clear()
        open_picture(browser, photo)
        idle(browser)
        drag(browser, [(0.3, 0.5), (0.5, 0.4), (0.7, 0.5)])
        idle(browser)
        browser.find_element(By.ID, "undo").click()
        browser.find_element(By.ID, "redo").click()
        look(browser, "static_drawn")
        _complete(browser)
        look(browser, "static_completed")
        mask, original = _mask(browser, profile), read_image(photo).rgb
        assert mask.shape == (120, 160) and mask[60, 112] and not mask[100:].any()
        completed = read_image(_saved(browser, profile)).rgb
        np.testing.assert_array_equal(completed[~mask], original[~mask])
        assert (completed[mask] == (40, 30, 90)).all()  # seen whole

        browser.execute_script("$('grow').value = 6; $('grow').oninput()")
        Select(browser.find_element(By.ID, "blend")).select_by_visible_text("feather")
        _complete(browser)
        larger, soft = grown(mask, 6), read_image(_saved(browser, profile, "completed.webp")).rgb
        assert (soft[larger] != original[larger]).any(axis=-1).mean() > 0.9
        assert read_image(_saved(browser, profile, "completed.jpg")).rgb.shape == original.shape
        assert {*asked} <= {"/service_worker.js"}  # browsers look by themselves whether it has changed
        browser.set_window_size(390, 844)
        browser.find_element(By.ID, "view-draw").click()
        look(browser, "static_phone")
        assert browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth") <= 0
        unnamed = "[...document.querySelectorAll('button, input, select, canvas:not([aria-hidden])')].filter("
        unnamed += "(it) => !(it.textContent.trim() || it.labels?.length || it.ariaLabel)).map((it) => it.id)"
        assert browser.execute_script(f"return {unnamed}") == []
        browser.set_window_size(1280, 800)
    _clean(browser)


def test_keys_and_two_fingers(folder, browser, profile, photo):
    with served(folder) as (address, _):
        _visit(browser, address)
        open_picture(browser, photo)
        idle(browser)
        canvas = browser.find_element(By.ID, "live")
        canvas.send_keys(" ", *[Keys.ARROW_RIGHT] * 8, " ")
        idle(browser)
        mask = _mask(browser, profile)
        assert mask[60, 80:95].all() and not mask[:50].any()
        browser.execute_script(
            """
            const canvas = $("live");
            canvas.setPointerCapture = () => {};  // no such fingers in truth
            const touch = (type, pointerId, clientX, clientY) => canvas.dispatchEvent(
              new PointerEvent(type, { pointerId, pointerType: "touch", button: 0, bubbles: true, clientX, clientY }));
            const box = $("frame").getBoundingClientRect(), x = box.left + 100, y = box.top + 100;
            touch("pointerdown", 5, x, y);
            touch("pointerdown", 6, x + 50, y);
            touch("pointermove", 6, x + 100, y);
            touch("pointerup", 5, x, y);
            touch("pointermove", 6, x + 100, y + 90);
            touch("pointerup", 6, x + 100, y + 90);
            """
        )
        idle(browser)
        assert browser.execute_script("return zoom.scale") == 2
        np.testing.assert_array_equal(_mask(browser, profile), mask)  # nothing was drawn
        canvas.send_keys("0")
        assert browser.execute_script("return zoom.scale") == 1
    _clean(browser)


def test_alpha_orientation_and_windows(folder, browser, profile, tmp_path):
    """A transparent PNG, a JPEG on its side, a large picture with two holes far apart."""
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (90, 120, 4), np.uint8)
    Image.fromarray(rgba).save(tmp_path / "clear.png", dpi=(300, 300))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rng.integers(0, 256, (60, 90, 3), np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    large = rng.integers(0, 256, (900, 1300, 3), np.uint8)
    Image.fromarray(large).save(tmp_path / "large.png")
    with served(folder) as (address, _):
        _visit(browser, address)
        for name in ("clear.png", "turned.jpg", "large.png"):
            open_picture(browser, tmp_path / name)
            idle(browser)
            browser.execute_script("sizes.mask = 20")
            drag(browser, [(0.1, 0.2), (0.2, 0.2)])
            idle(browser)
            if name == "large.png":
                drag(browser, [(0.8, 0.7), (0.8, 0.75)])
                idle(browser)
            _complete(browser)
            mask = _mask(browser, profile)
            completed = np.asarray(Image.open(_saved(browser, profile)))
            if name == "clear.png":
                np.testing.assert_array_equal(completed[~mask], rgba[~mask])
                assert set(completed[mask][:, 3]) <= set(rgba[~mask][:, 3]) and (completed[mask][:, 2] == 90).all()
                assert round(Image.open(profile / "completed.png").info["dpi"][0]) == 300
            elif name == "turned.jpg":
                assert completed.shape == (90, 60, 3) and (completed[mask] == (15, 22, 90)).all()
            else:
                np.testing.assert_array_equal(completed[~mask], large[~mask])
                sides = {tuple(colour) for colour in completed[mask][:, :2]}
                assert len(sides) == 2 and (64, 64) in sides  # two windows: 256 pixels, and twice the longer hole
    _clean(browser)


def test_without_a_network_after_the_first_visit(folder, browser, photo):
    with served(folder) as (address, _):
        _visit(browser, address)
    browser.get(address)  # the server is gone
    idle(browser)
    open_picture(browser, photo)
    idle(browser)
    drag(browser, [(0.4, 0.5), (0.6, 0.5)])
    _complete(browser)
    _clean(browser)


def test_textures_are_drawn_into_what_the_network_drew(browser, profile, photo, tmp_path):
    """By a model of its own, from a window around the hole that is not shrunk, but for holes with lines."""
    about = {"title": "tf_inpaint", "origin": "a stand-in", "guided": True, "contract": {}, "beside": 8}
    expected = np.zeros((1, site.EXAMPLE_SIDE, site.EXAMPLE_SIDE, 3), np.uint8)
    site.write_site(str(tmp_path), b"a model", about, expected, _runtime(tmp_path / "package"), b"textures")
    rgb = read_image(str(photo)).rgb
    with served(tmp_path) as (address, _):
        _visit(browser, address)
        open_picture(browser, photo)
        idle(browser)
        drag(browser, [(0.4, 0.5), (0.6, 0.5)])
        _complete(browser)
        mask, completed = _mask(browser, profile), read_image(_saved(browser, profile)).rgb
        np.testing.assert_array_equal(completed[~mask], rgb[~mask])
        height, width = mask.shape
        assert {tuple(colour) for colour in completed[mask]} == {(width // 4, width // 8, 140)}
        browser.find_element(By.ID, "view-draw").click()
        browser.find_element(By.ID, "tool-edges").click()
        drag(browser, [(0.45, 0.5), (0.5, 0.5)])
        _complete(browser)
        completed = read_image(_saved(browser, profile)).rgb
        assert {tuple(colour) for colour in completed[mask]} == {(width // 4, height // 4, 90)}
    _clean(browser)


@pytest.mark.skipif(
    not RUNTIME or not importlib.util.find_spec("tf2onnx"),
    reason="needs tf2onnx, and TF_INPAINT_ONNXRUNTIME_WEB to name the folder of the npm package onnxruntime-web",
)
def test_the_shipped_network_as_test_py_completes(browser, profile, tmp_path):
    """By the network alone, then with textures, which a rounding decides on: drawn into what the page drew before."""
    from tf_inpaint.inference.inpainter import TEXTURES, Inpainter
    from tf_inpaint.samples import SAMPLES, load_sample

    inpainter = Inpainter.load(weights="photos_v1")
    size = command.export_page(inpainter, str(tmp_path / "site"), RUNTIME)
    assert size < 6e6
    card = json.loads((tmp_path / "site" / "card.json").read_text())
    shutil.copytree(tmp_path / "site", tmp_path / "alone")
    (tmp_path / "alone" / "card.json").write_text(json.dumps({**card, "texture": None}))
    rgb = load_sample(next(sample for sample in SAMPLES if sample.name == "astronaut"))
    Image.fromarray(rgb).save(tmp_path / "photo.png")
    drawn = {}
    for name in ("alone", "site"):
        with served(tmp_path / name) as (address, asked):
            _visit(browser, address)
            asked.clear()
            open_picture(browser, tmp_path / "photo.png")
            idle(browser)
            drag(browser, [(0.3, 0.3), (0.5, 0.35), (0.6, 0.5)])
            idle(browser)
            _complete(browser)
            print(message(browser), json.dumps(browser.execute_script("return state")))
            _complete(browser)
            print(message(browser))
            look(browser, f"static_astronaut_{name}")
            mask, drawn[name] = _mask(browser, profile), read_image(_saved(browser, profile)).rgb
            assert {*asked} <= {"/service_worker.js"}  # browsers look by themselves whether it has changed
    textured = TEXTURES["patches"](rgb, drawn["alone"], mask).numpy()
    plain = Inpainter.load(weights="photos_v1", texture="none").complete(rgb, mask)
    for name, expected in (("alone", plain), ("site", textured)):
        np.testing.assert_array_equal(drawn[name][~mask], rgb[~mask])
        off = np.abs(drawn[name].astype(int) - expected)[mask].max(axis=-1)
        print(name, "hole pixels within 2 levels:", (off <= 2).mean(), "largest:", off.max(), "hole:", mask.mean())
        assert (off <= 2).mean() > 0.999
