"""A server as a person starts it: uvicorn on a free port, in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from cleanplate.app.server.options import Options
from cleanplate.app.server.server import create_app, create_routes, listen

PATIENCE = 60.0  # seconds


@dataclass
class Server:
    """A running server and a client of it."""

    options: Options
    app: Any
    client: httpx.Client
    running: uvicorn.Server
    thread: threading.Thread
    projects: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return str(self.client.base_url).rstrip("/")

    @property
    def desk(self) -> Any:
        return self.app.state.desk

    def post(self, path: str, json: Any = None, **more: Any) -> Any:
        answer = self.client.post(path, json={} if json is None else json, **more)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    def folder(self, project: str) -> Path:
        return self.options.projects / project

    def opened(self, clip: Path) -> str:
        """A project of ``clip``, surveyed."""
        project = self.post("/project", {"path": str(clip)})["id"]
        self.wait(project, lambda state: not state["opening"])
        return project

    def edit(self, project: str, op: str, **args: Any) -> Any:
        return self.post(f"/project/{project}/edit", {"op": op, **args})["answer"]

    def wait(
        self, project: str, ready: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE
    ) -> dict[str, Any]:
        """Follow the changes until the state is ``ready``."""
        end, state = time.monotonic() + seconds, self.get(f"/project/{project}")
        while not ready(state):
            assert time.monotonic() < end, state
            path = f"/project/{project}/changes?stamp={state['stamp']}"
            answer = self.client.get(path, timeout=30)
            if answer.status_code == 200:
                state = answer.json()
        return state

    def done(self, project: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait for the project's job."""
        state = self.wait(
            project, lambda s: s["job"] and s["job"]["state"] in ("done", "failed", "stopped")
        )
        assert state["job"]["state"] == "done", state["job"]
        return state

    def close(self) -> None:
        self.running.should_exit = True
        self.thread.join(20)
        self.client.close()


async def _whole(options: Options) -> Any:
    """The app with its page; Gradio leaves an event loop open where it finds none."""
    return create_app(options)


def start(folder: Path, page: bool = False, **options: Any) -> Server:
    """Start a server that keeps its things in ``folder``."""
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    chosen = Options(folder=folder, port=port, **options)
    app = asyncio.run(_whole(chosen)) if page else create_routes(chosen)
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
    while not running.started:
        time.sleep(0.02)
    return Server(chosen, app, client, running, thread)


@contextlib.contextmanager
def serving(folder: Path, page: bool = False, **options: Any) -> Iterator[Server]:
    server = start(folder, page, **options)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The routes without Gradio's page."""
    with serving(tmp_path_factory.mktemp("app")) as running:
        yield running
