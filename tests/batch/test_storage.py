"""Storage by fsspec: memory, a real S3 server, HTTP; scratch with a limit."""

from __future__ import annotations

import functools
import http.server
import threading
from pathlib import Path
from typing import ClassVar

import pytest

from cleanplate.batch import storage
from cleanplate.batch.scratch import Scratch, ScratchFullError
from cleanplate.errors import InputError


def goes_through(address: str, tmp_path: Path) -> None:
    """All that batches do with a storage."""
    (tmp_path / "in" / "below").mkdir(parents=True)
    (tmp_path / "in" / "a.bin").write_bytes(b"12345")
    (tmp_path / "in" / "below" / "b.bin").write_bytes(b"678")
    at = functools.partial(storage.joined, address)
    assert not storage.exists(at("x"))
    assert storage.read_json(at("x", "none.json")) is None
    storage.publish_all(tmp_path / "in", at("x"))
    assert storage.names_below(at("x")) == {"a.bin": 5, "below/b.bin": 3}
    assert storage.size(at("x")) == 8
    assert storage.size(at("x", "a.bin")) == 5
    before = storage.identity(at("x", "a.bin"))
    assert storage.identity(at("x", "a.bin")) == before
    (tmp_path / "in" / "a.bin").write_bytes(b"123456")
    storage.publish(tmp_path / "in" / "a.bin", at("x", "a.bin"))
    assert storage.identity(at("x", "a.bin")) != before
    storage.fetch(at("x"), tmp_path / "out")
    assert (tmp_path / "out" / "a.bin").read_bytes() == b"123456"
    assert (tmp_path / "out" / "below" / "b.bin").read_bytes() == b"678"
    storage.write_json(at("x", "c.json"), {"n": 1})
    assert storage.read_json(at("x", "c.json")) == {"n": 1}
    storage.remove(at("x"))
    assert not storage.exists(at("x", "a.bin"))
    assert storage.names_below(at("x")) == {}
    storage.remove(at("x"))


def test_a_disk(tmp_path: Path) -> None:
    goes_through(str(tmp_path / "place"), tmp_path)


def test_memory(memory: str, tmp_path: Path) -> None:
    goes_through(memory, tmp_path)


def test_s3(bucket: str, tmp_path: Path) -> None:
    goes_through(bucket, tmp_path)


class Quiet(http.server.SimpleHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def log_message(self, *_: object) -> None:
        self.asked.append(f"{self.command} {self.path}")


def test_http_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"12345")
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/a.bin"
        assert storage.size(address) == 5
        storage.fetch(address, tmp_path / "fetched.bin")
        assert storage.identity(address)[1] == 5
        with pytest.raises(InputError, match="There is no file"):
            storage.identity(f"{address}x")
        server.shutdown()
    assert Quiet.asked.count("GET /a.bin") == 1, "a clip is not read to learn what it is"
    assert (tmp_path / "fetched.bin").read_bytes() == b"12345"


def test_an_unknown_storage_is_said() -> None:
    with pytest.raises(InputError, match="in no storage that is known"):
        storage.exists("nowhere://a")


def put(address: str, name: str, size: int) -> tuple[str, list[object]]:
    at = storage.joined(address, name)
    storage.write_text(at, "x" * size)
    return at, storage.identity(at)


def test_a_clip_is_fetched_once_and_room_is_made_for_the_next(memory: str, tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "scratch", limit=100)
    first, second, third = (put(memory, name, 60) for name in ("a", "b", "c"))
    with scratch.fetched(*first) as path, scratch.fetched(*first) as again:
        assert path == again
        assert path.read_text() == "x" * 60
        with pytest.raises(ScratchFullError, match="waits"), scratch.fetched(*second):
            pass
    with scratch.fetched(*second):
        assert not path.exists(), "what nobody uses made room"
    with scratch.fetched(*third) as path:
        assert not scratch.remove(), "what is in use stays"
        assert path.exists()
    assert scratch.remove()
    assert not scratch.path.exists()


def test_a_clip_larger_than_the_scratch_is_the_orders_fault(memory: str, tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "scratch", limit=100)
    with (
        pytest.raises(InputError, match="allow more with --scratch-limit"),
        scratch.fetched(*put(memory, "large", 101)),
    ):
        pass


def test_a_local_clip_is_used_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"x")
    with Scratch(tmp_path / "scratch", None).fetched(str(tmp_path / "clip.mp4"), 0) as path:
        assert path == tmp_path / "clip.mp4"
    assert not (tmp_path / "scratch").exists()
