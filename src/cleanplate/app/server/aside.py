"""The web server as cleanplate runs it: by itself, or on a thread beside other work."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

_LAST_WAIT = 3.0  # seconds that the server is given to end


def server_of(app: ASGIApp, log_level: str, patience: int) -> uvicorn.Server:
    """A server of ``app`` that says nothing of itself.

    Args:
        app: what it serves.
        log_level: uvicorn's name of what is logged.
        patience: seconds that open requests are given to end.
    """
    config = uvicorn.Config(
        app,
        log_level=log_level,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=patience,
    )
    return uvicorn.Server(config)


@contextlib.contextmanager
def served_aside(app: ASGIApp, listening: socket.socket) -> Iterator[None]:
    """Serve ``app`` on the socket ``listening`` while the block runs."""
    server = server_of(app, "critical", patience=1)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listening]}, name="page", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_LAST_WAIT)
