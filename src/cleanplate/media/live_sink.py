"""Writes pictures and sound as they come: to a file, a network stream or a pipe."""

from __future__ import annotations

import contextlib
import importlib
import os
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from cleanplate.errors import MediaError, MissingDependencyError
from cleanplate.files.publish import beside_name, disk_error, is_about_the_disk
from cleanplate.media.addresses import Y4M, Address
from cleanplate.media.decode import reason
from cleanplate.media.live_source import Sound
from cleanplate.media.picture import Picture

_TICK = Fraction(1, 90000)
_PLAIN = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le")
_EARLY = 500  # packets of sound that wait for the first picture
_KEY_SECONDS = 2  # between key frames: how long somebody who joins a stream waits
# Carries the sound as it was encoded; of others it is left out, and that is said.
_SOUND = {
    "mp4": {"aac", "mp3", "ac3", "opus", "flac"},
    "mov": {"aac", "mp3", "ac3", "pcm_s16le", "pcm_s16be"},
    "mpegts": {"aac", "mp3", "ac3", "mp2"},
    "rtp_mpegts": {"aac", "mp3", "ac3", "mp2"},
    "flv": {"aac", "mp3"},
    "rtsp": {"aac", "opus"},
}


class Sink(Protocol):
    """Where a live picture goes. Used by one thread at a time."""

    notes: list[str]
    """Sentences for a person."""

    def show(self, picture: Picture) -> None:
        """Write the next picture.

        Raises:
            MediaError: the sink went away.
        """
        ...

    def play(self, sound: Sound) -> None:
        """Write a packet of sound."""
        ...

    def finish(self) -> None:
        """Write what is left, and close; a file appears under its name."""
        ...


def open_sink(address: Address, rate: Fraction, sound: av.AudioStream | None) -> Sink:
    """Prepare to write; the encoder is opened with the first picture.

    Args:
        address: where to.
        rate: frames a second, nominally.
        sound: the stream whose packets will come; None: no sound.
    """
    if address.kind == "pipe":
        return PipeSink(address, rate)
    if address.kind == "virtual":
        return VirtualCamera(address, rate)
    return EncodedSink(address, rate, sound)


class EncodedSink:
    """A file or a network stream, in H.264; sound as it was encoded."""

    def __init__(self, address: Address, rate: Fraction, sound: av.AudioStream | None) -> None:
        self.notes: list[str] = []
        self._address, self._rate, self._sound = address, rate, sound
        self._container: OutputContainer | None = None
        self._video: VideoStream | None = None
        self._audio: av.AudioStream | None = None
        self._latest_sound = -1
        self._early: list[Sound] = []
        """Sound from before the first picture."""
        self._latest = -1
        self._target = Path(address.url) if address.kind == "file" else None
        self._draft = self._target and self._target.with_name(
            beside_name(self._target.stem, f".part{self._target.suffix}")
        )

    def show(self, picture: Picture) -> None:
        """See ``Sink``."""
        try:
            if self._container is None:
                self._open(picture)
            assert self._video is not None
            assert self._container is not None
            frame = picture.frame
            if frame.format.name != self._video.pix_fmt:
                frame = frame.reformat(format=self._video.pix_fmt)
            number = max(round(picture.time / _TICK), self._latest + 1)
            frame.pts, frame.time_base, self._latest = number, _TICK, number
            frame.pict_type = 0
            self._container.mux(self._video.encode(frame))
            while self._early:
                self.play(self._early.pop(0))
        except (FFmpegError, OSError) as error:
            raise self._gone(error) from error

    def play(self, sound: Sound) -> None:
        """See ``Sink``; what comes before the first picture waits for it."""
        if self._container is None:
            if len(self._early) < _EARLY:
                self._early.append(sound)
            return
        if self._audio is None:
            return
        packet = sound.packet
        base = packet.time_base
        stamp = round(sound.time / base)
        if stamp <= self._latest_sound:  # a clock that jumped back
            return
        self._latest_sound = stamp
        packet.pts = packet.dts = stamp
        packet.stream = self._audio
        try:
            self._container.mux(packet)
        except (FFmpegError, OSError) as error:
            raise self._gone(error) from error

    def finish(self) -> None:
        """See ``Sink``."""
        container, self._container = self._container, None
        if container is None:
            return
        try:
            assert self._video is not None
            container.mux(self._video.encode(None))
            container.close()
        except (FFmpegError, OSError) as error:
            with contextlib.suppress(FFmpegError, OSError):
                container.close()
            raise self._gone(error) from error
        if self._draft is not None and self._target is not None:
            with self._draft.open("rb") as written:
                os.fsync(written.fileno())
            self._draft.replace(self._target)

    def _open(self, first: Picture) -> None:
        address = self._address
        name = first.frame.format.name
        pixel_format = name if name in _PLAIN else "yuv420p"
        options = {}
        if address.format in ("mp4", "mov"):  # playable up to the last fragment, come what may
            options["movflags"] = "frag_keyframe+empty_moov+default_base_moof"
        where = address.url if self._draft is None else str(self._draft)
        if self._draft is not None:
            self._draft.parent.mkdir(parents=True, exist_ok=True)
        container = av.open(where, "w", format=address.format, options=options)
        self._container = container
        rate = self._rate.limit_denominator(65535)
        streaming = address.kind == "stream"
        video = container.add_stream(
            "libx264",
            rate=rate,
            options={
                "preset": "superfast",
                "crf": "20" if streaming else "17",
                "tune": "zerolatency",
                "g": str(max(1, round(rate * _KEY_SECONDS))),
            },
        )
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = (
            first.frame.width & ~1 if "420" in pixel_format else first.frame.width,
            first.frame.height & ~1 if "420" in pixel_format else first.frame.height,
            pixel_format,
        )
        context = video.codec_context
        context.time_base = _TICK
        context.color_range, context.colorspace = first.frame.color_range, first.frame.colorspace
        context.color_primaries, context.color_trc = (
            first.frame.color_primaries,
            first.frame.color_trc,
        )
        self._video = video
        if self._sound is not None:
            self._add_sound(container, self._sound)

    def _add_sound(self, container: OutputContainer, sound: av.AudioStream) -> None:
        codec = sound.codec_context.name
        allowed = _SOUND.get(self._address.format or "")
        if allowed is not None and codec not in allowed:
            self.notes.append(f"The sound ({codec}) does not fit {self._address.name}: left out.")
            return
        self._audio = container.add_stream_from_template(sound)

    def _gone(self, error: Exception) -> MediaError:
        if self._target is not None and is_about_the_disk(error):
            return disk_error(self._target, error)
        return MediaError(f"{self._address.name} takes no more pictures ({reason(error)}).")


class PipeSink:
    """Samples without a codec on a pipe, at a constant rate: a picture is repeated where one is
    missing, so that the next program keeps in step."""

    def __init__(self, address: Address, rate: Fraction, out: BinaryIO | None = None) -> None:
        """``out`` stands in for standard output."""
        self.notes: list[str] = []
        self.repeated = 0
        """Pictures written once more for ones that were dropped."""
        self._address, self._rate = address, rate.limit_denominator(65535)
        self._out = out or os.fdopen(os.dup(1), "wb", buffering=0)
        self._first: tuple[int, int, str] | None = None
        self._written = 0
        self._last = b""

    def show(self, picture: Picture) -> None:
        """See ``Sink``."""
        due = max(round(picture.time * self._rate), self._written)
        samples = self._samples(picture)
        try:
            # A gap longer than a few seconds is a source that was away: the next program waits.
            for _ in range(min(due - self._written, round(5 * self._rate))):
                if self._last:
                    self._write(self._last)
                    self.repeated += 1
            self._write(samples)
        except OSError as error:
            raise MediaError(f"Nobody reads the pipe any more ({reason(error)}).") from error
        self._written, self._last = due + 1, samples

    def play(self, sound: Sound) -> None:
        """A pipe of bare pictures has no sound."""
        if not self.notes:
            self.notes.append("A pipe of bare pictures holds no sound: it is left out.")

    def finish(self) -> None:
        """See ``Sink``."""
        with contextlib.suppress(OSError):
            self._out.close()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._out.write(view) or 0 :]

    def _samples(self, picture: Picture) -> bytes:
        frame = picture.frame
        if frame.format.name not in ("yuv420p", "yuv422p", "yuv444p"):
            frame = frame.reformat(format="yuv420p")
        head = b""
        if self._address.format == Y4M:
            if self._first is None:
                form = {"yuv420p": "420mpeg2", "yuv422p": "422", "yuv444p": "444"}
                rate = f"{self._rate.numerator}:{self._rate.denominator}"
                wide = f"W{frame.width} H{frame.height} F{rate} Ip A1:1"
                self._write(f"YUV4MPEG2 {wide} C{form[frame.format.name]}\n".encode())
            head = b"FRAME\n"
        self._first = (frame.width, frame.height, frame.format.name)
        rows = []
        for plane in frame.planes:
            width = plane.width
            data, stride = memoryview(plane), plane.line_size
            rows += [data[y * stride : y * stride + width] for y in range(plane.height)]
        return head + b"".join(rows)


class VirtualCamera:
    """A camera for other programs, by pyvirtualcam: v4l2loopback on Linux, OBS's on others."""

    def __init__(self, address: Address, rate: Fraction, make: Any = None) -> None:
        """``make`` stands in for ``pyvirtualcam.Camera``.

        Raises:
            MissingDependencyError: pyvirtualcam is not installed.
        """
        self.notes: list[str] = []
        self._address, self._rate = address, rate
        self._make = make or _virtual_camera()
        self._camera: Any = None
        self._size = (0, 0)

    def show(self, picture: Picture) -> None:
        """See ``Sink``; another size begins a new camera."""
        image = picture.rgb()
        size = image.shape[1], image.shape[0]
        try:
            if self._camera is None or size != self._size:
                self.finish()
                device = self._address.url or None
                self._camera = self._make(*size, fps=float(self._rate), device=device)
                self._size = size
            self._camera.send(image)
        except RuntimeError as error:  # what pyvirtualcam raises for all that can go wrong
            raise MediaError(
                f"{self._address.name} cannot be shown to other programs ({error}); on Linux load "
                "v4l2loopback, elsewhere install OBS and start its virtual camera once."
            ) from error

    def play(self, sound: Sound) -> None:
        """A camera has no sound."""
        if not self.notes:
            self.notes.append("A virtual camera has no sound: it is left out.")

    def finish(self) -> None:
        """See ``Sink``."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()


def _virtual_camera() -> Any:
    try:
        module = importlib.import_module("pyvirtualcam")
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "A virtual camera needs pyvirtualcam, which is not installed; install it with: "
            "pip install 'cleanplate[camera]'."
        ) from error
    return module.Camera
