"""Opening clips, and what a server may not be asked. Checks 1 to 6 of the app."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

import cleanplate
from tests.app_browser.clips import RATE
from tests.app_browser.conftest import Server, free_port
from tests.app_browser.person import CANVAS, Person

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]
_DROP = """async ([data, name]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  const drop = document.getElementById('cp-drop');
  for (const kind of ['dragenter', 'dragover', 'drop']) {
    const how = { bubbles: true, cancelable: true, dataTransfer: transfer };
    drop.dispatchEvent(new DragEvent(kind, how));
  }
}"""


def test_the_page_asks_nobody_else_for_anything_and_has_no_error(visit: Visit) -> None:
    person = visit()
    assert "cleanplate" in person.page.title()
    person.page.wait_for_load_state("networkidle")
    assert person.elsewhere == []
    assert person.errors == []


def test_foreign_hosts_cross_site_posts_and_files_beside_the_project_are_refused(
    visit: Visit, server: Server, coded: Path
) -> None:
    project = server.project(coded)
    with httpx.Client(base_url=server.address, timeout=30) as client:
        foreign = {"Host": "evil.example"}
        assert client.get("/about", headers=foreign).status_code == 403
        cross = {"Origin": "http://evil.example"}
        assert client.post("/project", json={"sample": True}, headers=cross).status_code == 403
        assert client.post("/gradio_api/upload", headers=cross).status_code == 403
        assert client.get("/monitoring").status_code in (403, 404)
        for path in (
            "/gradio_api/file=/etc/passwd",
            f"/gradio_api/file={server.folder}/projects/{project}/project.json",
            f"/project/{project}/result/..%2f..%2fproject.json/clip",
            "/page/..%2fserver.py",
            "/page/__init__.py",
        ):
            assert client.get(path).status_code in (403, 404), path


def test_a_page_of_another_site_changes_nothing_here(
    visit: Visit, server: Server, coded: Path, tmp_path: Path
) -> None:
    """As a page that a person happens to have open would try it: in the same browser."""
    project = server.project(coded)
    before = server.state(project)["version"]
    known = sorted((server.folder / "projects").iterdir())
    (tmp_path / "index.html").write_text("<title>elsewhere</title>")
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        person = visit()
        answers: dict[str, int] = {}
        person.page.on("response", lambda one: answers.update({one.url: one.status}))
        person.page.goto(f"http://127.0.0.1:{other.server_port}/index.html")
        paths = [
            "/project?name=clip.mp4",
            f"/project/{project}/edit",
            f"/project/{project}/job",
            "/gradio_api/upload",
            "/gradio_api/component_server",
            "/gradio_api/call/remove",
        ]
        person.page.evaluate(_FOREIGN, [server.address, paths])
        other.shutdown()
    assert {path: answers[server.address + path] for path in paths} == dict.fromkeys(paths, 403)
    assert server.state(project)["version"] == before
    assert sorted((server.folder / "projects").iterdir()) == known


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


# What a browser sends to another site without asking it first.
_FOREIGN = """async ([address, paths]) => {
  const body = JSON.stringify({ op: 'add_object', kind: 'track', sample: true });
  const headers = { 'Content-Type': 'text/plain' };
  for (const path of paths) {
    await fetch(address + path, { method: 'POST', mode: 'no-cors', headers, body });
  }
}"""


def test_dropping_a_clip_shows_its_first_frame_and_what_the_probe_says(
    visit: Visit, coded: Path
) -> None:
    import base64

    person = visit()
    person.page.evaluate(_DROP, [base64.b64encode(coded.read_bytes()).decode(), "harbour.mp4"])
    person.sees(0)
    person.until("state && !state.opening")
    assert person.reads_code() == 0
    with cleanplate.open_clip(coded) as clip:
        info = clip.info
    facts = person.text("#cp-clip-facts")
    for fact in (
        f"{info.width}×{info.height}",
        f"{RATE} frames/s",
        "60 frames",
        info.codec,
        "with sound",
    ):
        assert fact in facts, facts
    assert person.text("#cp-clip-name") == "harbour.mp4"
    assert f"project={person.project}" in person.page.url


@pytest.mark.parametrize("codec", ["hevc", "ffv1"])
def test_codecs_that_a_browser_does_not_play_show_exact_frames_and_play(
    visit: Visit, odd_clips: dict[str, Path], codec: str
) -> None:
    person = visit()
    person.page.fill("#cp-path", str(odd_clips[codec]))
    person.page.press("#cp-path", "Enter")
    person.sees(0)
    person.until("state && !state.opening")
    person.page.locator(CANVAS).focus()
    for frame in (7, 8, 29):
        person.page.fill("#cp-frame", str(frame))
        person.page.press("#cp-frame", "Enter")
        person.sees(frame)
        assert person.reads_code() == frame
    person.until("state.proxy.ready")
    person.page.locator(CANVAS).focus()
    person.press("Home")
    person.sees(0)
    person.press("Space")
    person.until("desk.frame >= 5")
    before = person.drawn()
    number = person.reads_code()
    assert before - 1 <= number <= person.drawn() + 1
    if person.desk("speed"):
        person.press("k")
    person.until("desk.speed === 0")
    person.sees(person.desk("frame"))
    assert person.reads_code() == person.desk("frame")


def test_what_is_no_whole_video_is_said_and_a_good_clip_opens_next(
    visit: Visit, coded: Path, tmp_path: Path
) -> None:
    text, empty, cut = tmp_path / "notes.txt", tmp_path / "empty.mp4", tmp_path / "cut.mp4"
    text.write_text("no video " * 400)
    empty.write_bytes(b"")
    cut.write_bytes(coded.read_bytes()[:3000])
    person = visit()
    note = person.page.locator("#cp-start-note.cp-error")
    for path, why in ((text, "is a text"), (empty, "0 bytes"), (cut, "Invalid data")):
        person.page.set_input_files("#cp-file", str(path))
        note.filter(has_text=path.name).wait_for()
        said = note.inner_text()
        assert said.startswith(f"{path.name} is not a video. Expected a file with a picture stream")
        assert why in said
        assert note.get_attribute("role") == "alert"
    person.page.set_input_files("#cp-file", str(coded))
    person.sees(0)
    assert person.reads_code() == 0


def test_a_great_upload_is_streamed_and_one_over_the_limit_is_refused_with_both_sizes(
    visit: Visit, server: Server, tmp_path: Path
) -> None:
    assert server.process is not None
    memory = Path(f"/proc/{server.process.pid}/status")

    def resident() -> int:
        line = next(x for x in memory.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    great, over = tmp_path / "great.mp4", tmp_path / "over.mov"
    for path, size in ((great, 600 << 20), (over, 800 << 20)):
        with path.open("wb") as file:
            file.truncate(size)
    person = visit()
    person.page.set_input_files("#cp-file", str(over))
    note = person.page.locator("#cp-start-note.cp-error")
    note.filter(has_text="over.mov is 839").wait_for()
    assert "734" in note.inner_text()
    before = resident()
    person.page.set_input_files("#cp-file", str(great))
    note.filter(has_text="great.mp4").wait_for(timeout=120_000)
    assert resident() - before < 50 << 20


def test_a_password_from_the_environment_keeps_others_out_and_lets_the_page_work(
    visit: Visit, coded: Path, tmp_path: Path
) -> None:
    server = Server(tmp_path / "work", free_port(), password="open sesame")
    server.start()
    try:
        wrong = httpx.get(server.address, auth=("any", "another"))
        assert (wrong.status_code, "password" in wrong.text) == (401, True)
        person = visit(at=server, password="open sesame")
        person.page.set_input_files("#cp-file", str(coded))
        person.sees(0)
        person.until("state && !state.opening && state.proxy.ready")
        person.click(70, 85)
        person.sees_mask()
        person.page.locator(CANVAS).focus()
        person.press("Space")
        person.until("desk.frame >= 3")
        assert person.errors == []
        project = person.project
        assert httpx.get(f"{server.address}/project/{project}").status_code == 401
        assert httpx.get(f"{server.address}/project/{project}/proxy.mp4").status_code == 401
    finally:
        server.stop()


def test_a_clip_dropped_on_an_open_project_opens_and_a_project_can_be_deleted(
    visit: Visit, server: Server, coded: Path
) -> None:
    import base64

    first = server.project(coded)
    person = visit(first)
    data = base64.b64encode(coded.read_bytes()).decode()
    person.page.evaluate(_DROP, [data, "second.mp4"])
    person.until(f"state && !state.opening && desk.link.id !== '{first}'")
    person.sees(0)
    assert person.text("#cp-clip-name") == "second.mp4"
    sent = server.folder / "projects" / person.project
    assert sent.is_dir()
    person.page.get_by_role("button", name="Another clip").click()
    person.page.on("dialog", lambda dialog: dialog.accept())
    person.page.get_by_label("Delete the project of second.mp4").click()
    person.page.get_by_label("Delete the project of second.mp4").wait_for(state="detached")
    assert not sent.exists()
    assert (server.folder / "projects" / first).is_dir()
    assert person.page.get_by_label("Delete the project of coded.mp4").count() == 1


def test_a_link_to_a_project_that_is_gone_says_so(visit: Visit, server: Server) -> None:
    person = visit()
    person.page.goto(f"{server.address}/?project=notHereAnyMore1234567890")
    person.page.wait_for_selector("body.cp-begun", state="attached")
    note = person.page.locator("#cp-start-note")
    note.filter(has_text="not here any more").wait_for()
    assert str(server.folder) in note.inner_text()
    assert "project=" not in person.page.url
