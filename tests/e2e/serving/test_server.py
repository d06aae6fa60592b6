"""Requests and answers as TensorFlow Serving has them: by a stand-in, and by the program itself where it is found."""

import base64
import ctypes
import gc
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml
from google.protobuf import text_format

from tf_inpaint.errors import InputError
from tf_inpaint.io.images import read_image, write_png
from tf_inpaint.serving import messages
from tf_inpaint.serving.client import Client

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["rest", "grpc"])
def client(server, request):
    return Client(getattr(server, request.param), "guided")


def _post(server, request):
    url = f"{server.rest}/v1/models/guided:predict"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(request).encode())) as answer:
        return json.load(answer)


def test_arrays_and_files_are_completed(client, exported, make_case):
    case = make_case(40, 70)
    expected = case.expected(exported("guided").inpainter)["completed"][0]
    assert client.ready()
    planes = case.images[0], case.masks[0, ..., 0], case.edges[0, ..., 0]
    np.testing.assert_array_equal(client.complete(*planes), expected)
    np.testing.assert_array_equal(client.complete(planes[0], planes[1] > 127, planes[2] > 153), expected)
    files = [contents[0] for contents in case.files(guided=True).values()]
    np.testing.assert_array_equal(read_image(client.complete_files(*files)).rgb, expected)


def test_refusals_are_a_sentence_and_the_server_lives_on(client, server, make_case):
    image, mask, edges = (contents[0] for contents in make_case(16, 16).files(guided=True).values())
    other = make_case(16, 24).files(guided=True)["mask_bytes"][0]
    for files, said in (
        ((b"GIF89a", mask, edges), r"`image_bytes` must be a PNG or JPEG file. Received bytes: \[6\]$"),
        ((image, other, edges), r"`mask` must have the size of the image. Received: \[16 24\] \[16 16\]$"),
        ((image, mask[: len(mask) // 2], edges), "PNG"),
    ):
        with pytest.raises(InputError, match=f"the server refuses: .*{said}"):
            client.complete_files(*files)
    with pytest.raises(InputError, match="the server refuses"):
        client.complete_files(image, mask)  # without a sketch
    unknown = Client(client.address, "unknown")
    assert not unknown.ready()
    with pytest.raises(InputError, match="the server refuses: Servable not found"):
        unknown.complete_files(image, mask, edges)
    assert client.ready() and client.complete_files(image, mask, b"")


def test_an_address_where_nobody_listens():
    for address in ("http://127.0.0.1:9", "grpc://127.0.0.1:9"):
        client = Client(address, "guided", timeout=5)
        assert not client.ready()
        with pytest.raises(InputError, match=f"no answer from {address}"):
            client.complete_files(b"", b"")
    with pytest.raises(InputError, match="must begin with http"):
        Client("localhost:8501")


def test_json_in_rows_and_in_columns(server, exported, make_case):
    case = make_case(12, 10, 2)
    expected = case.expected(exported("guided").inpainter)["completed"]
    tensors = {name: value.tolist() for name, value in case.tensors(guided=True).items()}
    rows = [dict(zip(tensors, row)) for row in zip(*tensors.values())]
    np.testing.assert_array_equal(_post(server, {"instances": rows})["predictions"], expected)
    np.testing.assert_array_equal(_post(server, {"inputs": tensors})["outputs"], expected)

    other = make_case(20, 9)  # pictures of one request may differ in size
    given = zip(*(list(a) + list(b) for a, b in zip(case.files(True).values(), other.files(True).values())))
    names = ("image_bytes", "mask_bytes", "edges_bytes")
    rows = [{name: {"b64": base64.b64encode(x).decode()} for name, x in zip(names, row)} for row in given]
    predictions = _post(server, {"signature_name": "encoded", "instances": rows})["predictions"]
    completed = [read_image(base64.b64decode(prediction["b64"])).rgb for prediction in predictions]
    for got, wanted in zip(completed, [*expected, other.expected(exported("guided").inpainter)["completed"][0]]):
        np.testing.assert_array_equal(got, wanted)


def test_the_command(server, exported, make_case, tmp_path):
    case = make_case(20, 30)
    for name, plane in (("x", case.images[0]), ("m", case.masks[0]), ("e", case.edges[0])):
        write_png(tmp_path / f"{name}.png", plane)
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
    for name, plane in (("x", case.images[0]), ("m", case.masks[0]), ("e", case.edges[0])):
        write_png(tmp_path / f"{name}.png", plane)

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


def test_the_server_s_configuration_is_one():
    """As far as Serving's Python package knows the messages; the others are read as settings of known names."""
    batching = (ROOT / "serving" / "batching.config").read_text()
    settings = re.findall(r"^(\w+) \{ value: (\d+) \}", batching, re.MULTILINE)
    known = {"max_batch_size", "batch_timeout_micros", "num_batch_threads", "max_enqueued_batches"}
    assert {name for name, _ in settings} == known
    compose = yaml.safe_load((ROOT / "serving" / "docker-compose.yml").read_text())
    named = re.findall(r"/config/([\w.]+)", " ".join(compose["services"]["serving"]["command"]))
    assert len(named) == 3 and all((ROOT / "serving" / name).exists() for name in named)
    reason = "tensorflow-serving-api not installed"
    config = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2", reason=reason)
    models = text_format.Parse((ROOT / "serving" / "models.config").read_text(), config.ModelServerConfig())
    assert [model.name for model in models.model_config_list.config] == ["deepfill"]


def test_two_hundred_at_once_of_which_some_are_malformed(server, exported, make_case):
    if not sys.platform.startswith("linux"):
        pytest.skip("memory is read from /proc")
    inpainter = exported("guided").inpainter
    cases = [make_case(*size) for size in ((8, 8), (40, 33), (64, 64), (70, 24))]
    files = [tuple(contents[0] for contents in case.files(guided=True).values()) for case in cases]
    wanted = [case.expected(inpainter)["completed"][0] for case in cases]
    image, mask, edges = files[0]
    bad = [(b"", mask, edges), (image[:-40], mask, edges), (image, files[1][1], edges), (b"nonsense", mask, edges)]
    client = Client(server.rest, "guided", timeout=300)

    def ask(number):
        if number % 20 == 7:
            with pytest.raises(InputError, match="the server refuses: ."):
                client.complete_files(*bad[number // 20 % len(bad)])
            return "refused"
        picture = read_image(client.complete_files(*files[number % len(files)])).rgb
        np.testing.assert_array_equal(picture, wanted[number % len(files)])
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
        ((_, log),) = messages._fields(record.numpy())
        ((_, request),) = messages._fields(log)
        _, signature, inputs = messages.read_predict_request(request)
        asked.append(signature)
        assert server.run(signature, inputs)
    assert asked == ["serving_default", "encoded"]
