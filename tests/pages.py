"""The page in headless Chromium: what its tests do there. Skips the tests that import it where there is no browser."""

import contextlib
import os
import shutil
import time
from pathlib import Path

import pytest

selenium = pytest.importorskip("selenium", reason="selenium is not installed")
CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)

from selenium import webdriver
from selenium.webdriver import ActionChains  # noqa: F401
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.mouse_button import MouseButton
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys  # noqa: F401
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: F401

SCREENSHOTS = os.environ.get("TF_INPAINT_SCREENSHOTS")  # a folder, to look at the page


@contextlib.contextmanager
def open_browser(folder):
    """A browser whose profile and downloads lie in a folder."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        *("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-dev-shm-usage"),
        *("disable-background-networking", "disable-component-update", "disable-sync", "window-size=1280,800"),
        f"user-data-dir={folder / 'profile'}",
    ):
        options.add_argument(f"--{flag}")
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield browser
    finally:
        browser.quit()


def wait(browser, condition, what, seconds=60):
    WebDriverWait(browser, seconds, 0.05).until(lambda _: condition(), f"waited for {what}")


def message(browser):
    return browser.find_element(By.ID, "message").text


def look(browser, name):
    if SCREENSHOTS:
        browser.save_screenshot(str(Path(SCREENSHOTS) / f"page_{name}.png"))


def drag(browser, points, button=MouseButton.LEFT):
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


def downloaded(browser, folder, button, name):
    """Path of a file that a button saves."""
    browser.find_element(By.ID, button).click()
    wait(browser, lambda: (folder / name).exists(), f"{name} to arrive")
    time.sleep(0.2)
    return folder / name


def open_picture(browser, photo):
    browser.find_element(By.ID, "open").send_keys(str(photo))
    wait(browser, lambda: browser.find_element(By.ID, "frame").is_displayed(), "the image")


def idle(browser):
    """Waits until all that was asked for is done."""
    wait(browser, lambda: browser.execute_async_script("queue.then(() => arguments[0](true))"), "the page")
