"""A real browser on a real server: ``scripts/test-app`` brings what is needed and runs this."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app_browser.clips import coded_clip, encoded_clip
from tests.app_browser.person import Person

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build" / "app-pictures"  # what the browser showed, kept to be looked at
CHROMIUM = os.environ.get("CLEANPLATE_CHROMIUM") or shutil.which("chromium")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Browser tests run where they are asked for by their marker, and only there."""
    asked = "browser" in (config.option.markexpr or "")
    lacking = [
        name
        for name, here in (
            ("playwright", importlib.util.find_spec("playwright") is not None),
            ("chromium", CHROMIUM is not None),
        )
        if not here
    ]
    for item in items:
        if item.get_closest_marker("browser") is None:
            continue
        if not asked:
            item.add_marker(pytest.mark.skip(reason="BROWSER TESTS: scripts/test-app runs these"))
        elif lacking:
            reason = f"NO BROWSER: {' and '.join(lacking)} missing; run scripts/test-app"
            item.add_marker(pytest.mark.skip(reason=reason))


@dataclass
class Server:
    """``cleanplate app`` in a process of its own, to be killed and started again."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    password: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            *(str(Path(sys.executable).with_name("cleanplate")), "app"),
            *("--no-browser", "--port", str(self.port)),
            *("--folder", str(self.folder), *self.options),
        ]
        with (self.folder.parent / f"server-{self.port}.log").open("ab") as log:
            environment = os.environ | {"CLEANPLATE_PASSWORD": self.password}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        end = time.monotonic() + 60
        while True:
            try:
                answer = httpx.get(f"{self.address}/about", timeout=5, auth=("", self.password))
                answer.raise_for_status()
                return
            except httpx.TransportError:
                assert self.process.poll() is None, f"the server ended: {self.log()}"
                assert time.monotonic() < end, self.log()
                time.sleep(0.1)

    def log(self) -> str:
        return (self.folder.parent / f"server-{self.port}.log").read_text()[-3000:]

    def kill(self) -> None:
        """As a crash would: nothing is told to anyone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def state(self, project: str) -> dict[str, Any]:
        answer = httpx.get(f"{self.address}/project/{project}", timeout=60)
        assert answer.status_code == 200, (answer.text, self.log())
        return answer.json()

    def project(self, clip: Path) -> str:
        """Open ``clip`` without the page."""
        answer = httpx.post(f"{self.address}/project", json={"path": str(clip)}, timeout=60)
        answer.raise_for_status()
        project: str = answer.json()["id"]
        self.wait(project, lambda state: not state["opening"])
        return project

    def edit(self, project: str, op: str, **args: Any) -> Any:
        path = f"{self.address}/project/{project}/edit"
        answer = httpx.post(path, json={"op": op, **args}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["answer"]

    def job(self, project: str, **order: Any) -> None:
        path = f"{self.address}/project/{project}/job"
        answer = httpx.post(path, json=order, timeout=60)
        assert answer.status_code == 200, answer.text

    def wait(
        self, project: str, ready: Callable[[dict[str, Any]], Any], seconds: float = 90
    ) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while not ready(state := self.state(project)):
            assert time.monotonic() < end, (state["job"], self.log())
            time.sleep(0.1)
        return state

    def done(self, project: str, seconds: float = 120) -> dict[str, Any]:
        """Wait for the project's job to be done."""

        def is_over(state: dict[str, Any]) -> bool:
            return state["job"] is None or state["job"]["state"] in ("done", "failed", "stopped")

        state = self.wait(project, is_over, seconds)
        assert state["job"] is None or state["job"]["state"] == "done", state["job"]
        return state


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that do not kill theirs."""
    folder = tmp_path_factory.mktemp("app") / "work"
    one = Server(folder, free_port(), ("--max-upload", "700MiB"))
    one.start()
    yield one
    one.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that a test may kill."""
    one = Server(tmp_path / "work", free_port())
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, server: Server, request: pytest.FixtureRequest) -> Iterator[Any]:
    """``visit(project=None, size=(1440, 900), ...)`` opens the page in a browser of its own."""
    people: list[Person] = []

    def go(
        project: str | None = None,
        *,
        at: Server | None = None,
        size: tuple[int, int] = (1440, 900),
        ratio: float = 1,
        theme: str = "dark",
        password: str | None = None,
        touch: bool = False,
    ) -> Person:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            device_scale_factor=ratio,
            accept_downloads=True,
            has_touch=touch,
            http_credentials=None
            if password is None
            else {"username": "any", "password": password},
        )
        context.add_init_script(
            f"localStorage.getItem('cleanplate.theme') ?? "
            f"localStorage.setItem('cleanplate.theme', '{theme}')"
        )
        person = Person(context, (at or server).address)
        people.append(person)
        person.visit(project)
        return person

    yield go
    PICTURES.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", request.node.name)
    for place, person in enumerate(people):
        person.page.screenshot(path=PICTURES / f"{name}-{place}.png")
        person.context.close()


@pytest.fixture(scope="session")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames in which a sign moves and stays."""
    return coded_clip(tmp_path_factory.mktemp("clips") / "coded.mp4", 60)


@pytest.fixture(scope="session")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """180 frames: long enough to look at while it is followed."""
    return coded_clip(tmp_path_factory.mktemp("clips") / "long.mp4", 180)


@pytest.fixture(scope="session")
def leaving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames; the sign is not there in frames 30 to 44."""
    return coded_clip(tmp_path_factory.mktemp("clips") / "leaving.mp4", 60, range(30, 45))


@pytest.fixture(scope="session")
def odd_clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same in codecs that a browser does not play."""
    folder = tmp_path_factory.mktemp("clips")
    return {
        "hevc": encoded_clip(folder / "coded-hevc.mp4", 30, "libx265"),
        "ffv1": encoded_clip(folder / "coded-ffv1.mkv", 30, "ffv1"),
    }
