"""The one door: who may ask, and from which page.

A local server has three holes that browsers open: any page may post to it, a foreign name may be
made to point at it (DNS rebinding), and its own login would guard Gradio's routes but not ours.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cleanplate.app.server.options import Options

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Gradio would fetch these addresses for whoever asks; this page needs none of them.
_FETCHES = ("/gradio_api/file=http", "/gradio_api/proxy=", "/file=http", "/proxy=")
_PAUSE = 1.0  # seconds that a wrong password costs
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # the address is the key to a project
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware: host, origin, password; and the headers that every answer carries."""

    def __init__(self, app: ASGIApp, options: Options) -> None:
        self._app, self._options = app, options
        names = () if options.is_local else (options.host, socket.gethostname(), socket.getfqdn())
        self._names = _LOCAL | {name.lower() for name in (*names, *options.names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it in a sentence."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = await self._refusal(scope)
        if refusal is not None:
            await _refuse(scope, receive, send, refusal)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    async def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._is_own(headers.get("host", "")):
            return _error(403, "This server does not answer under that name; use 127.0.0.1.")
        if scope["path"].lower().startswith(_FETCHES):
            return _error(403, "cleanplate fetches nothing for others.")
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if changes and not _is_same_origin(headers):
            return _error(403, "Another page may not ask this of cleanplate; use its own page.")
        if self._options.password and not self._knows_password(headers):
            await asyncio.sleep(_PAUSE if "authorization" in headers else 0)
            refusal = _error(401, "The password is needed; any user name will do.")
            refusal.headers["WWW-Authenticate"] = 'Basic realm="cleanplate", charset="UTF-8"'
            return refusal
        return None

    def _is_own(self, host: str) -> bool:
        """Whether ``host`` names this server; an address cannot be made to point elsewhere."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:  # half an IPv6 address
            return False
        if name in self._names:
            return "@" not in host
        return not self._options.is_local and _is_address(name)

    def _knows_password(self, headers: Headers) -> bool:
        kind, _, value = headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            given = base64.b64decode(value, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, self._options.password.encode())


def _is_same_origin(headers: Headers) -> bool:
    """Whether the request comes from our own page, or from no page at all."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _error(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Response) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await refusal(scope, receive, send)
