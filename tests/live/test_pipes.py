"""Between other programs: pipes of y4m and bare samples, network streams, ffmpeg."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
import pytest

from cleanplate.errors import MediaError, MissingDependencyError
from cleanplate.media.addresses import sink_address, source_address
from cleanplate.media.live_sink import PipeSink, VirtualCamera, open_sink
from cleanplate.media.live_source import LiveSource
from cleanplate.media.picture import Picture
from cleanplate.media.read import open_clip
from tests.live import scenes

PROGRAM = [sys.executable, "-c", "from cleanplate.cli import main; main()"]
WITH_PATH = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
BOX = ["--box", "70,50,114,78"]
FFMPEG = shutil.which("ffmpeg")


def live(*arguments: str, **how: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*PROGRAM, "live", *arguments],
        env=WITH_PATH,
        capture_output=True,
        timeout=60,
        check=False,
        **how,  # type: ignore[call-overload]
    )


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return scenes.write(tmp_path / "in.mkv", scenes.compose(16)[0])


def pictures(data: bytes, **how: object) -> list[np.ndarray]:
    with av.open(io.BytesIO(data), **how) as container:  # type: ignore[arg-type]
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_y4m_goes_in_and_out_of_pipes(clip: Path) -> None:
    first = live(str(clip), "-", "--every-frame", *BOX)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith(b"YUV4MPEG2 W192 H128 F25:1")
    assert not any(scenes.is_shown(image, (70, 50)) for image in pictures(first.stdout))
    box = ["--box", "10,10,50,40", "--stats", "json"]
    second = live("-", "-", "--every-frame", *box, input=first.stdout)
    assert second.returncode == 0, second.stderr
    assert len(pictures(second.stdout)) == 16
    said = [line for line in second.stderr.decode().splitlines() if line.startswith("{")]
    assert json.loads(said[-1])["frames_out"] == 16


def test_bare_samples_go_in_with_their_size_and_out(clip: Path) -> None:
    samples = b"".join(
        frame.reformat(format="yuv420p").to_ndarray().tobytes()
        for frame in av.open(str(clip)).decode(video=0)
    )
    raw = ["--input-format", "rawvideo", "--output-format", "rawvideo", "--every-frame"]
    done = live("-", "-", "--input-size", "192x128", *raw, *BOX, input=samples)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == len(samples)
    how = {"format": "rawvideo", "options": {"video_size": "192x128", "pixel_format": "yuv420p"}}
    assert not any(scenes.is_shown(image, (70, 50)) for image in pictures(done.stdout, **how))
    lacking = live("-", "-", *raw, input=samples)
    assert lacking.returncode == 2
    assert b"add --input-size WxH" in lacking.stderr


def test_a_pipe_repeats_the_picture_where_frames_were_dropped(clip: Path) -> None:
    out = io.BytesIO()
    sink = PipeSink(sink_address("-", "rawvideo"), scenes.RATE, out)  # type: ignore[arg-type]
    for event in LiveSource(source_address(str(clip))).events():
        if isinstance(event, Picture) and event.index not in (3, 4, 9):
            sink.show(event)
    assert sink.repeated == 3
    assert len(out.getvalue()) == 16 * 192 * 128 * 3 // 2


def test_a_network_sink_sends_what_a_network_source_reads(clip: Path) -> None:
    received = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def receive() -> None:
            connection, _ = server.accept()
            with connection:
                while part := connection.recv(1 << 16):
                    received.extend(part)

        receiver = threading.Thread(target=receive)
        receiver.start()
        sink = open_sink(
            sink_address(f"tcp://127.0.0.1:{server.getsockname()[1]}"), scenes.RATE, None
        )
        for event in LiveSource(source_address(str(clip))).events():
            assert isinstance(event, Picture)
            sink.show(event)
        sink.finish()
        receiver.join(10)
    assert len(pictures(bytes(received))) == 16


@pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed")
def test_it_stands_between_two_ffmpegs(clip: Path, tmp_path: Path) -> None:
    """The example of docs/live.md."""
    out = tmp_path / "out.mkv"
    cleanplate = " ".join(f"'{word}'" for word in [*PROGRAM, "live"])
    line = (
        f"ffmpeg -v error -i {clip} -f yuv4mpegpipe - | {cleanplate} - - --every-frame "
        f"{' '.join(BOX)} | ffmpeg -v error -f yuv4mpegpipe -i - -c:v ffv1 {out}"
    )
    subprocess.run(["bash", "-o", "pipefail", "-c", line], env=WITH_PATH, check=True, timeout=60)
    assert len(scenes.read(out)) == 16
    assert not any(scenes.is_shown(image, (70, 50)) for image in scenes.read(out))


@pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed")
def test_ffmpeg_receives_what_is_sent_to_it(clip: Path, tmp_path: Path) -> None:
    """The example of docs/live.md: ffmpeg listens on the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    out = tmp_path / "out.mkv"
    url = f"tcp://127.0.0.1:{port}"
    listener = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-f", "mpegts", "-i", f"{url}?listen", "-c", "copy", str(out)]
    )
    done = live(str(clip), url, "--loops", "3", *BOX)
    assert done.returncode == 0, done.stderr
    assert listener.wait(20) == 0
    assert len(scenes.read(out)) > 16


class Shown:
    """Stands for pyvirtualcam's camera."""

    opened: ClassVar[list[tuple[int, int, float, str | None]]] = []

    def __init__(self, width: int, height: int, fps: float, device: str | None) -> None:
        if width > 100:
            raise RuntimeError("no device")
        self.opened.append((width, height, fps, device))
        self.images: list[np.ndarray] = []
        self.closed = False

    def send(self, image: np.ndarray) -> None:
        self.images.append(image)

    def close(self) -> None:
        self.closed = True


def test_other_programs_see_a_camera(tmp_path: Path) -> None:
    Shown.opened.clear()
    narrow, wide, large = (
        write_clip_of(tmp_path / f"{width}.mkv", width) for width in (64, 80, 200)
    )
    sink = VirtualCamera(sink_address("virtual-camera:/dev/video9"), Fraction(25), Shown)
    with open_clip(narrow) as clip:
        for picture in clip.pictures():
            sink.show(picture)
    first = sink._camera
    assert [image.shape for image in first.images] == [(48, 64, 3)] * 2
    with open_clip(wide) as clip:
        sink.show(next(iter(clip.pictures())))
    assert first.closed
    assert Shown.opened == [(64, 48, 25.0, "/dev/video9"), (80, 48, 25.0, "/dev/video9")]
    last = sink._camera
    sink.finish()
    assert last.closed
    with open_clip(large) as clip, pytest.raises(MediaError, match="v4l2loopback"):
        sink.show(next(iter(clip.pictures())))


def write_clip_of(path: Path, width: int) -> Path:
    return scenes.write(path, [np.full((48, width, 3), 90, np.uint8)] * 2)


def test_without_the_extra_a_virtual_camera_says_how_to_get_it() -> None:
    with pytest.raises(MissingDependencyError, match=r"cleanplate\[camera\]"):
        open_sink(sink_address("virtual-camera"), Fraction(25), None)
