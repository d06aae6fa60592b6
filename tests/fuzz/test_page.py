"""Any requests to the page: a JSON sentence of one line, never a defect; whoever behaves is served after each."""

import io
import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("flask")

from tf_inpaint.demo.app import make_app

HEADERS = {"X-Requested-With": "tf_inpaint"}
PATHS = ["picture", "layer/mask", "layer/edges", "layer/sky", "stroke", "undo", "redo", "clear", "complete", "nothing"]
VIEWS = ["state", "view/picture.png", "view/overlay.png", "view/completed.png"]
VIEWS += ["completed.png", "completed.jpg", "completed.webp", "mask.png", "edges.png"]
NUMBERS = [0, 1, -1, 0.5, 7, 60, 1e3, 40_000, 1e9, 1e308, float("nan"), float("inf"), "7", None, [], {}, True, 10**400]
SHAPES = [(1, 1), (2, 2), (60, 80), (1, 4000), (4000, 1), (300, 200)]


class StandIn:
    """A network that paints holes in one colour."""

    takes_edges, max_pixels, origin = True, 100_000, "a stand-in"

    def outputs(self, image, mask, edges=None, *, blending=None):
        return {"completed": np.where(mask[..., np.newaxis], np.uint8(7), image), "attention": image}


def _file(random):
    """An image or what is left of one."""
    mode, shape = random.choice(["RGB", "L", "RGBA", "P", "1", "I;16"]), random.choice(SHAPES)
    image = Image.new(mode, shape[::-1], random.choice([0, 1]))
    file = io.BytesIO()
    image.save(file, random.choice(["PNG", "TIFF"] + ["JPEG"] * (mode in ("RGB", "L"))))
    data = bytearray(file.getvalue())
    if random.random() < 0.6:
        for _ in range(random.randint(1, 9)):
            data[random.randrange(len(data))] = random.randrange(256)
    return bytes(data[: random.choice([len(data), len(data), random.randrange(len(data))])])


def _stroke(random):
    """A stroke, or something like it."""
    sane = random.random() < 0.5

    def number():
        return random.uniform(-50, 400) if sane else random.choice(NUMBERS)

    sides = [2] if sane else [2, 2, 2, 1, 3]
    points = [[number() for _ in range(random.choice(sides))] for _ in range(random.randint(0, 9))]
    stroke = {
        "layer": random.choice(["mask", "edges"] if sane else ["mask", "sky", 7, None]),
        "points": points * random.choice([1, 1, 500]),
        "size": random.choice([1, 5, 50, 600, 4000]) if sane else random.choice(NUMBERS),
        "erase": random.choice([True, False, "x"]),
    }
    if random.random() < 0.1:
        del stroke[random.choice(list(stroke))]
    text = json.dumps(stroke)
    return text if random.random() < 0.8 else text[: random.randrange(len(text))]


def _settings(random):
    """How to complete, or something like it."""
    blending = random.choice([None, "poisson", "x", *NUMBERS])
    return json.dumps({"grow": random.choice([0, 3, *NUMBERS]), "blend": blending})


def test_requests(cases):
    app = make_app(StandIn())
    app.testing = False
    client = app.test_client()
    client.get("/")
    for number, random in cases(400):
        path, headers = random.choice(PATHS), dict(HEADERS)
        if random.random() < 0.3:
            answer = client.get(f"/api/{random.choice(VIEWS)}")
        else:
            data = _stroke(random) if path == "stroke" or random.random() < 0.1 else _file(random)
            if path == "complete":
                data = random.choice([b"", data, _settings(random), _settings(random)])
            if path in ("stroke", "complete"):
                headers["Content-Type"] = random.choice(["application/json"] * 9 + ["text/plain"])
            answer = client.post(f"/api/{path}", data=data, headers=headers)
        assert answer.status_code < 500, (number, path, answer.data[:300])
        if answer.status_code >= 400:
            sentence = answer.get_json()["error"]
            assert sentence and sentence.isprintable() and len(sentence) < 400, (number, sentence)
        assert client.get("/api/state").status_code == 200, number
