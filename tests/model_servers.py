"""What answers as TensorFlow Serving does: a stand-in that runs a SavedModel, and the program itself."""

import base64
import json
import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import tensorflow as tf
from runs import free_ports

from tf_inpaint.serving import messages
from tf_inpaint.serving.client import Client


class StandIn:
    """Speaks TensorFlow Serving's REST API and its gRPC of a model, which it runs as a SavedModel; as a context.

    Attributes:
        rest, grpc: its addresses, as `Client` takes them.
    """

    def __init__(self, folder, model):
        self.model, self.version = model, os.path.basename(folder)
        self._loaded = tf.saved_model.load(folder)
        self._http = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_of": self}))
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
        serve = self._loaded.signatures[signature]
        wanted = serve.structured_input_signature[1]
        if set(wanted) != set(inputs):
            raise ValueError(f"input must have exactly {sorted(wanted)}, not {sorted(inputs)}")
        outputs = serve(**{name: tf.constant(inputs[name], wanted[name].dtype) for name in inputs})
        return {name: value.numpy() for name, value in outputs.items()}

    def answer(self, request):
        """The JSON of a :predict request, in rows ("instances") or in columns ("inputs"); one output has no name."""
        columns = request.get("inputs")
        if columns is None:
            columns = {name: [row[name] for row in request["instances"]] for name in request["instances"][0]}
        inputs = {name: _from_json(value) for name, value in columns.items()}
        outputs = self.run(request.get("signature_name"), inputs)
        outputs = {name: _to_json(name, value) for name, value in outputs.items()}
        if "inputs" in request:
            return {"outputs": _unnamed(outputs)}
        return {"predictions": [_unnamed(dict(zip(outputs, row))) for row in zip(*outputs.values())]}

    def _predict(self, message, context):
        request = messages.read("PredictRequest", message)
        spec = request.model_spec
        if spec.name != self.model:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({spec.name})")
        try:
            outputs = self.run(spec.signature_name, messages.arrays(request.inputs))
            return messages.write("PredictResponse", outputs=messages.entries(outputs))
        except (ValueError, tf.errors.OpError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    def _status(self, message, context):
        if messages.read("GetModelStatusRequest", message).model_spec.name != self.model:
            context.abort(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model")
        status = {"version": int(self.version), "state": messages.AVAILABLE}
        return messages.write("GetModelStatusResponse", model_version_status=[status])


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    """Serving's paths: /v1/models/<model>[/versions/<n>][/metadata|:predict]."""

    def do_GET(self):
        if self._knows():
            status = {"version": self.server_of.version, "state": "AVAILABLE", "status": {"error_code": "OK"}}
            self._send(200, {"model_version_status": [status]})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._knows(":predict"):
            try:
                self._send(200, self.server_of.answer(json.loads(body)))
            except (ValueError, tf.errors.OpError) as error:
                self._send(400, {"error": str(error)})

    def _knows(self, verb=""):
        path = f"/v1/models/{self.server_of.model}"
        known = self.path in (path + verb, f"{path}/versions/{self.server_of.version}{verb}")
        if not known:
            self._send(404, {"error": f"Servable not found for request: {self.path}"})
        return known

    def _send(self, code, answer):
        body = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def _from_json(value):
    """JSON with {"b64": ...} as bytes."""
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return [_from_json(one) for one in value] if isinstance(value, list) else value


def _to_json(name, value):
    """A list; strings of an output named *_bytes as {"b64": ...}, as Serving has them."""
    if value.dtype == object and name.endswith("_bytes"):
        return [{"b64": base64.b64encode(one).decode()} for one in value]
    return value.tolist()


def _unnamed(outputs):
    return outputs if len(outputs) > 1 else next(iter(outputs.values()))


class ModelServer:
    """The program tensorflow_model_server with a model; as a context."""

    def __init__(self, program, folder, model):
        self.model, (port, rest_port) = model, free_ports(2)
        self.grpc, self.rest = f"grpc://127.0.0.1:{port}", f"http://127.0.0.1:{rest_port}"
        options = {"port": port, "rest_api_port": rest_port, "model_name": model}
        options["model_base_path"] = os.path.dirname(folder)
        command = [program, *(f"--{name}={value}" for name, value in options.items())]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        client, deadline = Client(self.rest, self.model), time.monotonic() + 120
        while not client.ready():
            assert self._process.poll() is None and time.monotonic() < deadline, "the server does not start"
            time.sleep(0.5)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
