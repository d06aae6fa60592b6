"""`guided_demo.py --web` in headless Chromium: upload, paint, complete, compare, download."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from runs import ROOT, free_ports

from tf_inpaint.io.images import read_image, read_mask, write_png
from tf_inpaint.ops.holes import grown

pytestmark = pytest.mark.slow

selenium = pytest.importorskip("selenium", reason="selenium is not installed")
pytest.importorskip("flask", reason="flask is not installed")
CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)

from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.mouse_button import MouseButton
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

PROGRAM = ROOT / "guided_demo.py"
SCREENSHOTS = os.environ.get("TF_INPAINT_SCREENSHOTS")  # a folder, to look at the page


@pytest.fixture(scope="module")
def address(guided_run):
    (port,) = free_ports(1)
    command = [sys.executable, "-u", PROGRAM, "--web", "--port", str(port), "--checkpoint_dir", guided_run]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout:
            found = re.search(r"draw at (http://127\.0\.0\.1:\d+/)", line)
            if found:
                break
        else:
            pytest.fail("the server ended")
        yield found[1]
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        *("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-dev-shm-usage"),
        *("disable-background-networking", "disable-component-update", "disable-sync", "window-size=1280,800"),
        f"user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(f"--{flag}")
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield browser
    browser.quit()


def _wait(browser, condition, what):
    WebDriverWait(browser, 60, 0.05).until(lambda _: condition(), f"waited for {what}")


def _message(browser):
    return browser.find_element(By.ID, "message").text


def _look(browser, name):
    if SCREENSHOTS:
        browser.save_screenshot(str(Path(SCREENSHOTS) / f"page_{name}.png"))


def _drag(browser, points, button=MouseButton.LEFT):
    """A stroke on the image; points are (x, y) fractions of its sides."""
    canvas = browser.find_element(By.ID, "live")
    box = canvas.rect
    builder = ActionBuilder(browser, duration=20)
    pointer = builder.pointer_action
    for index, (x, y) in enumerate(points):
        pointer.move_to(canvas, int((x - 0.5) * box["width"]), int((y - 0.5) * box["height"]))
        if index == 0:
            pointer.pointer_down(button)
    pointer.pointer_up(button)
    builder.perform()


def _downloaded(browser, folder, button, name):
    browser.find_element(By.ID, button).click()
    _wait(browser, lambda: (folder / name).exists(), f"{name} to arrive")
    time.sleep(0.2)
    return folder / name


def _open(browser, photo):
    browser.find_element(By.ID, "open").send_keys(str(photo))
    _wait(browser, lambda: browser.find_element(By.ID, "frame").is_displayed(), "the image")


def _idle(browser):
    _wait(browser, lambda: browser.execute_async_script("queue.then(() => arguments[0](true))"), "the server")


def test_upload_paint_complete_compare_download(address, browser, photo, tmp_path):
    browser.get(address)
    _look(browser, "empty")
    _open(browser, photo)
    _idle(browser)
    assert browser.find_element(By.ID, "tool-edges").is_displayed()
    assert not browser.find_element(By.ID, "complete").is_enabled()  # nothing to complete yet

    _drag(browser, [(0.3, 0.5), (0.5, 0.4), (0.7, 0.5)])
    _idle(browser)
    _drag(browser, [(0.38, 0.43), (0.5, 0.45), (0.62, 0.43)], MouseButton.RIGHT)
    _idle(browser)
    _look(browser, "drawn")
    mask = read_mask(_downloaded(browser, tmp_path, "save-mask", "mask.png")) > 127
    edges = read_mask(_downloaded(browser, tmp_path, "save-edges", "edges.png")) > 127
    assert mask.shape == (120, 160) and mask[60, 112] and mask[48, 80] and not mask[100:].any()
    assert 0 < edges.sum() < mask.sum() and edges[54, 80]

    browser.find_element(By.ID, "undo").click()
    _idle(browser)
    browser.find_element(By.ID, "redo").click()
    _idle(browser)
    browser.find_element(By.ID, "complete").click()
    _wait(browser, lambda: _message(browser).startswith("completed in"), "the completion")
    assert browser.find_element(By.ID, "after").is_displayed()
    browser.execute_script("$('split').value = 500; split()")
    _look(browser, "compared")
    browser.find_element(By.ID, "view-attention").click()
    assert browser.find_element(By.ID, "attention").is_displayed()
    _look(browser, "attention")

    original, completed = read_image(photo).rgb, read_image(_downloaded(browser, tmp_path, "save", "completed.png")).rgb
    np.testing.assert_array_equal(completed[~mask], original[~mask])
    assert (completed[mask] != original[mask]).mean() > 0.5

    browser.execute_script("$('grow').value = 6; $('grow').oninput()")
    Select(browser.find_element(By.ID, "blend")).select_by_visible_text("Poisson")
    Select(browser.find_element(By.ID, "format")).select_by_visible_text("WebP")
    browser.find_element(By.ID, "view-draw").click()
    browser.find_element(By.ID, "complete").click()
    _wait(browser, lambda: browser.find_element(By.ID, "after").is_displayed(), "the completion")
    _idle(browser)
    _look(browser, "grown")
    larger, grown_out = grown(mask, 6), read_image(_downloaded(browser, tmp_path, "save", "completed.webp")).rgb
    np.testing.assert_array_equal(grown_out[~larger], original[~larger])
    assert (grown_out[larger & ~mask] != original[larger & ~mask]).mean() > 0.5
    browser.set_window_size(390, 844)
    browser.find_element(By.ID, "view-draw").click()
    _look(browser, "phone")
    width = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0  # nothing sticks out
    problems = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not problems


def test_mistakes_are_shown_and_the_page_goes_on(address, browser, photo, tmp_path):
    text = tmp_path / "text.png"
    text.write_text("no image")
    browser.get(address)
    browser.find_element(By.ID, "open").send_keys(str(text))
    _wait(browser, lambda: "the upload is not an image" in _message(browser), "the sentence")
    _open(browser, photo)
    browser.find_element(By.ID, "open-mask").send_keys(str(photo))
    _wait(browser, lambda: "mask" in _message(browser), "that a photograph is no mask")
    assert not browser.find_element(By.ID, "undo").is_enabled()
    holes = np.zeros(read_image(photo).rgb.shape, np.uint8)
    holes[10:20, 10:30] = 255
    write_png(tmp_path / "holes.png", holes)
    browser.find_element(By.ID, "open-mask").send_keys(str(tmp_path / "holes.png"))
    _wait(browser, lambda: browser.find_element(By.ID, "undo").is_enabled(), "the mask")
    _idle(browser)
    ActionChains(browser).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    _idle(browser)
    assert not browser.find_element(By.ID, "undo").is_enabled()
    assert browser.find_element(By.ID, "redo").is_enabled()


def test_a_second_finger_draws_nothing(address, browser, photo, tmp_path):
    browser.get(address)
    _open(browser, photo)
    _idle(browser)
    browser.execute_script(
        """
        const canvas = $("live"), box = canvas.getBoundingClientRect();
        canvas.setPointerCapture = () => {};  // no such fingers in truth
        const touch = (type, pointerId, x, y) => canvas.dispatchEvent(new PointerEvent(type, {
          pointerId, pointerType: "touch", button: 0, bubbles: true,
          clientX: box.left + x * box.width, clientY: box.top + y * box.height,
        }));
        touch("pointerdown", 5, 0.2, 0.3);
        touch("pointermove", 5, 0.4, 0.3);
        touch("pointerdown", 6, 0.8, 0.9);
        touch("pointermove", 6, 0.9, 0.9);
        touch("pointerup", 6, 0.9, 0.9);
        touch("pointermove", 5, 0.6, 0.3);
        touch("pointerup", 5, 0.6, 0.3);
        """
    )
    _idle(browser)
    mask = read_mask(_downloaded(browser, tmp_path, "save-mask", "mask.png")) > 127
    assert mask[36, 34:94].all() and not mask[60:].any()
