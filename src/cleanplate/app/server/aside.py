"""Serves a page on a thread, beside work that goes on in another."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

_LAST_WAIT = 3.0  # seconds that the server is given to end


@contextlib.contextmanager
def served_aside(app: ASGIApp, listening: socket.socket) -> Iterator[None]:
    """Serve ``app`` on the socket ``listening`` while the block runs."""
    config = uvicorn.Config(
        app,
        log_level="critical",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listening]}, name="page", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_LAST_WAIT)
