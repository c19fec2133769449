"""What a person sends: streamed, limited, looked into, its name never believed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cleanplate.app.server.uploads import safe_suffix, shown_name

from .conftest import Server, serving


def projects(server: Server) -> list[Path]:
    return list(server.options.projects.iterdir())


def test_a_clip_that_is_sent_becomes_a_project(server: Server, scene_clip: Path) -> None:
    content = scene_clip.read_bytes()
    answer = server.client.post("/project", params={"name": "harbour.mp4"}, content=content)
    assert answer.status_code == 200, answer.text
    project = answer.json()["id"]
    assert len(project) == 22
    kept = server.folder(project) / "clip.mp4"
    assert kept.read_bytes() == content
    assert server.get(f"/project/{project}")["clip"]["name"] == "harbour.mp4"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"not a video at all, only words\n" * 40),
        ("empty.mp4", b""),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
        ("concat.txt", b"ffconcat version 1.0\nfile /etc/passwd\n"),
        ("page.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"),
    ],
)
def test_what_is_no_video_is_refused_by_its_content_and_deleted(
    server: Server, name: str, content: bytes
) -> None:
    before = projects(server)
    answer = server.client.post("/project", params={"name": name}, content=content)
    assert answer.status_code == 422, answer.text
    said = answer.json()["error"]
    assert said.startswith(f"{name} is not a video. Expected a file with a picture stream")
    assert str(server.options.folder) not in said
    assert projects(server) == before


def test_a_cut_off_clip_is_refused_and_a_good_one_taken_after_it(
    server: Server, scene_clip: Path
) -> None:
    content = scene_clip.read_bytes()
    answer = server.client.post("/project", params={"name": "cut.mp4"}, content=content[:3000])
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("cut.mp4 is not a video")
    answer = server.client.post("/project", params={"name": "good.mp4"}, content=content)
    assert answer.status_code == 200


def test_a_text_with_a_videos_name_is_refused(server: Server) -> None:
    answer = server.client.post("/project", params={"name": "film.mp4"}, content=b"words " * 99)
    assert answer.status_code == 422


def test_over_the_limit_both_sizes_are_named_and_nothing_is_kept(tmp_path: Path) -> None:
    with serving(tmp_path, max_upload=1_000_000) as server:
        answer = server.client.post(
            "/project", params={"name": "clip.mov"}, content=bytes(2_500_000)
        )
        assert answer.status_code == 413
        said = answer.json()["error"]
        assert said.startswith("clip.mov is 2.5 MB; uploads here end at 1.0 MB.")

        def unsaid() -> Iterator[bytes]:
            for _ in range(30):
                yield bytes(100_000)

        answer = server.client.post("/project", params={"name": "clip.mov"}, content=unsaid())
        assert answer.status_code == 413
        assert projects(server) == []


@pytest.mark.parametrize(
    ("name", "shown", "suffix"),
    [
        ("../../etc/passwd", "passwd", ""),
        ("C:\\films\\a.MP4", "a.MP4", ".mp4"),
        ("a.mp4\n<script>", "a.mp4<script>", ""),
        ("..", "..", ""),
        ("x" * 300 + ".mkv", "x" * 96 + ".mkv", ".mkv"),
        ("", "clip", ""),
        ("clip.m/../p4", "p4", ""),
    ],
)
def test_a_files_name_is_only_shown(name: str, shown: str, suffix: str) -> None:
    assert shown_name(name) == shown
    assert safe_suffix(shown_name(name)) == suffix


def test_a_name_that_climbs_writes_nothing_outside_its_project(
    tmp_path: Path, scene_clip: Path
) -> None:
    with serving(tmp_path / "here" / "app") as server:
        outside = set(tmp_path.rglob("*"))
        sent = {"params": {"name": "../../../clip.mp4"}, "content": scene_clip.read_bytes()}
        folder = server.folder(server.client.post("/project", **sent).json()["id"])
        server.wait(folder.name, lambda state: not state["opening"])
        new = set(tmp_path.rglob("*")) - outside
        assert new
        assert all(path.is_relative_to(folder) for path in new)


def test_a_broken_upload_leaves_nothing(server: Server) -> None:
    before = projects(server)

    def broken() -> Iterator[bytes]:
        yield bytes(3_000_000)
        raise ConnectionError("the cable")

    with pytest.raises((httpx.HTTPError, ConnectionError)):
        server.client.post("/project", params={"name": "a.mp4"}, content=broken())
    end = time.monotonic() + 10
    while projects(server) != before:
        assert time.monotonic() < end
        time.sleep(0.05)


_SERVE = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tests.app.conftest import serving
with serving(Path(sys.argv[1])) as server:
    print(server.address, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see memory")
def test_memory_does_not_grow_with_the_size_of_an_upload(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(tmp_path), str(Path(__file__).parents[2])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def send(count: int) -> int:
        """Send so many MiB that are no video; the server's peak memory in MiB after that."""
        body = (bytes(1 << 20) for _ in range(count))
        answer = client.post("/project", params={"name": "a.mp4"}, content=body)
        assert answer.status_code == 422, answer.text
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    try:
        with httpx.Client(base_url=process.stdout.readline().strip(), timeout=120) as client:
            client.get("/about")  # looks for devices: what that loads is not the upload's
            before = send(20)
            assert send(400) - before < 50
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
