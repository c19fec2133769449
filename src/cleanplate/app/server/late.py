"""A page that takes seconds to load, behind a server that answers at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

_WAITING = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>cleanplate</title>
<meta http-equiv="refresh" content="1"><style>
html{background:#15171b;color:#a7b0be;font:16px system-ui,sans-serif}
body{display:grid;place-items:center;min-height:100dvh;margin:0}</style></head>
<body><p role="status">cleanplate is starting…</p></body></html>"""


class LatePage:
    """An ASGI app that is there once ``make`` has made it.

    Until then a browser that asks for the page is shown that it is starting, and asks again by
    itself; whatever else is asked for waits.
    """

    def __init__(self, make: Callable[[], FastAPI]) -> None:
        self._make = make
        self._app: FastAPI | None = None
        self._error: Exception | None = None
        self._ready = asyncio.Event()

    @contextlib.asynccontextmanager
    async def loading(self, then: Callable[[], None]) -> AsyncIterator[None]:
        """Load the page while the block runs, and call ``then`` once it is there."""
        over = asyncio.Event()
        task = asyncio.create_task(self._live(over, then))
        try:
            yield
        finally:
            over.set()
            await task

    async def _live(self, over: asyncio.Event, then: Callable[[], None]) -> None:
        try:
            app = await run_in_threadpool(self._made)
        except Exception as error:  # noqa: BLE001  whoever asks for the page is told
            self._error = error
            self._ready.set()
            return
        async with app.router.lifespan_context(app):
            self._app = app
            self._ready.set()
            then()
            await over.wait()

    def _made(self) -> FastAPI:
        """Made in a loop of its own: Gradio leaves one open where it finds none."""

        async def made() -> FastAPI:
            return self._make()

        return asyncio.run(made())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, when there is somebody to pass it to."""
        if not self._ready.is_set() and scope["type"] == "http":
            headers = Request(scope).headers
            wants_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
            if wants_page:
                waiting = HTMLResponse(_WAITING, headers={"Cache-Control": "no-store"})
                await waiting(scope, receive, send)
                return
        await self._ready.wait()
        if self._error is not None:
            raise self._error
        assert self._app is not None  # it is ready
        await self._app(scope, receive, send)
