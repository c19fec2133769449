"""What a live picture can be told while it plays, over HTTP and over a socket."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("starlette")
import httpx

from cleanplate.live.control import Control, listening
from cleanplate.live.line import Line, LiveOrder
from cleanplate.live.screen import Screen
from cleanplate.live.server import serving
from cleanplate.media.addresses import source_address
from cleanplate.media.live_source import LiveSource
from cleanplate.settings.groups import settings_from
from tests.live import scenes

SIGN_BOX = [70, 50, 114, 78]


@pytest.fixture
def playing(tmp_path: Path) -> Iterator[tuple[Line, Control, str]]:
    """A live picture that plays without end, with its page."""
    source = scenes.write(tmp_path / "in.mkv", scenes.compose(50)[0])
    order = LiveOrder(
        LiveSource(source_address(str(source)), loops=0),
        None,
        settings=settings_from({"inpainter": "plate"}),
    )
    line = Line(order)
    control = Control(line)
    screen = Screen(control)
    line.watchers.append(screen.watch)
    thread = threading.Thread(target=line.run, daemon=True)
    with serving(control, screen, "127.0.0.1", 0, browse=False) as address:
        thread.start()
        until = time.monotonic() + 10
        while line.latest < 2 and time.monotonic() < until:
            time.sleep(0.02)
        yield line, control, address
        line.stop()
        thread.join(5)


def shown(address: str) -> np.ndarray:
    """The picture that the page shows now, BGR."""
    answer = httpx.get(f"{address}frame?after=-1")
    assert answer.headers["content-type"] == "image/jpeg"
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def tell(address: str, **message: Any) -> dict[str, Any]:
    return httpx.post(f"{address}message", json=message, timeout=20).json()


def wait_for(condition: Any) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_box_in_the_page_is_gone_while_the_picture_goes_on(
    playing: tuple[Line, Control, str],
) -> None:
    line, _, address = playing
    tell(address, do="show", mask=False)
    assert scenes.is_shown(shown(address)[..., ::-1], (70, 50))
    before = line.latest
    answer = tell(address, do="add", box=SIGN_BOX)
    assert answer["ok"], answer
    assert answer["object"] == 1
    assert wait_for(lambda: not scenes.is_shown(shown(address)[..., ::-1], (70, 50)))
    assert line.latest > before


def test_several_targets_are_listed_and_one_is_dropped(
    playing: tuple[Line, Control, str],
) -> None:
    _, _, address = playing
    assert tell(address, do="add", box=SIGN_BOX)["object"] == 1
    assert tell(address, do="add", box=[10, 10, 50, 40])["object"] == 2
    assert tell(address, do="drop", object=1)["ok"]
    status = tell(address, do="status")
    assert [target["object"] for target in status["objects"]] == [2]
    assert status["stats"]["frames_in"] > 0
    refused = tell(address, do="drop", object=9)
    assert refused == {"ok": False, "error": "There is no object 9; those followed: 2."}


def test_a_click_into_a_frame_that_passed_is_followed_to_the_one_shown_now(
    playing: tuple[Line, Control, str],
) -> None:
    line, control, _ = playing
    answer = control.answer({"do": "add", "box": SIGN_BOX, "frame": line.latest - 2})
    assert answer["ok"], answer
    gone = control.answer({"do": "add", "box": SIGN_BOX, "frame": 10**6})
    assert "is not kept any more" in gone["error"]


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ([], "A message is a JSON object"),
        ({"do": "dance"}, "There is no message 'dance'; there are: add, drop"),
        ({"do": "add"}, 'add needs "point"'),
        ({"do": "add", "box": [1, 2, 3]}, "is not 4 numbers"),
        ({"do": "add", "point": [1, "x"]}, "is not 2 numbers"),
        ({"do": "add", "point": [1000, 5]}, "Point 1000,5 is outside the picture of 192x128"),
        ({"do": "drop"}, "drop needs an object"),
        ({"do": "show"}, "show needs true or false"),
    ],
)
def test_what_cannot_be_understood_is_said_in_a_sentence(
    playing: tuple[Line, Control, str], message: Any, sentence: str
) -> None:
    answer = playing[1].answer(message)
    assert not answer["ok"]
    assert sentence in answer["error"]


def test_the_page_is_behind_the_guard_and_brings_its_own_files(
    playing: tuple[Line, Control, str],
) -> None:
    address = playing[2]
    for path in ("", "live.js", "live.css"):
        assert httpx.get(address + path).status_code == 200
    assert httpx.get(address, headers={"Host": "evil.example"}).status_code == 403
    crossed = httpx.post(
        f"{address}message", json={"do": "stop"}, headers={"Origin": "http://evil.example"}
    )
    assert crossed.status_code == 403


def test_the_stream_is_motion_jpeg(playing: tuple[Line, Control, str]) -> None:
    with httpx.stream("GET", f"{playing[2]}stream.mjpeg") as answer:
        assert "multipart/x-mixed-replace" in answer.headers["content-type"]
        data = b""
        for part in answer.iter_bytes():
            data += part
            if data.count(b"--frame") > 2:
                break
    assert data.count(b"\xff\xd8\xff") >= 2


def test_messages_on_the_control_socket_are_answered_line_by_line(
    playing: tuple[Line, Control, str], tmp_path: Path
) -> None:
    path = tmp_path / "control"
    with listening(playing[1], path):
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            lines = connection.makefile("rwb")
            for message in ({"do": "add", "box": SIGN_BOX}, {"do": "status"}):
                lines.write(json.dumps(message).encode() + b"\n")
                lines.flush()
                assert json.loads(lines.readline())["ok"]
            lines.write(b"GET / HTTP/1.1\n")
            lines.flush()
            assert "no JSON" in json.loads(lines.readline())["error"]
    assert not path.exists()
