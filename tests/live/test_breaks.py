"""Streams break, sinks stall, clocks jump: what comes out goes on, and the counts add up."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from cleanplate.errors import InputError, MediaError
from cleanplate.live.line import Line, LiveOrder
from cleanplate.media.addresses import Address, sink_address, source_address
from cleanplate.media.live_sink import open_sink
from cleanplate.media.live_source import LiveSource, Sound, Timeline
from cleanplate.media.picture import Picture
from cleanplate.settings.groups import settings_from
from tests.live import scenes
from tests.live.test_line import check_counts, play, sign_prompt


def as_stream(images: list[np.ndarray], path: Path) -> bytes:
    """The images as an MPEG transport stream."""
    source = scenes.write(path.with_suffix(".mkv"), images)
    sink = open_sink(sink_address(str(path)), scenes.RATE, None)
    for event in LiveSource(source_address(str(source))).events():
        assert isinstance(event, Picture)
        sink.show(event)
    sink.finish()
    return path.read_bytes()


class Broadcaster:
    """Sends each of ``parts`` to whoever connects, one connection a part, and hangs up."""

    def __init__(self, parts: list[bytes]) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._send, args=(parts,), daemon=True).start()

    def _send(self, parts: list[bytes]) -> None:
        for part in parts:
            connection, _ = self._listening.accept()
            with connection:
                connection.sendall(part)
        self._listening.close()


def test_a_stream_that_breaks_off_is_opened_again_and_its_clock_joined(tmp_path: Path) -> None:
    part = as_stream(scenes.compose(20)[0], tmp_path / "part.ts")
    sender = Broadcaster([part, part[: len(part) // 2], part])
    source = LiveSource(source_address(sender.url), patience=2.0)
    pictures = [event for event in source.events() if isinstance(event, Picture)]
    assert 45 <= len(pictures) <= 60
    times = [picture.time for picture in pictures]
    assert all(before < after for before, after in itertools.pairwise(times))
    assert source.mishaps.reconnects >= 2
    assert "did not come back within 2 s" in source.mishaps.notes[-1]


def test_a_stream_that_nobody_sends_is_given_up_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    source = LiveSource(source_address(f"tcp://127.0.0.1:{port}"), patience=0.3)
    with pytest.raises(MediaError, match=r"tcp://127.0.0.1:\d+ cannot be read .*it is sending"):
        list(source.events())


def test_a_clock_that_jumps_back_or_leaps_ahead_is_joined() -> None:
    timeline, stamps = Timeline(), [100, 101, 102, 7, 8, 5000, 5001]
    times = [timeline.at(Fraction(stamp, 25), now / 25) for now, stamp in enumerate(stamps)]
    assert times == [Fraction(n, 25) for n in range(7)]


def test_a_gap_that_really_passed_stays_a_gap() -> None:
    timeline = Timeline()
    timeline.at(Fraction(0), 0.0)
    timeline.at(Fraction(1, 25), 0.04)
    assert timeline.at(Fraction(0), 6.04) == pytest.approx(6.04, abs=0.01)


def test_a_picture_that_changes_its_size_is_shown_in_the_first_size(tmp_path: Path) -> None:
    images = scenes.compose(16)[0]
    small = [cv2.resize(image, (96, 64), interpolation=cv2.INTER_AREA) for image in images]
    both = as_stream(images, tmp_path / "a.ts") + as_stream(small, tmp_path / "b.ts")
    path = tmp_path / "both.ts"
    path.write_bytes(both)
    summary = play(path, tmp_path / "out.mkv", sign_prompt())
    check_counts(summary)
    assert summary["resized"] == 1
    assert any("192x128 to 96x64" in note for note in summary["notes"])
    shown = scenes.read(tmp_path / "out.mkv")
    assert {image.shape for image in shown} == {(128, 192, 3)}
    assert not any(scenes.is_shown(image, (70, 50)) for image in shown)


class StallingSink:
    """Takes a few pictures and then one in half a second."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.shown = 0

    def show(self, picture: Picture) -> None:
        self.shown += 1
        if self.shown > 5:
            time.sleep(0.3)

    def play(self, sound: Sound) -> None:
        pass

    def finish(self) -> None:
        pass


def test_a_sink_that_stalls_costs_frames_and_no_delay(tmp_path: Path) -> None:
    source = scenes.write(tmp_path / "in.mkv", scenes.compose(60)[0])
    sink = StallingSink()
    order = LiveOrder(
        LiveSource(source_address(str(source))),
        lambda _: sink,
        (sign_prompt(),),
        settings_from({"inpainter": "plate"}),
    )
    begun = time.monotonic()
    summary = Line(order).run()
    check_counts(summary)
    assert summary["dropped_because"]["the sink stalled"] > 20
    assert time.monotonic() - begun < 8  # the clip lasts 2.4 s


class LeavingSink(StallingSink):
    """Goes away after some pictures, once."""

    gone = 0

    def show(self, picture: Picture) -> None:
        self.shown += 1
        if self.shown == 10 and not LeavingSink.gone:
            LeavingSink.gone += 1
            raise MediaError("The peer hung up.")


def test_a_network_sink_that_goes_away_is_opened_again(tmp_path: Path) -> None:
    source = scenes.write(tmp_path / "in.mkv", scenes.compose(60)[0])
    sinks: list[LeavingSink] = []

    def make(_: LiveSource) -> LeavingSink:
        sinks.append(LeavingSink())
        return sinks[-1]

    order = LiveOrder(
        LiveSource(source_address(str(source))),
        make,
        settings=settings_from({"inpainter": "telea"}),
        sink_may_return=True,
    )
    summary = Line(order).run()
    check_counts(summary)
    assert len(sinks) == 2
    assert sinks[1].shown > 10
    assert any("opened again" in note for note in summary["notes"])


def test_a_file_that_cannot_be_written_ends_it_in_a_sentence(tmp_path: Path) -> None:
    source = scenes.write(tmp_path / "in.mkv", scenes.compose(20)[0])
    (tmp_path / "file").write_text("no folder")
    with pytest.raises((MediaError, OSError)):
        play(source, tmp_path / "file" / "out.mkv")


def test_ctrl_c_leaves_a_playable_file(tmp_path: Path) -> None:
    source = scenes.write(tmp_path / "in.mkv", scenes.compose(50)[0], sound=True)
    out = tmp_path / "out.mp4"
    command = [sys.executable, "-c", "from cleanplate.cli import main; main()", "live"]
    process = subprocess.Popen(
        [*command, str(source), str(out), "--loops", "0", "--box", "70,50,114,78", "--stats"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    part = out.with_name(".out.part.mp4")
    until = time.monotonic() + 20
    while time.monotonic() < until and not (part.exists() and part.stat().st_size > 5_000):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, complaints = process.communicate(timeout=20)
    assert process.returncode == 0, complaints
    assert "frames" in said
    assert len(scenes.read(out)) > 3
    assert not part.exists()


def test_hundreds_of_frames_with_faults_take_no_more_memory(tmp_path: Path) -> None:
    """Cuts, a target that comes and goes, two sizes, a clock that begins again every 40 frames."""
    psutil_like = Path("/proc/self/statm")
    if not psutil_like.exists():
        pytest.skip("This system does not say how much memory a process holds")

    def place(n: int) -> tuple[int, int] | None:
        return None if 10 <= n % 40 < 15 else (40 + n % 40, 50)

    images = scenes.compose(40, place, seed=lambda n: n // 20)[0]
    small = [cv2.resize(image, (96, 64), interpolation=cv2.INTER_AREA) for image in images[:12]]
    both = as_stream(images, tmp_path / "a.ts") + as_stream(small, tmp_path / "b.ts")
    path = tmp_path / "both.ts"
    path.write_bytes(both)
    source = LiveSource(source_address(str(path)), loops=0)
    held: list[int] = []
    order = LiveOrder(
        source,
        None,
        (sign_prompt((40, 50)),),
        settings_from({"inpainter": "plate"}),
        latency=None,
        stop_after=260,
    )
    line = Line(order)

    def watch(picture: Any) -> None:
        if picture.index % 20 == 0:
            gc.collect()
            held.append(int(psutil_like.read_text().split()[1]))

    line.watchers.append(watch)
    summary = line.run()
    check_counts(summary)
    assert summary["frames_out"] == 260
    assert max(held[7:]) <= 1.03 * max(held[3:7])


def test_what_is_no_source_or_sink_is_said_with_what_is() -> None:
    with pytest.raises(InputError, match=r"gopher://x/y cannot be a source; give a URL of rtsp"):
        source_address("gopher://x/y")
    with pytest.raises(InputError, match="There is no file or folder nowhere"):
        source_address("nowhere")
    with pytest.raises(InputError, match=r"out\.gif does not end as"):
        sink_address("out.gif")
    assert source_address("rtsp://me:secret@camera/1").name == "rtsp://camera/1"
    assert isinstance(source_address("udp://127.0.0.1:5000"), Address)
    assert av.formats_available
