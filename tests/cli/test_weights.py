"""``cleanplate weights fetch`` offers what most gain from, asks once, and takes nothing else."""

from __future__ import annotations

import dataclasses
import http.server
import io
import threading
from collections.abc import Iterator

import pytest
import torch
from typer.testing import CliRunner

from cleanplate.checkpoints import catalogue, layouts, store
from cleanplate.checkpoints import fetch as fetching
from cleanplate.checkpoints.catalogue import Checkpoint
from cleanplate.cli.weights import commands

_WIDTHS = {"small:one": 4, "small:two": 8}


def _network(name: str) -> torch.nn.Module:
    return torch.nn.Conv2d(3, _WIDTHS[name], 3)


def _content(name: str) -> bytes:
    buffer = io.BytesIO()
    torch.save(_network(name).state_dict(), buffer)
    return buffer.getvalue()


class _Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        content = _content(f"small:{self.path.strip('/')}")
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture(autouse=True)
def offered(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty store, and two small checkpoints of a local server that are recommended."""
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{running.server_port}"
    known = tuple(
        Checkpoint(
            *(name, f"{name}.pth", f"small:{name}", "Apache-2.0", True, "https://example.org"),
            url=f"{address}/{name}",
            size=156_008_466 if name == "one" else None,
        )
        for name in ("one", "two")
    )
    known = tuple(dataclasses.replace(one, size=len(_content(one.network))) for one in known)
    monkeypatch.setenv("CLEANPLATE_WEIGHTS", f"{tmp_path}/store")
    monkeypatch.setattr(catalogue, "BUILT_IN", known)
    monkeypatch.setattr(catalogue, "RECOMMENDED", {"one": "follows things", "two": "paints"})
    monkeypatch.setattr(
        layouts, "expected", lambda name: layouts.shapes(_network(name).state_dict())
    )
    yield address
    running.shutdown()
    running.server_close()


def test_without_a_name_it_says_what_for_and_how_large_and_takes_all_with_one_yes() -> None:
    told = CliRunner().invoke(commands, ["fetch", "--yes"])
    assert told.exit_code == 0, told.output
    for words in ("follows things", "paints", "MB", "Apache-2.0", "yes"):
        assert words in told.output
    assert store.is_here("one")
    assert store.is_here("two")
    again = CliRunner().invoke(commands, ["fetch"])
    assert "All that is recommended is here: one, two." in again.output


def test_nothing_comes_without_a_yes() -> None:
    told = CliRunner().invoke(commands, ["fetch"])
    assert told.exit_code != 0
    assert not store.is_here("one")
    assert not store.is_here("two")


def test_what_is_here_is_not_offered_again() -> None:
    CliRunner().invoke(commands, ["fetch", "one", "--yes"])
    told = CliRunner().invoke(commands, ["fetch", "--yes"])
    assert "follows things" not in told.output
    assert store.is_here("two")


def test_an_address_without_a_name_is_refused() -> None:
    told = CliRunner().invoke(commands, ["fetch", "--url", "https://example.org/w.pth"])
    assert "Name the checkpoint" in str(told.exception)


def test_offline_it_says_so_and_what_else_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = dataclasses.replace(catalogue.BUILT_IN[0], url="https://127.0.0.1:9/one.pth")
    monkeypatch.setattr(catalogue, "BUILT_IN", (nowhere, catalogue.BUILT_IN[1]))
    with pytest.raises(Exception, match="does not reach https://127") as told:
        fetching.fetch(nowhere, pause=0.01)
    assert "cleanplate weights import one.pth --name one" in str(told.value)
    assert "All that needs no weights works without." in str(told.value)
