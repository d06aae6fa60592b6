"""The client where there is no server to ask."""

import http.client
import io
import urllib.error

import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.serving.client import Client, main


def test_an_address_where_nobody_listens():
    for address in ("http://127.0.0.1:9", "grpc://127.0.0.1:9"):
        client = Client(address, "guided", timeout=5)
        assert not client.ready()
        with pytest.raises(InputError, match=f"no answer from {address}"):
            client.complete_files(b"", b"")
    with pytest.raises(InputError, match="must begin with http"):
        Client("localhost:8501")


class _Torn(io.BytesIO):
    """An answer that ends before its end."""

    def read(self, *_):
        raise http.client.IncompleteRead(b"abc", 97)


@pytest.mark.parametrize(
    "answer",
    [
        *(http.client.BadStatusLine("\x00\x04"), http.client.IncompleteRead(b""), http.client.InvalidURL("port")),
        *(b"<html></html>", b"[]", b"null", b'{"predictions": []}'),
        b'{"predictions": ["x"], "model_version_status": [1]}',
        urllib.error.HTTPError("http://host", 500, "X", {}, _Torn()),
    ],
)
def test_whatever_answers_is_a_sentence(answer, monkeypatch):
    def urlopen(request, timeout):
        assert request.full_url.startswith("http://host/v1/models/my%20model")
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    client = Client("http://host", "my model")
    assert not client.ready()
    with pytest.raises(InputError, match="http://host|500 X"):
        client.complete_files(b"", b"")


@pytest.mark.parametrize("timeout", [-1, 0, float("nan"), float("inf")])
def test_a_timeout_is_more_than_nothing(timeout):
    with pytest.raises(InputError, match="more than 0"):
        Client(timeout=timeout)


def test_the_image_is_not_overwritten():
    with pytest.raises(InputError, match="x.png is one of the inputs"):
        main(["--image", "x.png", "--mask", "m.png", "--output", "./x.png"])
