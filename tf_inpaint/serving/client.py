"""A client of exported models on a TensorFlow Serving; it needs neither TensorFlow nor Serving's libraries.

    client = Client("http://localhost:8501", "inpaint")
    completed = client.complete(image, mask)

As a command: python -m tf_inpaint.serving.client --image x.png --mask m.png --output o.png
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request

import numpy as np

from tf_inpaint import cli
from tf_inpaint.errors import InputError, one_line, reason
from tf_inpaint.io.atomic import refuse_overwriting
from tf_inpaint.io.holes import MASK_SOURCES, read_holes
from tf_inpaint.io.images import check_image, encode_png, read_image, write_png
from tf_inpaint.ops.holes import MOST_GROWTH, grown

REST, GRPC = ("http://", "https://"), "grpc://"
_MOST_BYTES = 1 << 28  # of a gRPC message


class Client:
    """Completes images on a server. Each call is one request; any number of threads may call at once.

    Args:
        address: "http://host:8501" or "https://..." for REST, "grpc://host:8500" for gRPC (needs `grpcio`).
        model: its name on the server.
        version: of the model; None is the newest.
        timeout: seconds to wait for an answer.
    Raises:
        InputError: from all methods, if the server cannot be reached or refuses; its reason is the sentence.
    """

    def __init__(
        self, address: str = "http://localhost:8501", model: str = "inpaint", version=None, timeout: float = 60.0
    ):
        if not address.startswith((*REST, GRPC)):
            raise InputError(f"{address} is no address: it must begin with http://, https:// or grpc://")
        if not 0 < timeout < float("inf"):
            raise InputError(f"the timeout must be seconds, more than 0, not {timeout:g}")
        self.address, self.model, self.version, self.timeout = address.rstrip("/"), model, version, timeout
        self._channel = _channel(self.address[len(GRPC) :]) if address.startswith(GRPC) else None

    def complete(self, image: np.ndarray, mask: np.ndarray, edges: np.ndarray | None = None) -> np.ndarray:
        """Completes an image.

        Args:
            image: uint8 [H, W, 3], RGB.
            mask: bool (True = hole) or uint8 (above half = hole), [H, W].
            edges: for guided models only: bool (True = edge) or uint8 (above 0.6 of white = edge), [H, W].
        Returns:
            uint8 [H, W, 3].
        """
        files = [_png(array) for array in (image, mask, edges) if array is not None]
        return read_image(self.complete_files(*files)).rgb

    def complete_files(self, image: bytes, mask: bytes, edges: bytes | None = None) -> bytes:
        """Completes an image file.

        Args:
            image, mask, edges: the contents of PNG or JPEG files, of one size.
        Returns:
            The contents of a PNG file.
        """
        files = {"image_bytes": image, "mask_bytes": mask, **({} if edges is None else {"edges_bytes": edges})}
        return self._by_rest(files) if self._channel is None else self._by_grpc(files)

    def ready(self) -> bool:
        """Whether the server answers and has loaded the model."""
        try:
            return self._ready_by_rest() if self._channel is None else self._ready_by_grpc()
        except InputError:
            return False

    def _ready_by_rest(self):
        answer = self._ask(self._url())
        with self._understood():
            return any(status["state"] == "AVAILABLE" for status in json.loads(answer)["model_version_status"])

    def _ready_by_grpc(self):
        from tf_inpaint.serving import messages  # needs protobuf, which REST does not

        request = messages.write("GetModelStatusRequest", model_spec={"name": self.model})
        answer = messages.read("GetModelStatusResponse", self._call("ModelService/GetModelStatus", request))
        return any(status.state == messages.AVAILABLE for status in answer.model_version_status)

    def _by_rest(self, files):
        instance = {name: {"b64": base64.b64encode(contents).decode()} for name, contents in files.items()}
        request = {"signature_name": "encoded", "instances": [instance]}
        answer = self._ask(f"{self._url()}:predict", json.dumps(request).encode())
        with self._understood():
            prediction = json.loads(answer)["predictions"][0]
            # An output that is the only one has no name.
            return base64.b64decode(prediction.get("completed_bytes", prediction)["b64"])

    def _by_grpc(self, files):
        from tf_inpaint.serving import messages

        inputs = {name: np.array([contents], object) for name, contents in files.items()}
        request = messages.predict_request(self.model, "encoded", inputs, self.version)
        answer = messages.read("PredictResponse", self._call("PredictionService/Predict", request))
        with self._understood():
            return messages.arrays(answer.outputs)["completed_bytes"][0]

    def _url(self):
        chosen = "" if self.version is None else f"/versions/{self.version}"
        return f"{self.address}/v1/models/{urllib.parse.quote(self.model, safe='')}{chosen}"

    @contextlib.contextmanager
    def _understood(self):
        """Context in which an answer is taken apart."""
        try:
            yield
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(f"{self.address} answers, but not as a server of these models does") from error

    def _ask(self, url, body=None):
        try:
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"} if body else {})
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise _refusal(_reason(_body(error)) or f"{error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:  # URLError and timeouts are some of the first
            raise InputError(f"no answer from {self.address}: {getattr(error, 'reason', reason(error))}") from error

    def _call(self, method, message):
        import grpc

        call = self._channel.unary_unary(f"/tensorflow.serving.{method}")
        try:
            return call(message, timeout=self.timeout)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise InputError(f"no answer from {self.address}: {error.details()}") from error
            raise _refusal(error.details()) from error


def _body(error):
    """What a refusal says, as far as it arrives."""
    try:
        return error.read()
    except (OSError, http.client.HTTPException):
        return b""


def _channel(target):
    try:
        import google.protobuf  # noqa: F401
        import grpc
    except ImportError as error:
        raise InputError(
            "gRPC needs packages: pip install 'tf_inpaint[serving]', or take an http:// address"
        ) from error
    options = [("grpc.max_send_message_length", _MOST_BYTES), ("grpc.max_receive_message_length", _MOST_BYTES)]
    return grpc.insecure_channel(target, options)


def _reason(body):
    """What the server says in the body of an error, if that is Serving's JSON."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return ""


def _refusal(said):
    """What the model says, without TensorFlow's account of where."""
    assertion = re.search(r"assertion failed: \[([^\]]*)\]([^\n]*)", said)
    return InputError(f"the server refuses: {one_line(''.join(assertion.groups()) if assertion else said)}")


def _png(array):
    array = np.asarray(array)
    if array.dtype not in (np.uint8, np.bool_):
        raise ValueError(f"`image`, `mask` and `edges` must be uint8 or bool. Received: {array.dtype}")
    return encode_png(array, compress_level=1)


def _contents(path):
    check_image(path)
    with open(path, "rb") as file:
        return file.read()


def main(argv) -> int:
    """Runs the command; returns its exit code (see `tf_inpaint.cli`)."""
    parser = cli.Parser(prog="python -m tf_inpaint.serving.client", description="Complete an image on a server.")
    add = parser.add_argument
    add("--address", default="http://localhost:8501", help="http://host:8501 or grpc://host:8500")
    add("--model", default="inpaint", help="its name on the server (default: inpaint)")
    add("--version", type=int, help="of the model (default: the newest)")
    add("--image", required=True, help="PNG or JPEG")
    add("--mask", required=True, help="white where the hole is, an image of any kind")
    add("--mask_from", choices=MASK_SOURCES, default="auto", help="what of it is the hole, as for test.py")
    add("--grow", type=int, default=0, metavar="PIXELS", help="let holes grow, as for test.py")
    add("--edges", help="for guided models: white edges on black, PNG or JPEG")
    add("--output", required=True, help="the completed image, a PNG")
    add("--timeout", type=float, default=60.0, help="seconds to wait for an answer (default: 60)")
    args = parser.parse_args(argv)
    if not 0 <= args.grow <= MOST_GROWTH:
        raise InputError(f"--grow must be 0 to {MOST_GROWTH} pixels, not {args.grow}")
    refuse_overwriting([args.output], [args.image, args.mask, args.edges])
    holes = read_holes(args.mask, args.mask_from)
    if holes.warning:
        cli.warn(f"the mask {args.mask} {holes.warning}")
    files = [_contents(args.image), _png(grown(holes.marked, args.grow)), *map(_contents, filter(None, [args.edges]))]
    client = Client(args.address, args.model, args.version, args.timeout)
    write_png(args.output, read_image(client.complete_files(*files)).rgb)
    print(args.output)
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
