"""What the static page computes by itself, in Node, held to the package's own: growth, blending, masks, PNG files."""

import base64
import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tf_inpaint.demo
from tf_inpaint.demo.site import example
from tf_inpaint.inference.blending import blend
from tf_inpaint.io.holes import holes_of, strange_cover
from tf_inpaint.io.images import ImageFile, mask_levels
from tf_inpaint.ops.holes import feather, grown
from tf_inpaint.ops.levels import EDGE_THRESHOLD, MASK_THRESHOLD

NODE = shutil.which("node")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not NODE, reason="node is not installed")]
HEIGHT, WIDTH = 60, 80
STRANGE = {
    *("a transparent pixel", "light and dark", "dark paint", "faint rim", "soft between"),
    *("alike", "black", "inverted"),
}
SCRIPT = """
import { readFileSync } from "node:fs";
const { pages, stranger, rgba, drawn, mask, width, height, files, levels } = JSON.parse(readFileSync(0));
const bytes = (text) => Uint8ClampedArray.from(Buffer.from(text, "base64"));
const text = (values) => Buffer.from(values).toString("base64");
const holes = await import(`${pages}/holes.js`);
const { holesOf, linesOf, strangeCover, survey, warningOf } = await import(`${pages}/masks.js`);
const { decodePng, encodePng } = await import(`${pages}/png.js`);
const { example } = await import(`${pages}/network.js`);
const [picture, prediction, hole] = [bytes(rgba), bytes(drawn), Uint8Array.from(bytes(mask))];
const rows = (first, count) => Uint8Array.from(picture.subarray(4 * first * width, 4 * (first + count) * width));
const noted = new TextEncoder().encode("Comment\\0by the page");
const file = await encodePng(width, height, 4, rows, [["tEXt", noted]]);
const read = await decodePng(new Blob([bytes(stranger)]));
const made = example(96, [40, 56]);
const small = holes.enlarged(picture, width, height, { x: 10, y: 20, width: 2 * width, height: 2 * height },
  { x: 10, y: 20, width: 2 * width, height: 2 * height });
const marked = files.map((file) => {
  const pixels = bytes(file);
  const found = survey((y, count) => pixels.subarray(4 * 20 * y, 4 * 20 * (y + count)), 20, 300, levels[0]);
  try {
    const marked = holesOf(found, levels[0]);
    return [text(marked), text(linesOf(found, levels[1])), [warningOf(found, levels[0]), strangeCover(marked)]];
  } catch (error) {
    return [error.message, text(linesOf(found, levels[1]))];
  }
});
console.log(JSON.stringify({
  marked,
  grown: text(holes.grown(hole, width, height, 5)),
  feather: text(holes.feather(picture, prediction, hole, width, height)),
  poisson: text(holes.poisson(picture, prediction, hole, width, height)),
  enlarged: text(small),
  groups: holes.groups(hole, width, height, 16),
  read: text(read.rgba),
  png: text(new Uint8Array(await file.arrayBuffer())),
  example: text(made.rgba), exampleMask: text(made.mask),
}));
"""


@pytest.fixture(scope="module")
def case():
    """A smooth image, what is predicted of it darker and with a pattern, two holes."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = np.stack([60 + x, 200 - y, 100 + 20 * np.sin(x / 9)], axis=-1).astype(np.uint8)
    drawn = np.clip(image - 25.0 + 10 * np.sin(y / 3)[..., np.newaxis], 0, 255).astype(np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:45, 8:38], mask[5:15, 60:75] = True, True
    mask[20:26, 8:14] = False
    return image, drawn, mask


@pytest.fixture(scope="module")
def computed(case):
    image, drawn, mask = case
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    arrays = {"rgba": np.dstack([image, alpha]), "drawn": np.dstack([drawn, alpha]), "mask": mask.astype(np.uint8)}
    given = {name: base64.b64encode(array.tobytes()).decode() for name, array in arrays.items()}
    file = io.BytesIO()
    Image.fromarray(_stranger()).save(file, "PNG")
    given["stranger"] = base64.b64encode(file.getvalue()).decode()
    given.update(files=[base64.b64encode(file.tobytes()).decode() for file in _mask_files().values()])
    given.update(levels=[MASK_THRESHOLD, EDGE_THRESHOLD])
    given.update(pages=(Path(tf_inpaint.demo.__file__).parent / "page").as_uri(), width=WIDTH, height=HEIGHT)
    command = [NODE, "--experimental-default-type=module", "--input-type=module", "-e", SCRIPT]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return {name: base64.b64decode(value) if isinstance(value, str) else value for name, value in answer.items()}


def _mask_files():
    """Name -> uint8 [300, 20, 4], of which the page finds the hole, or none."""
    rng, hole = np.random.default_rng(1), np.zeros((300, 20), bool)
    hole[100:280, 5:15] = True  # in more than one piece of what is looked at at once

    def file(inside, outside=(0, 0, 0, 255)):
        return np.where(hole[..., np.newaxis], np.uint8(inside), np.uint8(outside))

    white = file((255, 255, 255, 255))
    files = {"white": white, "red": file((255, 0, 0, 255)), "blue on grey": file((0, 0, 255, 255), (90, 90, 90, 255))}
    files["a transparent pixel"] = white.copy()
    files["a transparent pixel"][0, 0] = 0
    files["alike all over"] = file((255, 255, 255, 254), (0, 0, 0, 254))
    files["paint"], files["black paint"] = (file((*colour, 255), (0, 0, 0, 0)) for colour in ((10, 200, 30), (0, 0, 0)))
    files["colours"], files["light and dark"] = white.copy(), white.copy()
    files["colours"][~hole] = files["light and dark"][~hole] = 0
    files["colours"][100:150, 5:15], files["light and dark"][100:150, 5:15] = (200, 0, 0, 255), (0, 0, 0, 255)
    files["soft"] = white.copy()
    files["soft"][..., :3] = np.clip(15 * (np.arange(300) - 140), 0, 255).astype(np.uint8)[:, np.newaxis, np.newaxis]
    files["dark"], files["faint"] = file((60, 60, 60, 255)), file((255, 255, 255, 100), (0, 0, 0, 0))
    files["dark paint"] = white.copy()
    files["dark paint"][:20] = (100, 0, 0, 255)
    files["faint rim"] = file((255, 255, 255, 255), (255, 255, 255, 100))
    files["soft between"] = file((200, 200, 200, 255), (60, 60, 60, 255))
    files["soft between"][:60, :, :3] = np.arange(80, 180, 5, np.uint8)[:, np.newaxis]
    files["alike"], files["black"] = np.full_like(white, 255), file((0, 0, 0, 255))
    files["inverted"] = files["alike"].copy()
    files["inverted"][:9, :, :3] = 0
    noise = rng.integers(0, 256, (300, 20, 4), np.uint8)
    files["layered photograph"], files["photograph"], files["grey photograph"] = noise, noise.copy(), noise.copy()
    files["photograph"][..., 3] = files["grey photograph"][..., 3] = 255
    files["grey photograph"][..., :3] = noise[..., :1]
    return files


def _stranger():
    """Smooth and rough rows, so that Pillow filters them in different ways; any alpha."""
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:50, :70]
    rgba = np.stack([x, y, x + y, 255 - x], axis=-1).astype(np.uint8)
    rgba[10:20] = rng.integers(0, 256, (10, 70, 4), np.uint8)
    return rgba


def _rgb(levels, height=HEIGHT, width=WIDTH):
    return np.frombuffer(levels, np.uint8).reshape(height, width, 4)[..., :3].astype(int)


def test_growth_and_groups(case, computed):
    got = np.frombuffer(computed["grown"], np.uint8).reshape(HEIGHT, WIDTH) > 0
    assert (got != grown(case[2], 5)).sum() <= 16  # OpenCV's distances are approximate
    boxes = {(box["x"], box["y"], box["width"], box["height"]) for box in computed["groups"]}
    assert boxes == {(8, 16, 32, 32), (56, 0, 24, 16)}  # of cells of eight pixels


def test_feather_and_poisson(case, computed):
    image, drawn, mask = case
    off = np.abs(_rgb(computed["feather"]) - feather(image, drawn, mask))[mask]
    assert off.mean() < 0.5 and np.percentile(off, 95) <= 2  # two known pixels may be as near
    off = np.abs(_rgb(computed["poisson"]) - blend(image, drawn, mask))[mask]
    assert off.mean() < 2 and np.percentile(off, 99) <= 8  # OpenCV takes gradients otherwise
    assert np.abs(_rgb(computed["poisson"]) - drawn)[mask].mean() > 10  # which it was off by


def test_enlarging(case, computed):
    got = _rgb(computed["enlarged"], 2 * HEIGHT, 2 * WIDTH)
    expected = np.asarray(Image.fromarray(case[0]).resize((2 * WIDTH, 2 * HEIGHT), Image.Resampling.BILINEAR))
    assert np.abs(got - expected).max() <= 1


def test_png_files(case, computed):
    assert computed["read"] == _stranger().tobytes()
    with Image.open(io.BytesIO(computed["png"])) as file:
        np.testing.assert_array_equal(np.asarray(file)[..., :3], case[0])
        assert file.mode == "RGBA" and file.text == {"Comment": "by the page"}


def test_the_example_is_the_card_s(computed):
    image, mask = example()
    side = image.shape[1]
    np.testing.assert_array_equal(_rgb(computed["example"], side, side), image[0])
    assert computed["exampleMask"] == (mask > 0).astype(np.uint8).tobytes()


@pytest.mark.parametrize("index, name", enumerate(_mask_files()))
def test_holes_and_lines_of_files(computed, index, name):
    rgba, (holes, lines, *strange) = _mask_files()[name], computed["marked"][index]
    file = ImageFile(rgba[..., :3], rgba[..., 3], False)
    expected = mask_levels(file) > EDGE_THRESHOLD
    assert base64.b64decode(lines) == expected.astype(np.uint8).tobytes()
    try:
        expected, warning = holes_of(file)
    except ValueError:
        assert holes.startswith("the mask ")
    else:
        assert base64.b64decode(holes) == expected.astype(np.uint8).tobytes()
        # The page has no options that could be given.
        assert strange == [[warning and warning.split(": ")[0], strange_cover(expected)]]
        assert any(strange[0]) == (name in STRANGE)
