"""Narrow, untrained models of every kind, exported once for all tests, pictures to ask them with, and a server."""

import base64
import json
import os
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import grpc
import numpy as np
import pytest
import tensorflow as tf
from runs import free_ports

from tf_inpaint.export import export
from tf_inpaint.inference.inpainter import Inpainter
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes import RECIPES
from tf_inpaint.serving import messages
from tf_inpaint.serving.client import Client

OPTIONS = {
    "deepfill_v1": ("deepfill_v1", {"width": 4, "critic_width": 4, "local_patch": (32, 32)}),
    "deepfill_v2": ("deepfill_v2", {"width": 8, "critic_width": 4}),
    "guided": ("deepfill_v2", {"width": 8, "critic_width": 4, "guided": True}),
    "pen_net": ("pen_net", {"width": 4, "critic_width": 4}),
    "context_encoder": ("context_encoder", {"image_size": 32, "width": 4, "critic_width": 4, "bottleneck": 8}),
}


def make_inpainter(model):
    """An Inpainter whose predictions differ visibly from place to place."""
    tf.keras.utils.set_random_seed(1)
    recipe, options = OPTIONS[model]
    recipe = RECIPES[recipe](RECIPES[recipe].Options(**options))
    side = 32 if model == "context_encoder" else 64
    recipe.build(side, side)
    for name, weight in named_weights(recipe.generator).items():
        weight.assign(weight * ({"pen_net": 10.0, "deepfill_v1": 1.2}.get(model, 2.5) if "kernel" in name else 1.0))
    return Inpainter.of(recipe, residuals=1.0 if model == "guided" else 0.0)


class Exported(NamedTuple):
    """A model and what became of it."""

    inpainter: Inpainter
    folder: str  # of its first version


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """exported(model) -> Exported, made once; DeepFill v1's has all outputs."""
    made = {}

    def get(model):
        if model not in made:
            inpainter = make_inpainter(model)
            outputs = ("coarse", "attention_flow") if model == "deepfill_v1" else ()
            folder = str(tmp_path_factory.mktemp("models") / model)
            made[model] = Exported(inpainter, export(inpainter, folder, outputs=outputs))
        return made[model]

    return get


class Case(NamedTuple):
    """Pictures of one size with a hole and a sketch each."""

    images: np.ndarray  # uint8 [N, H, W, 3]
    masks: np.ndarray  # uint8 [N, H, W, 1]
    edges: np.ndarray  # uint8 [N, H, W, 1]

    def tensors(self, guided):
        """The inputs of `serving_default`."""
        return {"image": self.images, "mask": self.masks, **({"edges": self.edges} if guided else {})}

    def files(self, guided):
        """The inputs of `encoded`."""
        return {f"{name}_bytes": encode(planes) for name, planes in self.tensors(guided).items()}

    def expected(self, inpainter):
        """What Inpainter makes of each picture by itself; with residuals in the holes alone, as it is exported."""
        sketches = self.edges[..., 0] if inpainter.takes_edges else [None] * len(self.images)
        tasks = zip(self.images, self.masks[..., 0], sketches)
        outputs = [inpainter.outputs(*task, all_outputs=not inpainter.residuals) for task in tasks]
        return {name: np.stack([output[name] for output in outputs]) for name in outputs[0] if name != "predicted"}


def encode(planes):
    """PNG files of pictures or planes, as an array of bytes."""
    return np.array([tf.io.encode_png(plane).numpy() for plane in planes], object)


@pytest.fixture(scope="session")
def make_case():
    """make_case(height, width, count) -> Case; every hole touches the lower right corner, and no two are alike."""

    def make(height, width, count=1):
        rng = np.random.default_rng([height, width, count])
        images = rng.integers(0, 256, (count, height, width, 3), np.uint8)
        masks = np.zeros((count, height, width, 1), np.uint8)
        for i in range(count):
            masks[i, height // 2 :, (i + 1) * width // 5 :] = 255
        return Case(images, masks, np.where(rng.random(masks.shape) < 0.1, np.uint8(255), np.uint8(0)))

    return make


class StandIn:
    """Speaks TensorFlow Serving's REST API and its gRPC of a model, which it runs as a SavedModel; as a context.

    Attributes:
        rest, grpc: its addresses, as `Client` takes them.
    """

    def __init__(self, folder, model):
        self.model, self.version = model, os.path.basename(folder)
        self._loaded = tf.saved_model.load(folder)
        handler = type("Handler", (_Handler,), {"server_of": self})
        self._http = _Server(("127.0.0.1", 0), handler)
        self.rest = f"http://127.0.0.1:{self._http.server_port}"
        self._grpc = grpc.server(ThreadPoolExecutor(16))
        methods = {"PredictionService": {"Predict": self._predict}, "ModelService": {"GetModelStatus": self._status}}
        for service, named in methods.items():
            handlers = {name: grpc.unary_unary_rpc_method_handler(method) for name, method in named.items()}
            handler = grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", handlers)
            self._grpc.add_generic_rpc_handlers((handler,))
        self.grpc = f"grpc://127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self._grpc.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(None)

    def run(self, signature, inputs):
        """name -> array of a signature's outputs; ValueError or OpError if it refuses."""
        signature = signature or "serving_default"
        if signature not in self._loaded.signatures:
            raise ValueError(f'Serving signature name: "{signature}" not found in signature def')
        wanted = self._loaded.signatures[signature].structured_input_signature[1]
        if set(wanted) != set(inputs):
            raise ValueError(f"input must have exactly {sorted(wanted)}, not {sorted(inputs)}")
        tensors = {name: tf.constant(inputs[name], wanted[name].dtype) for name in inputs}
        return {name: value.numpy() for name, value in self._loaded.signatures[signature](**tensors).items()}

    def answer(self, request):
        """The JSON of a :predict request."""
        if "instances" in request:
            rows = [{name: _plain(value) for name, value in row.items()} for row in request["instances"]]
            inputs = {name: [row[name] for row in rows] for name in rows[0]}
            outputs = {
                name: _as_json(name, value) for name, value in self.run(request.get("signature_name"), inputs).items()
            }
            rows = [dict(zip(outputs, row)) for row in zip(*outputs.values())]
            return {"predictions": [next(iter(row.values())) for row in rows] if len(outputs) == 1 else rows}
        inputs = {name: _plain(value) for name, value in request["inputs"].items()}
        outputs = {
            name: _as_json(name, value) for name, value in self.run(request.get("signature_name"), inputs).items()
        }
        return {"outputs": next(iter(outputs.values())) if len(outputs) == 1 else outputs}

    def _predict(self, message, context):
        model, signature, inputs = messages.read_predict_request(message)
        if model != self.model:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({model})")
        try:
            return messages.predict_response(self.run(signature, inputs))
        except (ValueError, tf.errors.OpError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    def _status(self, message, context):
        if self.model.encode() not in message:
            context.abort(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model")
        return bytes([0x0A, 4, 0x08, int(self.version), 0x10, messages.AVAILABLE])


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    """Serving's paths: /v1/models/<model>[/versions/<n>][/metadata|:predict]."""

    def do_GET(self):
        if self._mine():
            status = {"version": self.server_of.version, "state": "AVAILABLE", "status": {"error_code": "OK"}}
            self._send(200, {"model_version_status": [status]})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._mine(":predict"):
            return
        try:
            self._send(200, self.server_of.answer(json.loads(body)))
        except (ValueError, tf.errors.OpError) as error:
            self._send(400, {"error": str(error)})

    def _mine(self, verb=""):
        path = f"/v1/models/{self.server_of.model}"
        if self.path in (path + verb, f"{path}/versions/{self.server_of.version}{verb}"):
            return True
        self._send(404, {"error": f"Servable not found for request: {self.path}"})
        return False

    def _send(self, code, answer):
        body = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def _plain(value):
    """JSON with {"b64": ...} as bytes."""
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _as_json(name, value):
    """A list; strings of an output named *_bytes as {"b64": ...}, as Serving has them."""
    if value.dtype == object and name.endswith("_bytes"):
        return [{"b64": base64.b64encode(one).decode()} for one in value]
    return value.tolist()


class _Real:
    """The program tensorflow_model_server with a model."""

    def __init__(self, program, folder, model):
        self.model, ports = model, free_ports(2)
        self.grpc, self.rest = f"grpc://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
        base = os.path.dirname(folder)
        options = [
            f"--port={ports[0]}",
            f"--rest_api_port={ports[1]}",
            f"--model_name={model}",
            f"--model_base_path={base}",
        ]
        self._process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        client, deadline = Client(self.rest, self.model), time.monotonic() + 120
        while not client.ready():
            assert self._process.poll() is None and time.monotonic() < deadline, (
                "tensorflow_model_server does not start"
            )
            time.sleep(0.5)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()


@pytest.fixture(scope="session", params=["stand-in", "tensorflow_model_server"])
def server(request, exported):
    """A server of the guided model under the name "guided", with addresses `rest` and `grpc`."""
    if request.param == "stand-in":
        running = StandIn(exported("guided").folder, "guided")
    else:
        program = shutil.which("tensorflow_model_server")
        if program is None:
            pytest.skip("there is no tensorflow_model_server on PATH")
        running = _Real(program, exported("guided").folder, "guided")
    with running:
        yield running
