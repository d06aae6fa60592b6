"""The client where there is no server to ask."""

import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.serving.client import Client


def test_an_address_where_nobody_listens():
    for address in ("http://127.0.0.1:9", "grpc://127.0.0.1:9"):
        client = Client(address, "guided", timeout=5)
        assert not client.ready()
        with pytest.raises(InputError, match=f"no answer from {address}"):
            client.complete_files(b"", b"")
    with pytest.raises(InputError, match="must begin with http"):
        Client("localhost:8501")
