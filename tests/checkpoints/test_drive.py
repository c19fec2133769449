"""Google Drive in each of its moods, as a server on this machine that answers as it does."""

from __future__ import annotations

import dataclasses
import http.server
import io
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import torch
from torch import Tensor

from cleanplate.checkpoints import catalogue, drive, store
from cleanplate.checkpoints.catalogue import Checkpoint
from cleanplate.checkpoints.fetch import fetch
from cleanplate.errors import WeightsError
from tests.checkpoints.conftest import FIRST, NARROW

CONFIRM = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head>
<body><p class="uc-warning-caption">Google Drive can't scan this file for viruses.</p>
<form id="download-form" action="{action}" method="get"><input type="submit" value="Download anyway"
/><input type="hidden" name="id" value="{id}"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="1-2&amp;3">
</form></body></html>"""
QUOTA = """<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>
<p class="uc-error-caption">Sorry, you can&#39;t view or download this file at this time.</p>
<p>Too many users have viewed or downloaded this file recently.</p></body></html>"""
SIGN_IN = """<html><body><a href="https://accounts.google.com/ServiceLogin">Sign in</a></body>"""


class _Drive(http.server.BaseHTTPRequestHandler):
    content = b""
    asked: list[str] = []  # noqa: RUF012  set anew for every server
    breaks = False

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        self.asked.append(self.path)
        mood = query.get("id", "")
        if address.path == "/uc":
            if mood == "sign-in":
                return self._redirect("https://accounts.google.com/ServiceLogin?service=wise")
            if mood == "elsewhere":
                return self._redirect("https://weights.invalid/file.pth")
            return self._redirect(f"/download?id={mood}&export=download")
        if query.get("confirm") == "t" and query.get("uuid") == "1-2&3" and mood == "large":
            return self._file()
        if mood in ("large", "circle", "astray"):
            action = "https://weights.invalid/file" if mood == "astray" else "/download"
            return self._page(CONFIRM.format(id=mood, action=action))
        if mood == "quota":
            return self._page(QUOTA)
        if mood == "private":
            return self._page(SIGN_IN, 403)
        if mood == "gone":
            return self._page("<html>The file you have requested does not exist.</html>", 404)
        return self._file()

    def _redirect(self, to: str) -> None:
        self.send_response(303)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _page(self, text: str, code: int = 200) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())

    def _file(self) -> None:
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        rest = self.content[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Disposition", 'attachment; filename="weights.pth"')
        self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        self.send_header("Content-Length", str(len(rest)))
        span = f"bytes {first}-{len(self.content) - 1}/{len(self.content)}"
        self.send_header("Content-Range", span)
        self.end_headers()
        broken = self.breaks and not first
        self.wfile.write(rest[: len(rest) // 2] if broken else rest)
        self.close_connection = True


@pytest.fixture
def content(wide: dict[str, Tensor]) -> bytes:
    buffer = io.BytesIO()
    torch.save(wide, buffer)
    return buffer.getvalue()


@pytest.fixture
def server(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    _Drive.content, _Drive.asked, _Drive.breaks = content, [], False
    monkeypatch.setattr(drive, "HOSTS", (*drive.HOSTS, "127.0.0.1"))
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Drive)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def _at(server: str, mood: str, checkpoint: Checkpoint = FIRST) -> Checkpoint:
    return dataclasses.replace(checkpoint, url=f"{server}/uc?export=download&id={mood}")


@pytest.mark.parametrize(("mood", "requests"), [("small", 2), ("large", 3)])
def test_a_file_comes_at_once_or_through_the_page_that_cannot_scan_for_viruses(
    mood: str, requests: int, server: str, content: bytes
) -> None:
    assert fetch(_at(server, mood), pause=0.01).read_bytes() == content
    assert len(_Drive.asked) == requests
    assert store.record("wide_first")["source"] == f"{server}/uc?export=download&id={mood}"


def test_a_large_file_that_broke_off_goes_on_through_the_page_again(
    server: str, content: bytes
) -> None:
    _Drive.breaks = True
    assert fetch(_at(server, "large"), pause=0.01).read_bytes() == content
    assert len(_Drive.asked) == 6


@pytest.mark.parametrize(
    ("mood", "sentence"),
    [
        ("quota", "until tomorrow Google Drive refuses"),
        ("sign-in", "asks to sign in"),
        ("private", "asks to sign in"),
        ("gone", r"gave a web page \(404\)"),
    ],
)
def test_a_refusal_names_the_link_to_open_and_the_command_to_type(
    mood: str, sentence: str, server: str
) -> None:
    with pytest.raises(WeightsError, match=sentence) as refused:
        fetch(_at(server, mood), pause=0.01)
    assert f"https://drive.google.com/file/d/{mood}/view" in str(refused.value)
    assert str(refused.value).endswith("cleanplate weights import wide_a.pth --name wide_first")
    assert not store.is_here("wide_first")


@pytest.mark.parametrize("mood", ["elsewhere", "astray"])
def test_no_other_host_is_asked_wherever_a_page_or_a_redirection_leads(
    mood: str, server: str
) -> None:
    with pytest.raises(WeightsError, match=r"leads to weights\.invalid, not its own"):
        fetch(_at(server, mood), pause=0.01)


def test_a_page_that_only_leads_to_itself_ends(server: str) -> None:
    with pytest.raises(WeightsError, match="answers its own confirmation with another"):
        fetch(_at(server, "circle"), pause=0.01)
    assert len(_Drive.asked) == 3


def test_a_wrong_file_is_refused_by_its_keys(server: str) -> None:
    with pytest.raises(WeightsError, match="not of narrow"):
        fetch(_at(server, "large", NARROW), pause=0.01)
    assert not store.is_here("narrow")


def test_what_lies_on_drive_is_fetched_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    known = {one.name: one for one in catalogue.BUILT_IN}
    on_drive = {"e2fgvi", "e2fgvi_hq", "vinet_512", "vinet_256", "r50_deaotl", "aot_t"}
    assert all(drive.is_drive(known[name].url) for name in on_drive)
    assert drive.is_drive(known["siammask_davis"].mirror)
    assert all(one.url for one in known.values())
