"""The page: the live picture in a browser, behind the app's own guard."""

from __future__ import annotations

import contextlib
import json
import os
import webbrowser
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from cleanplate.app.server.aside import served_aside
from cleanplate.app.server.guard import Guard
from cleanplate.app.server.options import PASSWORD, Options, default_folder
from cleanplate.app.server.server import listen
from cleanplate.live.control import Control
from cleanplate.live.screen import Screen

_PAGE = Path(__file__).parent / "page"
_FILES = {"/": "live.html", "/live.js": "live.js", "/live.css": "live.css"}
_LARGEST = 1 << 16  # bytes of a message
_POLICY = "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'"
_BOUNDARY = "frame"


def create_app(control: Control, screen: Screen, options: Options) -> Starlette:
    """The page's routes.

    Args:
        control: answers messages.
        screen: holds the picture.
        options: where the server listens and whom it lets in.
    """

    async def frame(request: Request) -> Response:
        """The newest picture after frame ``after``, once it is there."""
        after = _index(request.query_params.get("after", "-1"))
        shown = await run_in_threadpool(screen.after, after)
        if shown is None:
            return Response(status_code=204)
        index, data = shown
        headers = {"X-Frame": str(index), "Cache-Control": "no-store"}
        return Response(data, media_type="image/jpeg", headers=headers)

    async def stream(_: Request) -> Response:
        """Motion JPEG, for a player or another page of this computer."""

        async def parts() -> AsyncIterator[bytes]:
            index = -1
            while True:
                shown = await run_in_threadpool(screen.after, index)
                if shown is None:
                    continue
                index, data = shown
                yield b"--frame\r\nContent-Type: image/jpeg\r\n"
                yield f"Content-Length: {len(data)}\r\n\r\n".encode() + data + b"\r\n"

        return StreamingResponse(
            parts(), media_type=f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
        )

    async def message(request: Request) -> Response:
        """A message, as on the control socket."""
        body = await request.body()
        if len(body) > _LARGEST:
            return JSONResponse({"ok": False, "error": "That message is too long."}, 413)
        try:
            asked: Any = json.loads(body)
        except ValueError:
            return JSONResponse({"ok": False, "error": "A message is a JSON object."}, 400)
        answer = await run_in_threadpool(control.answer, asked)
        return JSONResponse(answer, 200 if answer["ok"] else 400)

    async def file(request: Request) -> Response:
        headers = {"Cache-Control": "no-cache", "Content-Security-Policy": _POLICY}
        return FileResponse(_PAGE / _FILES[request.url.path], headers=headers)

    return Starlette(
        routes=[
            *(Route(path, file) for path in _FILES),
            Route("/frame", frame),
            Route("/stream.mjpeg", stream),
            Route("/message", message, methods=["POST"]),
        ],
        middleware=[Middleware(Guard, options=options)],
    )


def _index(text: str) -> int:
    return int(text) if text.removeprefix("-").isdecimal() else -1


@contextlib.contextmanager
def serving(control: Control, screen: Screen, host: str, port: int, browse: bool) -> Iterator[str]:
    """Serve the page on a thread; gives its address.

    Args:
        control: answers messages.
        screen: holds the picture.
        host: where to listen; beyond this computer only with a password.
        port: 0 is any free one.
        browse: whether a browser is opened.

    Raises:
        InputError: the port is taken, or others could reach a page without a password.
    """
    options = Options(
        folder=default_folder(), host=host, port=port, password=os.environ.get(PASSWORD, "")
    )
    with contextlib.closing(listen(host, port)) as listening:
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        address = f"http://{f'[{shown}]' if ':' in shown else shown}:{listening.getsockname()[1]}/"
        with served_aside(create_app(control, screen, options), listening):
            if browse:
                webbrowser.open(address)
            yield address
