"""A download that breaks off, lies, or brings something else never becomes a checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import io
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cleanplate.checkpoints import catalogue, store
from cleanplate.checkpoints import fetch as fetching
from cleanplate.checkpoints.fetch import fetch
from cleanplate.errors import InputError, WeightsError
from tests.checkpoints.conftest import FIRST, NARROW

Weights = dict[str, Tensor]
Answer = Callable[["_Handler", bytes], None]


class _Handler(http.server.BaseHTTPRequestHandler):
    content = b""
    answers: dict[str, Answer] = {}  # noqa: RUF012  set anew for every server
    asked: list[str | None] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Range"))
        self.answers.get(self.path, whole)(self, self.content)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass

    def start(self, code: int, **headers: object) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


def hang_up(handler: _Handler) -> None:
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def whole(handler: _Handler, content: bytes) -> None:
    """A server that can resume."""
    wanted = handler.headers.get("Range", "bytes=0-")
    first = int(wanted.removeprefix("bytes=").rstrip("-"))
    if first:
        span = f"bytes {first}-{len(content) - 1}/{len(content)}"
        handler.start(206, Content_Length=len(content) - first, Content_Range=span, ETag='"a"')
    else:
        handler.start(200, Content_Length=len(content), ETag='"a"')
    handler.wfile.write(content[first:])


def breaking(handler: _Handler, content: bytes) -> None:
    """A server that sends a third of what is asked for and hangs up."""
    wanted = handler.headers.get("Range", "bytes=0-")
    first = int(wanted.removeprefix("bytes=").rstrip("-"))
    rest = content[first:]
    if len(rest) < len(content) // 4:
        return whole(handler, content)
    if first:
        span = f"bytes {first}-{len(content) - 1}/{len(content)}"
        handler.start(206, Content_Length=len(rest), Content_Range=span, ETag='"a"')
    else:
        handler.start(200, Content_Length=len(rest), ETag='"a"')
    handler.wfile.write(rest[: len(content) // 3 + 1])
    hang_up(handler)
    return None


def deaf(handler: _Handler, content: bytes) -> None:
    """A server that cannot resume, and breaks off the first time."""
    handler.start(200, Content_Length=len(content), Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT")
    first = len(handler.asked) == 1
    handler.wfile.write(content[: len(content) // 2] if first else content)
    if first:
        hang_up(handler)


def changing(handler: _Handler, content: bytes) -> None:
    """A server whose file is another one at the second request; it honours If-Range."""
    if len(handler.asked) == 1:
        handler.start(200, Content_Length=len(content), ETag='"old"')
        handler.wfile.write(content[:16] + b"x" * (len(content) // 2))
        hang_up(handler)
        return
    assert handler.headers["If-Range"] == '"old"'
    handler.start(200, Content_Length=len(content), ETag='"new"')
    handler.wfile.write(content)


def liar(handler: _Handler, content: bytes) -> None:
    """A server that promises more than it sends."""
    handler.start(200, Content_Length=len(content) + 1000)
    handler.wfile.write(content)
    hang_up(handler)


def page(handler: _Handler, content: bytes) -> None:
    handler.start(200, Content_Type="text/html; charset=utf-8")
    handler.wfile.write(b"<html>too large to scan for viruses</html>")


def wrong(handler: _Handler, content: bytes) -> None:
    """A server that sends as many bytes as expected, but others."""
    handler.start(200, Content_Length=len(content))
    handler.wfile.write(content[:-9] + bytes(9))


def document(handler: _Handler, content: bytes) -> None:
    """A server whose file is no weights file."""
    handler.start(200, Content_Length=1 << 20)
    handler.wfile.write(b"%PDF-1.7" + bytes((1 << 20) - 8))


def _redirect(to: str) -> Answer:
    return lambda handler, content: handler.start(302, Location=to)


@pytest.fixture
def content(wide: Weights) -> bytes:
    buffer = io.BytesIO()
    torch.save(wide, buffer)
    return buffer.getvalue()


@pytest.fixture
def server(content: bytes) -> Iterator[str]:
    _Handler.content, _Handler.asked = content, []
    _Handler.answers = {
        "/breaking": breaking,
        "/deaf": deaf,
        "/changing": changing,
        "/liar": liar,
        "/page": page,
        "/wrong": wrong,
        "/document": document,
        "/moved": _redirect("/breaking"),
        "/downgrade": _redirect("http://mirror.invalid/weights.pth"),
        "/gone": lambda handler, _: handler.start(404),
        "/busy": lambda handler, _: handler.start(503),
    }
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def _sure(content: bytes) -> object:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return dataclasses.replace(FIRST, size=len(content), digest=digest)


def _fetch(url: str, checkpoint: object = FIRST) -> Path:
    return fetch(checkpoint, url=url, pause=0.01)  # type: ignore[arg-type]


def test_a_whole_file_is_kept_with_a_record_of_where_it_came_from(
    server: str, content: bytes
) -> None:
    seen: list[tuple[int, int | None]] = []
    path = fetch(FIRST, url=f"{server}/w.pth", progress=lambda *now: seen.append(now))
    assert path.read_bytes() == content
    assert seen[-1] == (len(content), len(content))
    assert store.record("wide_first")["source"] == f"{server}/w.pth"
    assert [one.name for one in path.parent.glob(".*")] == []


@pytest.mark.parametrize("way", ["breaking", "moved", "deaf", "changing"])
def test_a_download_that_breaks_off_goes_on_and_ends_right(
    way: str, server: str, content: bytes
) -> None:
    assert _fetch(f"{server}/{way}").read_bytes() == content
    assert len(_Handler.asked) > 1


def test_only_what_is_missing_is_asked_for(server: str, content: bytes) -> None:
    _fetch(f"{server}/breaking")
    third = len(content) // 3 + 1
    assert _Handler.asked == [None, f"bytes={third}-", f"bytes={2 * third}-"]


def test_what_is_there_is_gone_on_with_by_the_next_call(server: str, content: bytes) -> None:
    with pytest.raises(WeightsError, match="broke off 5 times"):
        _fetch(f"{server}/liar")
    part = next(store.folder().glob("*.part"))
    assert part.stat().st_size == len(content)
    _Handler.answers["/liar"] = whole
    assert _fetch(f"{server}/liar").read_bytes() == content


def test_a_size_that_cannot_be_right_is_refused_before_it_is_downloaded(
    server: str, content: bytes
) -> None:
    smaller = dataclasses.replace(FIRST, size=len(content) - 5)
    with pytest.raises(WeightsError, match=f"offers {len(content)} bytes"):
        _fetch(f"{server}/w.pth", smaller)
    _nothing_is_kept()


def test_a_file_of_the_right_size_with_other_bytes_is_refused(server: str, content: bytes) -> None:
    with pytest.raises(WeightsError, match="its checksum is sha256:"):
        _fetch(f"{server}/wrong", _sure(content))
    _nothing_is_kept()
    assert _fetch(f"{server}/w.pth", _sure(content)).read_bytes() == content


def test_a_file_that_does_not_begin_as_weights_is_refused_at_its_first_bytes(server: str) -> None:
    seen: list[int] = []
    with pytest.raises(WeightsError, match="does not begin as a weights file"):
        fetch(FIRST, url=f"{server}/document", progress=lambda here, _: seen.append(here))
    assert seen == []
    _nothing_is_kept()


def test_more_than_any_checkpoint_has_is_never_downloaded(
    server: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LARGEST", len(content) - 1)
    with pytest.raises(WeightsError, match=f"gives {len(content)} bytes"):
        _fetch(f"{server}/w.pth")
    _nothing_is_kept()


def test_where_the_first_address_fails_the_mirror_is_asked(server: str, content: bytes) -> None:
    both = dataclasses.replace(FIRST, url=f"{server}/gone", mirror=f"{server}/w.pth")
    assert fetch(both, pause=0.01).read_bytes() == content
    assert store.record("wide_first")["source"] == f"{server}/w.pth"
    store.remove("wide_first")
    neither = dataclasses.replace(FIRST, url=f"{server}/gone", mirror=f"{server}/page")
    with pytest.raises(WeightsError, match=r"answered 404.*a web page"):
        fetch(neither, pause=0.01)


def test_of_two_checkpoints_at_one_address_it_becomes_the_one_that_its_keys_say(
    server: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{server}/w.pth"
    shared = [dataclasses.replace(one, url=address) for one in (NARROW, FIRST)]
    monkeypatch.setattr(catalogue, "BUILT_IN", tuple(shared))
    assert fetch(shared[0]).read_bytes() == content
    assert store.is_here("wide_first")
    assert not store.is_here("narrow")


def test_the_weights_of_another_network_are_refused(server: str) -> None:
    with pytest.raises(WeightsError, match="wide_first, wide_second, not of narrow"):
        _fetch(f"{server}/w.pth", NARROW)
    _nothing_is_kept()


@pytest.mark.parametrize(
    ("way", "sentence"),
    [("page", "a web page"), ("gone", "answered 404"), ("busy", "the server answered 503")],
)
def test_a_server_without_the_file_is_named(way: str, sentence: str, server: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        _fetch(f"{server}/{way}")
    assert not store.is_here("wide_first")


def test_no_address_but_https_is_taken_nor_followed(server: str) -> None:
    with pytest.raises(InputError, match="not an https address"):
        _fetch("http://mirror.invalid/weights.pth")
    with pytest.raises(InputError, match="not an https address"):
        _fetch(f"{server}/downgrade")


def test_a_file_without_an_address_says_where_a_browser_finds_it() -> None:
    with pytest.raises(WeightsError, match=r"download wide_a\.pth through the links of"):
        fetch(FIRST)


def _nothing_is_kept() -> None:
    assert not store.is_here("wide_first")
    assert list(store.folder().glob("*")) + list(store.folder().glob(".*")) == []
