"""`guided_demo.py --web` in headless Chromium: upload, paint, complete, compare, download."""

import re
import subprocess
import sys

import numpy as np
import pytest
from pages import (
    ActionChains,
    By,
    Keys,
    MouseButton,
    Select,
    downloaded,
    drag,
    idle,
    look,
    message,
    open_browser,
    open_picture,
    wait,
)
from runs import ROOT, free_ports

from tf_inpaint.io.images import read_image, read_mask, write_png
from tf_inpaint.ops.holes import grown

pytestmark = pytest.mark.slow

pytest.importorskip("flask", reason="flask is not installed")

PROGRAM = ROOT / "guided_demo.py"


@pytest.fixture
def browser(tmp_path):
    with open_browser(tmp_path) as browser:
        yield browser


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


def test_upload_paint_complete_compare_download(address, browser, photo, tmp_path):
    browser.get(address)
    look(browser, "empty")
    open_picture(browser, photo)
    idle(browser)
    assert browser.find_element(By.ID, "tool-edges").is_displayed()
    assert not browser.find_element(By.ID, "complete").is_enabled()  # nothing to complete yet

    drag(browser, [(0.3, 0.5), (0.5, 0.4), (0.7, 0.5)])
    idle(browser)
    drag(browser, [(0.38, 0.43), (0.5, 0.45), (0.62, 0.43)], MouseButton.RIGHT)
    idle(browser)
    look(browser, "drawn")
    mask = read_mask(downloaded(browser, tmp_path, "save-mask", "mask.png")) > 127
    edges = read_mask(downloaded(browser, tmp_path, "save-edges", "edges.png")) > 127
    assert mask.shape == (120, 160) and mask[60, 112] and mask[48, 80] and not mask[100:].any()
    assert 0 < edges.sum() < mask.sum() and edges[54, 80]

    browser.find_element(By.ID, "undo").click()
    idle(browser)
    browser.find_element(By.ID, "redo").click()
    idle(browser)
    browser.find_element(By.ID, "complete").click()
    wait(browser, lambda: message(browser).startswith("completed in"), "the completion")
    assert browser.find_element(By.ID, "after").is_displayed()
    browser.execute_script("$('split').value = 500; split()")
    look(browser, "compared")
    browser.find_element(By.ID, "view-attention").click()
    assert browser.find_element(By.ID, "attention").is_displayed()
    look(browser, "attention")

    original, completed = read_image(photo).rgb, read_image(downloaded(browser, tmp_path, "save", "completed.png")).rgb
    np.testing.assert_array_equal(completed[~mask], original[~mask])
    assert (completed[mask] != original[mask]).mean() > 0.5

    browser.execute_script("$('grow').value = 6; $('grow').oninput()")
    Select(browser.find_element(By.ID, "blend")).select_by_visible_text("Poisson")
    Select(browser.find_element(By.ID, "format")).select_by_visible_text("WebP")
    browser.find_element(By.ID, "view-draw").click()
    browser.find_element(By.ID, "complete").click()
    wait(browser, lambda: browser.find_element(By.ID, "after").is_displayed(), "the completion")
    idle(browser)
    look(browser, "grown")
    larger, grown_out = grown(mask, 6), read_image(downloaded(browser, tmp_path, "save", "completed.webp")).rgb
    np.testing.assert_array_equal(grown_out[~larger], original[~larger])
    assert (grown_out[larger & ~mask] != original[larger & ~mask]).mean() > 0.5
    browser.set_window_size(390, 844)
    browser.find_element(By.ID, "view-draw").click()
    look(browser, "phone")
    width = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0  # nothing sticks out
    problems = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not problems


def test_mistakes_are_shown_and_the_page_goes_on(address, browser, photo, tmp_path):
    text = tmp_path / "text.png"
    text.write_text("no image")
    browser.get(address)
    browser.find_element(By.ID, "open").send_keys(str(text))
    wait(browser, lambda: "the upload is not an image" in message(browser), "the sentence")
    open_picture(browser, photo)
    browser.find_element(By.ID, "open-mask").send_keys(str(photo))
    wait(browser, lambda: "mask" in message(browser), "that a photograph is no mask")
    assert not browser.find_element(By.ID, "undo").is_enabled()
    holes = np.zeros(read_image(photo).rgb.shape, np.uint8)
    holes[10:20, 10:30] = 255
    write_png(tmp_path / "holes.png", holes)
    browser.find_element(By.ID, "open-mask").send_keys(str(tmp_path / "holes.png"))
    wait(browser, lambda: browser.find_element(By.ID, "undo").is_enabled(), "the mask")
    idle(browser)
    ActionChains(browser).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    idle(browser)
    assert not browser.find_element(By.ID, "undo").is_enabled()
    assert browser.find_element(By.ID, "redo").is_enabled()


def test_a_second_finger_draws_nothing(address, browser, photo, tmp_path):
    browser.get(address)
    open_picture(browser, photo)
    idle(browser)
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
    idle(browser)
    mask = read_mask(downloaded(browser, tmp_path, "save-mask", "mask.png")) > 127
    assert mask[36, 34:94].all() and not mask[60:].any()
