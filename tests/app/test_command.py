"""``cleanplate app`` as a person starts and stops it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from cleanplate.app import jobs

PROGRAM = Path(sys.executable).with_name("cleanplate")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def said_by(*arguments: str | Path) -> tuple[int, str]:
    ran = subprocess.run(
        [str(PROGRAM), "app", "--no-browser", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ran.returncode, ran.stderr.strip()


@pytest.mark.slow
def test_it_serves_a_clip_until_ctrl_c_and_stops_what_it_began(
    tmp_path: Path, scene_clip: Path
) -> None:
    port, folder = free_port(), tmp_path / "films"
    where = ("--port", str(port), "--folder", str(folder))
    process = subprocess.Popen(
        [str(PROGRAM), "app", str(scene_clip), "--no-browser", *where],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert process.stdout.readline() == "cleanplate is starting ...\n"
        line = process.stdout.readline()
        found = re.fullmatch(
            r"cleanplate is at (http://127\.0\.0\.1:(\d+)/\?project=(.{22}))\n", line
        )
        assert found, line
        assert int(found[2]) == port
        end = time.monotonic() + 30
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            while client.get(f"/project/{found[3]}").json()["opening"]:
                assert time.monotonic() < end
                time.sleep(0.1)
            assert client.get(f"/?project={found[3]}").status_code == 200
        code, said = said_by("--port", str(free_port()), "--folder", folder)
        assert code == 2
        assert said.startswith(f"Error: Another cleanplate app works in {folder}")
        code, said = said_by("--port", str(port), "--folder", tmp_path / "other")
        assert code == 2
        assert said.startswith(f"Error: Port {port} of 127.0.0.1 cannot be taken")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
    for path in (folder / "projects" / found[3] / "jobs").glob("[!.]*.json"):
        assert jobs.load(path).is_over or not jobs.is_alive(jobs.load(path))


def test_it_will_not_serve_others_without_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLEANPLATE_PASSWORD", raising=False)
    code, said = said_by("--host", "0.0.0.0", "--folder", tmp_path)
    assert code == 2
    assert "it has no password; set CLEANPLATE_PASSWORD" in said


def test_a_clip_that_is_none_is_said_before_anything_is_served(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("words")
    code, said = said_by(notes, "--port", str(free_port()), "--folder", tmp_path / "films")
    assert code == 1
    assert said.startswith("Error: notes.txt is not a video.")
