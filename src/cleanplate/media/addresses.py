"""What a user may name as the source or the sink of a live picture, and how FFmpeg is told of it.

Nothing is opened but what was named: each kind lists the protocols that FFmpeg may use for it, so
that a playlist cannot lead from one to another.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av

from cleanplate.errors import InputError

Kind = Literal["file", "folder", "camera", "pipe", "stream", "virtual"]

PIPE = "-"
VIRTUAL = "virtual-camera"
"""A camera that this program is, for others: the sink of a call."""
Y4M, RAW = "y4m", "rawvideo"
_TCP = "tcp,tls,crypto"
_READ_BY = {  # scheme of a source: the protocols that it needs
    "rtsp": f"rtsp,rtp,udp,{_TCP}",
    "rtsps": f"rtsps,rtsp,rtp,udp,{_TCP}",
    "rtmp": f"rtmp,{_TCP}",
    "udp": "udp",
    "rtp": "rtp,udp",
    "srt": "srt,udp",
    "tcp": _TCP,
    "http": f"http,{_TCP}",
    "https": f"https,http,{_TCP}",
}
_WRITTEN_AS = {  # scheme of a sink: FFmpeg's name of the format
    **dict.fromkeys(("udp", "srt", "tcp", "http", "https"), "mpegts"),
    "rtp": "rtp_mpegts",
    "rtmp": "flv",
    "rtsp": "rtsp",
}
_FILES = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".ts": "mpegts"}
_WAIT = 5_000_000  # microseconds that FFmpeg waits for a peer


@dataclass(frozen=True, slots=True)
class RawPictures:
    """How bare samples in a pipe are to be read; the pipe does not say."""

    size: tuple[int, int] | None = None
    """(width, height) in px."""
    pixel_format: str = "yuv420p"
    """FFmpeg's name."""
    rate: Fraction = Fraction(25)
    """Frames a second."""


@dataclass(frozen=True, slots=True)
class Address:
    """One end of a live picture."""

    name: str
    """As typed, without a password, for messages."""
    kind: Kind
    url: str
    """As FFmpeg opens it."""
    format: str | None = None
    """FFmpeg's name of the format; None: it finds out."""
    options: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def plays_by_itself(self) -> bool:
        """Whether pictures arrive when they arrive; a file's are given out at their times."""
        return self.kind in ("camera", "stream", "pipe")

    @property
    def may_return(self) -> bool:
        """Whether it is worth opening again after it broke off."""
        return self.kind in ("camera", "stream")


def source_address(text: str, raw: RawPictures | None = None) -> Address:
    """The source that ``text`` names.

    Args:
        text: a file, a folder of images, ``camera:N``, ``-`` or a URL.
        raw: how to read bare samples from a pipe; None: the pipe holds y4m or a container.

    Raises:
        InputError: it names nothing that can be opened.
    """
    if text == PIPE:
        return Address(
            "the pipe",
            "pipe",
            "pipe:0",
            *_raw(raw),
        )
    if text.startswith("camera:"):
        return _camera(text)
    scheme = _scheme(text)
    if scheme:
        if scheme not in _READ_BY:
            raise InputError(
                f"{_bare(text)} cannot be a source; give a URL of {', '.join(_READ_BY)}."
            )
        options = {"protocol_whitelist": _READ_BY[scheme]}
        if scheme in ("rtsp", "http", "https", "tcp", "udp"):
            options["timeout"] = str(_WAIT)
        return Address(_bare(text), "stream", text, None, options)
    path = Path(text)
    if path.is_dir():
        return Address(text, "folder", text)
    if not path.exists():
        raise InputError(
            f"There is no file or folder {text}; give one, camera:0, a URL such as "
            "rtsp://HOST/PATH, or - for a pipe."
        )
    return Address(text, "file", str(path.resolve()), None, {"protocol_whitelist": "file"})


def sink_address(text: str, pipe_format: str = Y4M) -> Address:
    """The sink that ``text`` names.

    Args:
        text: a file, ``-``, a URL, ``virtual-camera`` or ``virtual-camera:DEVICE``.
        pipe_format: ``y4m`` or ``rawvideo``, for a pipe.

    Raises:
        InputError: it names nothing that can be written.
    """
    if text == PIPE:
        if pipe_format not in (Y4M, RAW):
            raise InputError(f"A pipe is written as {Y4M} or {RAW}, not as {pipe_format}.")
        return Address("the pipe", "pipe", "pipe:1", pipe_format)
    name, _, device = text.partition(":")
    if name == VIRTUAL:
        return Address(text, "virtual", device)
    scheme = _scheme(text)
    if scheme:
        if scheme not in _WRITTEN_AS:
            raise InputError(
                f"{_bare(text)} cannot be a sink; give a URL of {', '.join(_WRITTEN_AS)}."
            )
        return Address(_bare(text), "stream", text, _WRITTEN_AS[scheme])
    suffix = Path(text).suffix.lower()
    if suffix not in _FILES:
        raise InputError(
            f"{text} does not end as a live picture can be written; end it in "
            f"{', '.join(_FILES)}, or give a URL, {VIRTUAL}, or - for a pipe."
        )
    return Address(text, "file", text, _FILES[suffix])


def _raw(raw: RawPictures | None) -> tuple[str | None, dict[str, str]]:
    if raw is None:
        return None, {}
    if raw.size is None:
        raise InputError("Bare samples do not say how large a picture is; add --input-size WxH.")
    width, height = raw.size
    return "rawvideo", {
        "video_size": f"{width}x{height}",
        "pixel_format": raw.pixel_format,
        "framerate": str(raw.rate),
    }


def _camera(text: str) -> Address:
    number = text.removeprefix("camera:")
    if sys.platform == "darwin":
        return _device(text, "avfoundation", number)
    if sys.platform == "win32":
        return _device(text, "dshow", f"video={number}")
    if number.isdecimal():
        number = f"/dev/video{number}"
    if not Path(number).exists():
        raise InputError(f"There is no camera {text} ({number} is not here); plug it in.")
    return _device(text, "video4linux2,v4l2", number)


def _device(text: str, driver: str, url: str) -> Address:
    known = {name for listed in av.formats_available for name in listed.split(",")}
    if not known.intersection(driver.split(",")):
        raise InputError(
            f"The bundled FFmpeg knows no cameras on this system ({driver} is missing); let ffmpeg "
            "read the camera and give - as the source."
        )
    return Address(text, "camera", url, driver.split(",")[-1])


def _scheme(text: str) -> str:
    scheme, mark, _ = text.partition("://")
    return scheme.lower() if mark else ""


def _bare(url: str) -> str:
    """``url`` without a user's name and password."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
