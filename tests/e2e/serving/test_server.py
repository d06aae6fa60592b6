"""Requests and answers as TensorFlow Serving has them: by a stand-in, and by the program itself where it is found."""

import base64
import ctypes
import gc
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.io.images import read_image, write_png
from tf_inpaint.serving import messages
from tf_inpaint.serving.client import Client, main

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["rest", "grpc"])
def client(server, request):
    return Client(getattr(server, request.param), "guided")


def _post(server, request):
    url = f"{server.rest}/v1/models/guided:predict"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(request).encode())) as answer:
        return json.load(answer)


def _first_files(case):
    return [contents[0] for contents in case.files().values()]


def test_arrays_and_files_are_completed(client, exported, make_case):
    case = make_case(40, 70)
    expected = case.expected(exported("guided").inpainter)["completed"][0]
    assert client.ready()
    image, mask, edges = case.first()
    np.testing.assert_array_equal(client.complete(image, mask, edges), expected)
    np.testing.assert_array_equal(client.complete(image, mask > 127, edges > 153), expected)
    files = _first_files(case)
    np.testing.assert_array_equal(read_image(client.complete_files(*files)).rgb, expected)


def test_the_command_reads_masks_as_test_py_does_and_lets_them_grow(client, exported, make_case, tmp_path):
    image, _, _ = make_case(40, 70).first()
    hole = np.zeros((40, 70), bool)
    hole[10:20, 30:50] = True
    for name, array in (("x", image), ("m", ~hole), ("e", np.zeros_like(hole))):
        write_png(tmp_path / f"{name}.png", array)
    words = ["--address", client.address, "--model", "guided", "--mask_from", "dark", "--grow", "3"]
    for name, letter in (("image", "x"), ("mask", "m"), ("edges", "e"), ("output", "o")):
        words += [f"--{name}", str(tmp_path / f"{letter}.png")]
    assert main(words) == 0
    expected = exported("guided").inpainter.complete(image, hole, grow=3)
    np.testing.assert_array_equal(read_image(tmp_path / "o.png").rgb, expected)
    with pytest.raises(InputError, match="--grow must be 0 to 1000 pixels, not -1"):
        main([*words, "--grow", "-1"])


def test_refusals_are_a_sentence_and_the_server_lives_on(client, make_case):
    image, mask, edges = _first_files(make_case(16, 16))
    _, other, _ = _first_files(make_case(16, 24))
    for files, said in (
        ((b"GIF89a", mask, edges), r"`image_bytes` must be a PNG or JPEG file. Received bytes: \[6\]$"),
        ((image, other, edges), r"`mask` must have the size of the image. Received: \[16 24\] \[16 16\]$"),
        ((image, mask[: len(mask) // 2], edges), "`mask_bytes` must be a whole file"),
    ):
        with pytest.raises(InputError, match=f"the server refuses: .*{said}"):
            client.complete_files(*files)
    with pytest.raises(InputError, match="the server refuses"):
        client.complete_files(image, mask)  # without edges
    unknown = Client(client.address, "unknown")
    assert not unknown.ready()
    with pytest.raises(InputError, match="the server refuses: Servable not found"):
        unknown.complete_files(image, mask, edges)
    assert client.ready() and client.complete_files(image, mask, b"")


def test_json_in_rows_and_in_columns(server, exported, make_case):
    case = make_case(12, 10, 2)
    expected = case.expected(exported("guided").inpainter)["completed"]
    tensors = {name: value.tolist() for name, value in case.arrays().items()}
    rows = [dict(zip(tensors, row)) for row in zip(*tensors.values())]
    np.testing.assert_array_equal(_post(server, {"instances": rows})["predictions"], expected)
    np.testing.assert_array_equal(_post(server, {"inputs": tensors})["outputs"], expected)

    other = make_case(20, 9)  # images of one request may differ in size
    rows = [
        {name: {"b64": base64.b64encode(contents).decode()} for name, contents in zip(files, row)}
        for files in (case.files(), other.files())
        for row in zip(*files.values())
    ]
    predictions = _post(server, {"signature_name": "encoded", "instances": rows})["predictions"]
    completed = [read_image(base64.b64decode(prediction["b64"])).rgb for prediction in predictions]
    for got, wanted in zip(completed, [*expected, other.expected(exported("guided").inpainter)["completed"][0]]):
        np.testing.assert_array_equal(got, wanted)


def test_the_command(server, exported, make_case, tmp_path):
    case = make_case(20, 30)
    case.write(tmp_path)
    options = ["--address", server.rest, "--model", "guided", "--image", "x.png", "--mask", "m.png"]

    def run(*more):
        program = [sys.executable, "-X", "importtime", "-m", "tf_inpaint.serving.client", *options, *more]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(program, capture_output=True, text=True, cwd=tmp_path, env=environment)

    done = run("--edges", "e.png", "--output", "o.png")
    assert done.returncode == 0, done.stderr[-500:]
    assert "tensorflow" not in done.stderr and "grpc" not in done.stderr
    expected = case.expected(exported("guided").inpainter)["completed"][0]
    np.testing.assert_array_equal(read_image(tmp_path / "o.png").rgb, expected)
    refused = run("--output", "o.png")
    assert refused.returncode == 2 and "error: the server refuses" in refused.stderr


def test_the_example_with_curl(server, exported, make_case, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    case = make_case(20, 30)
    case.write(tmp_path)

    def run(*files):
        program = [str(ROOT / "serving" / "complete.sh"), *files[:3], server.rest, "guided", *files[3:]]
        return subprocess.run(program, capture_output=True, text=True, cwd=tmp_path)

    assert run("x.png", "m.png", "o.png", "e.png").returncode == 0
    expected = case.expected(exported("guided").inpainter)["completed"][0]
    np.testing.assert_array_equal(read_image(str(tmp_path / "o.png")).rgb, expected)
    assert run("x.png", "m.png", "o.png", "/dev/null").returncode == 0
    refused = run("x.png", "/dev/null", "no.png", "e.png")
    assert refused.returncode == 1 and "must be a PNG or JPEG file" in refused.stderr
    assert not (tmp_path / "no.png").exists()


def test_two_hundred_at_once_of_which_some_are_malformed(server, exported, make_case):
    if not sys.platform.startswith("linux"):
        pytest.skip("memory is read from /proc")
    inpainter = exported("guided").inpainter
    cases = [make_case(*size) for size in ((8, 8), (40, 33), (64, 64), (70, 24))]
    files = [_first_files(case) for case in cases]
    wanted = [case.expected(inpainter)["completed"][0] for case in cases]
    image, mask, edges = files[0]
    bad = [(b"", mask, edges), (image[:-40], mask, edges), (image, files[1][1], edges), (b"nonsense", mask, edges)]
    client = Client(server.rest, "guided", timeout=300)

    def ask(number):
        if number % 20 == 7:
            with pytest.raises(InputError, match="the server refuses: ."):
                client.complete_files(*bad[number // 20 % len(bad)])
            return "refused"
        image = read_image(client.complete_files(*files[number % len(files)])).rgb
        np.testing.assert_array_equal(image, wanted[number % len(files)])
        return "completed"

    def at_once(count):
        with ThreadPoolExecutor(count) as threads:
            answers = list(threads.map(ask, range(count)))
        return answers.count("completed"), answers.count("refused"), _megabytes()

    ask(0)  # or each of two hundred threads would prepare the graph for itself: what warm-up requests are for
    before = at_once(200)[2]  # as many threads and buffers as it takes
    completed, refused, after = at_once(200)
    assert (completed, refused) == (190, 10)
    assert after < before + 50, (before, after)


def _megabytes():
    """Memory of this process, and so of the stand-in, without what the C library keeps for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def test_warmup_requests_are_answered(server, exported):
    if not hasattr(server, "run"):
        pytest.skip("TensorFlow Serving has answered them before it was ready")
    records = list(tf.data.TFRecordDataset(f"{exported('guided').folder}/assets.extra/tf_serving_warmup_requests"))
    asked = []
    for record in records:
        request = messages.read("PredictionLog", record.numpy()).predict_log.request
        asked.append(request.model_spec.signature_name)
        assert server.run(asked[-1], messages.arrays(request.inputs))
    assert asked == ["serving_default", "encoded"]
