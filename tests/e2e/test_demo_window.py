"""`guided_demo.py` in a real window on a virtual screen: draw, complete, undo, save; and without any face."""

import os
import shutil
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from PIL import ImageGrab
from runs import ROOT, until

from tf_inpaint.io.images import read_image, read_mask, write_png

pytestmark = pytest.mark.slow

PROGRAM = ROOT / "guided_demo.py"
SCREENSHOTS = os.environ.get("TF_INPAINT_SCREENSHOTS")  # a folder, to look at the window


@pytest.fixture
def screen():
    """Environment of a virtual screen."""
    missing = [program for program in ("Xvfb", "xdotool") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed")
    read, write = os.pipe()
    # Without -noreset it begins anew after its last client, and refuses whoever comes meanwhile.
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as number:
        display = f":{number.readline().strip()}"
    yield {**{key: value for key, value in os.environ.items() if key != "WAYLAND_DISPLAY"}, "DISPLAY": display}
    server.terminate()
    server.wait(10)


def test_draw_complete_undo_save(screen, guided_run, photo, tmp_path):
    output = tmp_path / "out.png"
    command = [sys.executable, "-u", PROGRAM, "--image", photo, "--output", output, "--checkpoint_dir", guided_run]
    process = subprocess.Popen(command, env=screen, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def xdotool(*arguments):
        return subprocess.run(["xdotool", *map(str, arguments)], env=screen, capture_output=True, text=True)

    def press(key):
        xdotool("key", key)
        time.sleep(0.3)

    def drag(button, *points):
        for index, (x, y) in enumerate(points):
            xdotool("mousemove", "--window", window, 4 * x, 4 * y)  # so small an image is shown enlarged
            if index == 0:
                xdotool("mousedown", button)
            time.sleep(0.1)
        xdotool("mouseup", button)
        time.sleep(0.3)

    def look(name):
        if SCREENSHOTS:
            ImageGrab.grab(xdisplay=screen["DISPLAY"]).save(f"{SCREENSHOTS}/window_{name}.png")

    def saved(name):
        press("s")
        until((tmp_path / name).exists, name, process, 20)
        time.sleep(0.3)
        return {path.name: path for path in tmp_path.iterdir()}

    try:
        until(lambda: xdotool("search", "--name", "^tf_inpaint$").stdout.strip(), "the window", process, 90)
        time.sleep(1)
        window = xdotool("search", "--name", "^tf_inpaint$").stdout.split()[-1]
        xdotool("windowmove", window, 20, 20)
        xdotool("windowfocus", window)
        press("h")
        look("help")
        press("h")
        drag(1, (50, 60), (80, 60), (110, 60))
        drag(3, (50, 50), (110, 70))
        look("drawn")
        files = saved("out_edge.png")
        assert "out.png" not in files  # nothing is completed yet
        mask, edges = read_mask(files["out_mask.png"]) > 127, read_mask(files["out_edge.png"]) > 127
        assert mask.shape == (120, 160) and mask[60, 80] and not mask[:40].any()
        assert 0 < edges.sum() < mask.sum() and edges[60, 80]

        press("space")
        files = saved("out.png")
        look("completed")
        original, completed = read_image(photo).rgb, read_image(files["out.png"]).rgb
        np.testing.assert_array_equal(completed[~mask], original[~mask])
        assert (completed[mask] != original[mask]).mean() > 0.5
        press("a")
        look("attention")

        for path in files.values():
            path.unlink()
        press("u")
        press("u")
        files = saved("out_mask.png")
        assert not read_mask(files["out_mask.png"]).any() and not read_mask(files["out_edge.png"]).any()
        press("q")
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def _run(*arguments, **environment):
    inherited = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    command = [sys.executable, PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**inherited, **environment})


def test_one_completion_without_any_face(guided_run, photo, tmp_path):
    mask, edges = np.zeros((2, 120, 160), np.uint8)
    mask[40:80, 40:120] = 255
    write_png(tmp_path / "m.png", mask)
    results = []
    for name, line in (("empty", None), ("drawn", 60), ("elsewhere", 100)):
        if line:
            edges[:] = 0
            cv2.line(edges, (0, line), (159, line), 255, 1)
        write_png(tmp_path / "e.png", edges)
        files = ["--image", photo, "--mask", tmp_path / "m.png", "--edges", tmp_path / "e.png"]
        done = _run(*files, "--output", tmp_path / f"{name}.png", "--checkpoint_dir", guided_run)
        assert (done.returncode, done.stderr) == (0, "")
        results.append(read_image(tmp_path / f"{name}.png").rgb)
    original = read_image(photo).rgb
    assert all((result[mask == 0] == original[mask == 0]).all() for result in results)
    assert (results[0] != results[1]).any()  # the edges matter
    np.testing.assert_array_equal(results[0], results[2])  # where it lies in the hole


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_without_a_display_the_page_is_named(guided_run, photo):
    done = _run("--image", photo, "--checkpoint_dir", guided_run)
    assert done.returncode == 2
    assert done.stderr == "error: there is no display for a window here: add --web to draw in a browser\n"


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--checkpoint_dir", "RUN"], "which image? give --image for the window, or --web"),
        (["--image", "none.png", "--checkpoint_dir", "RUN"], "none.png does not exist"),
        (["--image", "PHOTO", "--checkpoint_dir", "RUN"], "the display does not answer"),
        (["--image", "PHOTO", "--output", "PHOTO", "--checkpoint_dir", "RUN"], "photo.png is one of the inputs"),
        (["--image", "PHOTO", "--output", "o.jpg", "--checkpoint_dir", "RUN"], "the output o.jpg must end in .png"),
        (["--mask", "m.png"], "--mask and --edges need --image"),
        (["--web", "--port", "0"], "--port must be 1 to 65535"),
        (["--web", "--weights", "places2"], "there are no weights named 'places2'"),
    ],
)
def test_bad_usage_is_one_sentence(guided_run, photo, arguments, said):
    files = {"RUN": guided_run, "PHOTO": photo}
    done = _run(*[files.get(argument, argument) for argument in arguments], DISPLAY=":7654")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert said in done.stderr
