"""Whoever holds connections open shuts out nobody: against the page's server, with small limits."""

import socket
import threading
import time

import pytest

pytest.importorskip("flask")
pytest.importorskip("waitress")

from tf_inpaint.demo import connections, web


@pytest.fixture
def port(inpainter, monkeypatch, capfd):
    """Of a page that is being served."""
    import waitress

    servers, create = [], waitress.create_server

    def keep(*args, **kwargs):
        servers.append(create(*args, **kwargs))
        return servers[0]

    monkeypatch.setattr(waitress, "create_server", keep)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 8)
    monkeypatch.setattr(connections, "MOST_HELD", 1 << 20)
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 2)
    thread = threading.Thread(target=_serve, args=(inpainter, port), daemon=True)
    thread.start()
    while not servers or "draw at" not in capfd.readouterr().out:
        time.sleep(0.05)
    yield port
    servers[0].task_dispatcher.shutdown()
    servers[0].asyncore.close_all(servers[0]._map)
    thread.join(10)


def _serve(inpainter, port):
    try:
        web.serve(inpainter, "127.0.0.1", port)
    except OSError:  # its sockets are closed under it
        pass


def _open(port, sent):
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(sent)
    return connection


def _answer(port):
    with _open(port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n") as connection:
        return connection.recv(12)


def _is_closed(connection):
    connection.settimeout(0.5)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    except socket.timeout:  # of Python 3.9
        return False


def test_half_sent_requests_make_room(port):
    held = [_open(port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n") for _ in range(40)]
    for _ in range(3):
        assert _answer(port) == b"HTTP/1.1 200"
    assert sum(map(_is_closed, held[:20])) == 20
    for connection in held:
        connection.close()


def test_bodies_held_open_make_room(port):
    head = b"POST /api/picture HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n"
    held = [_open(port, head + bytes(300_000)) for _ in range(6)]
    assert _answer(port) == b"HTTP/1.1 200"
    time.sleep(0.5)
    assert sum(map(_is_closed, held)) in (3, 4)
    for connection in held:
        connection.close()


def test_a_request_has_to_arrive_in_time(port):
    slow = _open(port, b"GET / HTTP/1.1\r\n")
    start = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - start < 15:
            slow.sendall(b"X: y\r\n")
            time.sleep(0.2)
    assert time.monotonic() - start < 10
    slow.close()
    assert _answer(port) == b"HTTP/1.1 200"
