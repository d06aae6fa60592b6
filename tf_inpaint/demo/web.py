"""The demo as a page in the browser, served by waitress."""

from __future__ import annotations

from importlib.util import find_spec

from tf_inpaint import cli
from tf_inpaint.errors import InputError


def check_installed() -> None:
    """Raise InputError where Flask or waitress is missing."""
    missing = [name for name in ("flask", "waitress") if find_spec(name) is None]
    if missing:
        raise InputError(f"the page needs {' and '.join(missing)}: pip install 'tf_inpaint[demo]'")


def serve(inpainter, host: str, port: int, prepare=None, mask_from: str = "auto") -> None:
    """Serve the page until interrupted, having printed its address; arguments as `make_app`.

    Raises:
        InputError: if the port is taken, or a session cannot be prepared.
    """
    import waitress

    from tf_inpaint.demo import connections
    from tf_inpaint.demo.app import LOOPBACK, MOST_BYTES, make_app

    if host not in LOOPBACK:
        cli.warn(f"anyone who reaches {host} can use this page, which has no passwords")
    app, most, parts = make_app(inpainter, host, prepare, mask_from), MOST_BYTES + 4096, {}
    try:
        server = waitress.create_server(
            app,
            map=parts,
            host=host,
            port=port,
            threads=8,
            max_request_body_size=most,
            inbuf_overflow=2 * most,  # above which waitress would write to a file
            outbuf_overflow=1 << 30,
            recv_bytes=1 << 16,
            connection_limit=4 * connections.MOST_CONNECTIONS,  # of many at once, before any is closed
            channel_timeout=connections.SILENT_SECONDS,
            cleanup_interval=5,
            asyncore_use_poll=True,
        )
    except OSError as error:
        raise InputError(f"cannot listen at {host}:{port}: {error.strerror or error}; try another --port") from error
    connections.limit(parts)
    print(f"draw at http://{f'[{host}]' if ':' in host else host}:{port}/   (Ctrl-C ends)", flush=True)
    try:
        server.run()
    finally:
        server.close()
