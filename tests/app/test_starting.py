"""The server answers before its page is loaded, and says so; a worker may wait for the next job."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from cleanplate.app.server.late import LatePage
from cleanplate.app.server.workers import Workers
from tests.app.conftest import serving


def test_a_browser_is_told_that_the_page_is_starting_and_others_wait_for_it() -> None:
    loaded, told = threading.Event(), threading.Event()

    def make() -> FastAPI:
        assert loaded.wait(20)
        inner = FastAPI()
        inner.get("/")(lambda: "the page")
        return inner

    late = LatePage(make)
    app = FastAPI(lifespan=lambda _: late.loading(told.set))
    app.mount("/", late)
    with TestClient(app) as client:
        early = client.get("/", headers={"accept": "text/html"})
        assert early.status_code == 200
        assert "is starting" in early.text
        assert 'http-equiv="refresh"' in early.text
        assert early.headers["cache-control"] == "no-store"
        assert not told.is_set()
        waiting = threading.Timer(0.3, loaded.set)
        waiting.start()
        assert client.get("/", headers={"accept": "application/json"}).json() == "the page"
        assert client.get("/", headers={"accept": "text/html"}).json() == "the page"
        assert told.is_set()


def test_a_worker_that_waits_takes_the_next_job_and_one_that_died_is_no_harm(
    tmp_path: Path,
) -> None:
    (tmp_path / "jobs").mkdir()
    workers = Workers(spare=True)
    workers.prepare()
    spare = workers._spare
    assert spare is not None
    spare.kill()
    spare.wait()
    process = workers.start(tmp_path, "nothing")
    assert process is not spare
    workers.close()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.read()
    process.stdout.close()
    assert process.wait(30) != 0, "there is no such job"
    with pytest.raises(FileNotFoundError):
        workers.start(tmp_path / "removed", "nothing")


def test_jobs_are_done_by_the_worker_that_waited(scene_clip: Path, tmp_path: Path) -> None:
    with serving(tmp_path, spare=True) as server:
        server.desk.queue.make_ready()
        waiting = server.desk.queue._workers._spare
        project = server.opened(scene_clip)
        assert waiting.wait(30) == 0, "it did the opening"
        assert server.get(f"/project/{project}")["clip"]["frames"] > 0
        assert httpx.get(f"{server.address}/about").status_code == 200
