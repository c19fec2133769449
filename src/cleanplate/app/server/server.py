"""Puts the app together and serves it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from cleanplate.app.sentences import told
from cleanplate.app.server import engines
from cleanplate.app.server.aside import server_of
from cleanplate.app.server.clips import check_video
from cleanplate.app.server.desk import Desk
from cleanplate.app.server.guard import Guard
from cleanplate.app.server.late import LatePage
from cleanplate.app.server.mask_routes import mask_routes
from cleanplate.app.server.options import Options
from cleanplate.app.server.pictures import picture_routes
from cleanplate.app.server.routes import project_routes
from cleanplate.app.server.sweep import start_sweeping
from cleanplate.checkpoints import store
from cleanplate.errors import CleanplateError, InputError
from cleanplate.files.locking import locked

_PAGE = Path(__file__).parents[1] / "page"


def create_app(options: Options) -> FastAPI:
    """The whole app; ``app.state.desk`` holds its things."""
    app = create_routes(options)
    return _with_page(app, app.state.desk)


def create_early(options: Options) -> FastAPI:
    """The whole app, which answers at once: the page, which takes seconds to load, comes later."""
    desk = Desk(options)
    return create_routes(options, desk, LatePage(lambda: _with_page(FastAPI(), desk)))


def create_routes(
    options: Options, desk: Desk | None = None, page: LatePage | None = None
) -> FastAPI:
    """The app without Gradio's part: what the page asks for, behind the guard.

    Args:
        options: what the server was told.
        desk: its things; None: new ones.
        page: what is at all other addresses; None: nothing.
    """
    desk = Desk(options) if desk is None else desk

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        over = start_sweeping(desk)

        def settle() -> None:
            """What the first page need not wait for: looking for devices imports torch."""
            threading.Thread(target=engines.device, daemon=True).start()
            desk.queue.make_ready()

        if page is None:
            settle()
        try:
            async with contextlib.nullcontext() if page is None else page.loading(settle):
                yield
        finally:
            over.set()
            desk.queue.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.desk = desk
    for error in (CleanplateError, OSError, MemoryError, Exception):
        app.add_exception_handler(error, _sentence)
    app.add_exception_handler(RequestValidationError, _misfit)
    for routes in (project_routes, picture_routes, mask_routes):
        app.include_router(routes(desk))
    app.mount("/page", _PageFiles(directory=_PAGE))
    if page is not None:
        app.mount("/", page)
    app.add_middleware(Guard, options=options)
    return app


def _with_page(app: FastAPI, desk: Desk) -> FastAPI:
    """Mount Gradio's page and its REST API on ``app``.

    Every setting is named: what is left out would be taken from the environment.
    """
    uploads = desk.options.temporary / "gradio"
    uploads.mkdir(parents=True, exist_ok=True)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    import gradio

    from cleanplate.app import page
    from cleanplate.app.server.endpoints import add_endpoints

    blocks = page.build(desk.about())
    with blocks:
        add_endpoints(desk, uploads)
    blocks.queue(default_concurrency_limit=4)
    # A page that is mounted and not launched would copy any file that a request names into its
    # cache: Gradio 6.31 checks paths only once this is set.
    blocks.has_launched = True
    return gradio.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=desk.options.host,
        server_port=desk.options.port,
        footer_links=[],
        run_history=False,
        root_path="",
        allowed_paths=[],
        blocked_paths=[str(store.folder()), str(desk.options.projects)],
        show_error=False,
        max_file_size=desk.options.max_upload,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        **page.look(),
    )


class _PageFiles(StaticFiles):
    """The page's scripts and styles, and nothing else that lies beside them."""

    _SERVED = frozenset({".js", ".css", ".svg", ".png", ".woff2"})

    async def get_response(self, path: str, scope: Any) -> Response:
        if Path(path).suffix not in self._SERVED:
            return JSONResponse({"error": f"There is no {path} here."}, 404)
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def _sentence(_: Request, error: Exception) -> Response:
    status, sentence = told(error)
    return JSONResponse({"error": sentence}, status)


async def _misfit(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "The request"
    return JSONResponse({"error": f"{where}: {first['msg']}."}, 400)


def serve(options: Options, clip: str | None, browse: bool, said: Callable[[str], None]) -> None:
    """Serve until Ctrl-C.

    Args:
        options: where and for whom.
        clip: path of a clip to begin with.
        browse: whether a browser is opened.
        said: told the address.

    Raises:
        InputError: the port is taken, or another server works in the same folder.
        MediaError: the clip is none.
    """
    if clip is not None:
        check_video(Path(clip).expanduser(), Path(clip).name)
    with contextlib.ExitStack() as stack:
        options.folder.mkdir(parents=True, exist_ok=True)
        if not stack.enter_context(locked(options.folder / "app.lock", wait=False)):
            raise InputError(
                f"Another cleanplate app works in {options.folder}; use that one, or give another "
                "--folder."
            )
        listening = stack.enter_context(contextlib.closing(listen(options.host, options.port)))
        app = create_early(options)
        shown = "127.0.0.1" if options.host in ("0.0.0.0", "::") else options.host
        address = f"http://{f'[{shown}]' if ':' in shown else shown}:{options.port}/"
        if clip is not None:
            address += f"?project={app.state.desk.clips.at(clip).id}"
        said(address)
        if browse:
            opening = threading.Timer(1.0, webbrowser.open, [address])
            opening.daemon = True
            opening.start()
        server_of(app, "warning", patience=3).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections at ``host``; port 0 is any free one.

    Raises:
        InputError: the port is taken, or the address is not this computer's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Asyncio sends small answers at once, without waiting for an acknowledgement, only where the
    # protocol is named.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name != "nt":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise InputError(
            f"Port {port} of {host} cannot be taken ({error.strerror}); give another --port."
        ) from error
    return listening
