"""Long work: stopped when asked, taken up after a crash, one at a time, in nobody's way."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from cleanplate.app import jobs
from cleanplate.app.server.queue import Queue
from cleanplate.app.server.work import new_job
from cleanplate.jobs import job as removal
from cleanplate.media.read import open_clip
from cleanplate.progress import Progress
from cleanplate.projects.project import Project
from tests.scene import sign_box, write_scene

from .conftest import Server, serving

LONG = 700  # frames: enough to be caught in the middle; 250 of them are one piece of a result
QUICK = {"inpainter": "telea", "lossless": True, "preset": "ultrafast", "overlay": "box"}
PROGRAM = Path(sys.executable).with_name("cleanplate")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("long") / "long.mp4", LONG)


def static(server: Server, clip: Path) -> str:
    """A project whose sign is said not to move: it can be removed at once."""
    project = server.opened(clip)
    number = server.edit(project, "add_object", name="logo", static=True)["object"]
    one = sign_box(0)
    prompt = {"box": [one.x0, one.y0, one.x1, one.y1]}
    server.edit(project, "prompt", frame=0, object=number, prompt=prompt)
    server.edit(project, "settings", values=QUICK)
    return project


def begin(server: Server, project: str, kind: str = "remove", frames: int = 10) -> dict[str, Any]:
    """Begin a job and wait until it has done some frames."""
    server.post(f"/project/{project}/job", {"kind": kind})
    stage = {"remove": "inpaint", "track": "track"}[kind]
    return server.wait(
        project,
        lambda state: state["job"]["stage"] == stage and state["job"]["done"] >= frames,
    )


def file_of(server: Server, project: str, job: str) -> dict[str, Any]:
    return json.loads(jobs.path_of(server.folder(project), job).read_text())


def pictures(path: Path) -> list[np.ndarray]:
    with open_clip(path) as clip:
        return [one.rgb() for one in clip.pictures()]


def out_of(folder: Path) -> Path:
    return next((folder / "out" / "remove-1").glob("clean.*"))


# --- stopping ---


def test_stop_ends_the_worker_within_a_window_and_what_is_done_is_kept(
    server: Server, long_clip: Path
) -> None:
    project = static(server, long_clip)
    job = begin(server, project)["job"]
    assert job["rate"] is None or job["rate"] > 0
    began = time.monotonic()
    server.post(f"/project/{project}/job/stop")
    assert server.get(f"/project/{project}")["job"]["state"] in ("stopping", "stopped")
    state = server.wait(project, lambda state: state["job"]["state"] == "stopped", 20)
    assert time.monotonic() - began < 10
    told = file_of(server, project, job["id"])
    assert told["state"] == "stopped", "the worker says so itself"
    assert state["job"]["sentence"].startswith(f"Stopped at {told['done']} of {LONG}.")
    beat = told["beat"]
    time.sleep(1.5)
    assert file_of(server, project, job["id"])["beat"] == beat, "its heart has stopped"
    assert 0 <= told["shown"] <= told["frame"] < LONG
    glance = server.client.get(f"/project/{project}/job/glance.jpg?v={told['shown']}")
    assert glance.headers["content-type"] == "image/jpeg"
    server.post(f"/project/{project}/job", {"kind": "resume"})
    state = server.done(project, 120)
    assert state["results"][0]["last"] == LONG - 1


def test_it_is_stopping_until_the_worker_says_otherwise_and_killed_after_the_grace(
    tmp_path: Path, long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that does not listen."""
    deaf = tmp_path / "deaf.py"
    deaf.write_text(
        "import json, sys, time\n"
        "print(json.dumps({'stage': 'inpaint', 'state': 'running'}), flush=True)\n"
        "while True: time.sleep(0.1); print(json.dumps({'state': 'running'}), flush=True)\n"
    )
    real = subprocess.Popen

    def popen(command: list[str], **more: Any) -> Any:
        return real([sys.executable, str(deaf)], **more)

    monkeypatch.setattr("cleanplate.app.server.queue.subprocess.Popen", popen)
    queue, folder = Queue(grace=2.0), tmp_path / "project"
    (folder / "jobs").mkdir(parents=True)
    job = new_job("remove", {})
    queue.submit(folder, job)
    wait(lambda: job.stage == "inpaint")
    assert queue.stop(folder, job.id)
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        assert job.state == "stopping"
        time.sleep(0.05)
    wait(lambda: job.state == "stopped")
    assert queue.wait(folder, 1)
    assert not queue.stop(folder, job.id), "there is nothing left to stop"
    queue.close()


def wait(ready: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_worker_that_dies_is_told_and_gone_on_with(server: Server, long_clip: Path) -> None:
    project = static(server, long_clip)
    begin(server, project)
    task = server.desk.queue._running["device"][0]
    task.process.kill()
    state = server.wait(project, lambda state: state["job"]["state"] == "failed")
    assert "ended unexpectedly" in state["job"]["sentence"]
    server.post(f"/project/{project}/job", {"kind": "resume"})
    server.wait(project, lambda state: state["job"]["state"] == "running")
    answer = server.client.post(f"/project/{project}/job", json={"kind": "remove"})
    assert answer.status_code == 409
    assert answer.json()["error"].startswith("Removing is under way")
    server.post(f"/project/{project}/job/stop")
    server.wait(project, lambda state: state["job"]["state"] == "stopped")
    server.post(f"/project/{project}/job", {"kind": "discard"})
    state = server.get(f"/project/{project}")
    assert state["results"] == []
    assert not (server.folder(project) / "out" / "remove-1").exists()


def test_following_stops_and_keeps_what_it_followed(server: Server, tmp_path: Path) -> None:
    count = 220
    project = server.opened(write_scene(tmp_path / "walk.mp4", count))
    number = server.edit(project, "add_object", name="sign")["object"]
    one = sign_box(0)
    prompt = {"box": [one.x0, one.y0, one.x1, one.y1]}
    server.edit(project, "prompt", frame=0, object=number, prompt=prompt)
    begin(server, project, "track", frames=40)
    shown = server.client.get(f"/project/{project}/frame/3.jpg")
    assert shown.status_code == 200, "the stage can be read meanwhile"
    server.edit(project, "change_object", object=number, name="board")
    server.post(f"/project/{project}/job/stop")
    state = server.wait(project, lambda state: state["job"]["state"] == "stopped")
    lane = state["lanes"][str(number)]
    done = sum(last - first + 1 for first, last, kind, _ in lane if kind == "visible")
    assert 32 <= done < count - 1
    first = next((server.folder(project) / "runs").glob("*/000000.npz"))
    written = first.stat().st_mtime_ns
    server.post(f"/project/{project}/job", {"kind": "track"})
    lane = server.done(project)["lanes"][str(number)]
    assert [(a, b) for a, b, kind, _ in lane if kind == "visible"] == [(1, count - 1)]
    assert first.stat().st_mtime_ns == written, "only what was missing is followed"


def test_a_job_that_was_stopped_after_its_result_was_whole_only_makes_the_proxy(
    server: Server, scene_clip: Path
) -> None:
    project = static(server, scene_clip)
    server.post(f"/project/{project}/job", {"kind": "remove"})
    state = server.done(project)
    folder = server.folder(project)
    path = jobs.path_of(folder, state["job"]["id"])
    left = jobs.load(path)
    left.state = jobs.STOPPED
    wait(lambda: not server.desk.queue.live(folder))
    jobs.save(folder, left)
    (folder / "out" / "remove-1" / "proxy.mp4").unlink()
    written = out_of(folder).stat().st_mtime_ns
    server.post(f"/project/{project}/job", {"kind": "resume"})
    state = server.done(project)
    assert state["results"][0]["proxy"]
    assert state["job"]["sentence"].startswith("Removed 'logo'")
    assert out_of(folder).stat().st_mtime_ns == written


# --- two at once ---


def test_another_projects_work_waits_its_turn_but_its_clicks_do_not(
    server: Server, long_clip: Path, scene_clip: Path
) -> None:
    busy = static(server, long_clip)
    begin(server, busy)
    began = time.monotonic()
    project = static(server, scene_clip)
    assert time.monotonic() - began < 20, "a clip is opened while another is worked on"
    began = time.monotonic()
    one = sign_box(0)
    prompt = {"box": [one.x0 + 2, one.y0, one.x1, one.y1]}
    server.edit(project, "prompt", frame=0, object=1, prompt=prompt)
    assert time.monotonic() - began < 2
    assert server.get(f"/project/{busy}")["job"]["state"] != "done", "it is still at work"
    server.post(f"/project/{project}/job", {"kind": "try", "frame": 5, "seconds": 0.3})
    job = server.get(f"/project/{project}")["job"]
    assert (job["state"], job["place"]) == ("queued", 1)
    server.post(f"/project/{busy}/job/stop")
    server.done(project)
    assert server.get(f"/project/{busy}")["job"]["state"] == "stopped"


def test_a_job_that_waits_can_be_stopped(server: Server, long_clip: Path, scene_clip: Path) -> None:
    busy, project = static(server, long_clip), static(server, scene_clip)
    begin(server, busy, frames=1)
    server.post(f"/project/{project}/job", {"kind": "remove"})
    server.post(f"/project/{project}/job/stop")
    assert server.get(f"/project/{project}")["job"]["state"] == "stopped"
    answer = server.client.delete(f"/project/{busy}")
    assert answer.status_code == 200, "a project that works is stopped and removed"
    assert not server.folder(busy).exists()


def test_a_reload_finds_the_job_and_does_not_begin_it_again(
    server: Server, long_clip: Path
) -> None:
    project = static(server, long_clip)
    job = begin(server, project)["job"]["id"]
    with httpx.Client(base_url=server.address) as second:
        assert second.get(f"/project/{project}").json()["job"]["id"] == job
    live = server.desk.queue.live(server.folder(project))
    assert [one.id for one in live if one.kind != "proxy"] == [job]
    server.post(f"/project/{project}/job/stop")
    server.wait(project, lambda state: state["job"]["state"] == "stopped")


# --- crashes ---

_SERVE = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from cleanplate.app.server.options import Options
from cleanplate.app.server.server import create_routes, listen
import uvicorn
listening = listen("127.0.0.1", 0)
print(listening.getsockname()[1], flush=True)
app = create_routes(Options(folder=Path(sys.argv[1])))
uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])
"""


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Server]]:
    """A server in a process of its own, to be killed."""
    folder = tmp_path / "app"
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(folder), str(ROOT)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    port = int(process.stdout.readline())
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            client.get("/project/x")
            break
        except httpx.TransportError:
            time.sleep(0.1)
    options: Any = type("Options", (), {"projects": folder / "projects", "folder": folder})
    running: Any = None
    try:
        yield process, Server(options, None, client, running, running)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        client.close()


@pytest.mark.slow
def test_after_the_server_was_killed_the_work_goes_on_and_equals_an_undisturbed_run(
    doomed: tuple[subprocess.Popen[str], Server], long_clip: Path
) -> None:
    process, dying = doomed
    project = static(dying, long_clip)
    job = begin(dying, project, frames=270)["job"]["id"]
    process.send_signal(signal.SIGKILL)
    process.wait()
    folder = dying.folder(project)
    # The worker hears that its server has gone, and stops by itself.
    wait(lambda: jobs.load(jobs.path_of(folder, job)).is_over)
    with serving(folder.parent.parent) as server:
        left = server.get(f"/project/{project}")["job"]
        assert (left["id"], left["state"]) == (job, "stopped")
        assert "What is done is kept" in left["sentence"]
        server.post(f"/project/{project}/job", {"kind": "resume"})
        server.done(project, 120)
        assert _was_resumed(folder)
        other = static(server, long_clip)
        server.post(f"/project/{other}/job", {"kind": "remove"})
        server.done(other, 120)
        made, undisturbed = (pictures(out_of(server.folder(one))) for one in (project, other))
    assert len(made) == LONG
    assert all(np.array_equal(a, b) for a, b in zip(made, undisturbed, strict=True))


def _was_resumed(folder: Path) -> bool:
    return json.loads((folder / "out" / "remove-1" / "report.json").read_text())["resumed"]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find workers")
def test_a_worker_killed_with_its_server_is_offered_to_go_on(
    doomed: tuple[subprocess.Popen[str], Server], long_clip: Path
) -> None:
    process, dying = doomed
    project = static(dying, long_clip)
    begin(dying, project)
    folder = dying.folder(project)
    listed = [one.read_text() for one in Path(f"/proc/{process.pid}/task").glob("*/children")]
    workers = [int(pid) for line in listed for pid in line.split()]
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()
    with serving(folder.parent.parent) as server:
        state = server.wait(project, lambda state: state["job"]["state"] == "stopped", 20)
        assert "The server ended" in state["job"]["sentence"]
        assert "go on" in state["job"]["sentence"]


@pytest.mark.slow
def test_a_removal_begun_here_is_finished_by_another_program_and_the_other_way_round(
    server: Server, long_clip: Path
) -> None:
    begun_here = static(server, long_clip)
    begin(server, begun_here, frames=270)
    server.post(f"/project/{begun_here}/job/stop")
    server.wait(begun_here, lambda state: state["job"]["state"] == "stopped")
    command = shlex.split(server.get(f"/project/{begun_here}")["job"]["command"])
    assert command[:3] == ["cleanplate", "project", "remove"]
    subprocess.run([str(PROGRAM), *command[1:], "--quiet"], check=True, timeout=120)
    assert _was_resumed(server.folder(begun_here))
    results = server.get(f"/project/{begun_here}")["results"]
    assert [one["name"] for one in results] == ["remove-1"], "it is listed here"

    begun_there = static(server, long_clip)
    folder = server.folder(begun_there)
    out = folder / "out" / "remove-1" / "clean.mp4"
    stop = _StopAfter(270)
    with pytest.raises(KeyboardInterrupt):
        removal.run(Project.open(folder).removal(out), stop)
    server.post(f"/project/{begun_there}/job", {"kind": "remove"})
    server.done(begun_there, 120)
    assert _was_resumed(folder)


class _StopAfter(Progress):
    def __init__(self, frames: int) -> None:
        self._left = frames
        self._stage = ""

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        self._stage = stage

    def advance(self) -> None:
        self._left -= self._stage == "inpaint"
        if self._left < 0:
            raise KeyboardInterrupt
