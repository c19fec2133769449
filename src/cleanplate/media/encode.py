"""Encodes a run of pictures on its own: a piece, from which, with others, a clip is assembled.

A piece is a Matroska file with one video stream that depends on nothing outside it. The encoder
sees frames at an even rate; the file holds the source's own timestamps, one tick of the source's
time base as one millisecond, counted from the piece's first picture. So no encoder's or
container's idea of time can bend them. It appears under its name when whole.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from cleanplate.errors import MediaError
from cleanplate.files.publish import publishing
from cleanplate.media.codecs import EncoderChoice
from cleanplate.media.colour import UNSAID, effective_matrix
from cleanplate.media.decode import reason
from cleanplate.media.fields import FieldMarker
from cleanplate.media.layout import component_views, find_layout
from cleanplate.media.picture import Picture
from cleanplate.types import VideoInfo

TICK = Fraction(1, 1000)  # the unit of Matroska's timestamps
MARGIN = 1000  # ticks before the first picture, room for decoding timestamps
FIRST_PTS = "CLEANPLATE_FIRST_PTS"
FIRST_INDEX = "CLEANPLATE_FIRST_INDEX"
_FIELD_ORDER = {"top first": 2, "bottom first": 3, "progressive": 1}


@dataclass(frozen=True, slots=True)
class PieceInfo:
    """A finished piece."""

    path: Path
    count: int
    first_index: int
    first_time: Fraction
    last_time: Fraction


def encode_piece(
    pictures: Iterable[Picture], path: Path, info: VideoInfo, choice: EncoderChoice
) -> PieceInfo:
    """Encode ``pictures``, consecutive ones of the clip that ``info`` describes, into ``path``.

    The file appears whole or not at all.

    Raises:
        MediaError: the encoder refuses, or there are no pictures.
    """
    try:
        with (
            publishing(path) as draft,
            contextlib.closing(_Writer(draft, info, choice)) as writer,
        ):
            for picture in pictures:
                writer.write(picture)
            return writer.finish(path)
    except (FFmpegError, OSError) as error:
        raise MediaError(f"{choice.encoder} cannot write {path.name}: {reason(error)}.") from error


class _Writer:
    def __init__(self, path: Path, info: VideoInfo, choice: EncoderChoice) -> None:
        self._path, self._info, self._choice = path, info, choice
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._pts: list[int] = []
        self._durations: list[int] = []
        self._first: Picture | None = None
        self._last: Picture | None = None
        self._written = 0
        self._depth = 0
        interlaced = info.field_order in ("top first", "bottom first")
        self._fields = FieldMarker(info.field_order) if interlaced else None

    def write(self, picture: Picture) -> None:
        if self._first is None:
            self._first = picture
            self._open(picture)
        elif self._last is not None and picture.time <= self._last.time:
            raise MediaError(
                f"Frame {picture.index} at {picture.time} s does not come after the frame before "
                f"it, at {self._last.time} s."
            )
        time_base = self._info.time_base
        number = len(self._pts)
        self._pts.append(round((picture.time - self._first.time) / time_base) + MARGIN)
        self._durations.append(round((picture.duration or 0) / time_base))
        frame = to_format(picture.frame, self._choice.pixel_format, self._info)
        frame.time_base = self._encoder_time_base()
        frame.pts = number
        if self._fields is not None:
            frame = self._fields.mark(frame)
            frame.time_base = self._encoder_time_base()
            frame.pts = number
        frame.pict_type = 0  # the source's choice of I, P and B would be taken as an order
        self._last = picture
        assert self._stream is not None
        self._mux(self._stream.encode(frame))

    def finish(self, path: Path) -> PieceInfo:
        if self._first is None or self._last is None:
            raise MediaError(f"There are no pictures for {path.name}.")
        assert self._stream is not None
        self._mux(self._stream.encode(None))
        if self._written != len(self._pts):
            raise MediaError(
                f"{self._choice.encoder} took {len(self._pts)} frames and gave {self._written}; "
                "choose another --codec."
            )
        first, last = self._first, self._last
        return PieceInfo(path, len(self._pts), first.index, first.time, last.time)

    def close(self) -> None:
        if self._container is not None:
            self._container.close()

    def _mux(self, packets: list[av.Packet]) -> None:
        assert self._container is not None
        for packet in packets:
            assert packet.pts is not None
            number = packet.pts
            if self._written == 0:
                self._depth = max(0, -(packet.dts or 0))
            before = self._written - self._depth
            packet.dts = self._pts[before] if before >= 0 else MARGIN + before
            packet.pts = self._pts[number]
            packet.duration = self._durations[number]
            packet.time_base = TICK
            self._container.mux_one(packet)
            self._written += 1

    def _encoder_time_base(self) -> Fraction:
        return 1 / nominal_rate(self._info)

    def _open(self, first: Picture) -> None:
        info, choice = self._info, self._choice
        container = av.open(
            str(self._path),
            "w",
            format="matroska",
            container_options={"write_crc32": "0", "avoid_negative_ts": "disabled"},
        )
        self._container = container
        container.metadata[FIRST_PTS] = str(round(first.time / info.time_base))
        container.metadata[FIRST_INDEX] = str(first.index)
        stream = container.add_stream(
            choice.encoder, rate=nominal_rate(info), options=dict(choice.options)
        )
        assert isinstance(stream, VideoStream)
        self._stream = stream
        context = stream.codec_context
        context.width, context.height = first.frame.width, first.frame.height
        context.pix_fmt = choice.pixel_format
        context.time_base = self._encoder_time_base()
        context.sample_aspect_ratio = info.sample_aspect_ratio
        context.color_range, context.colorspace = written_color(info, choice.pixel_format)
        context.color_primaries = info.primaries
        context.color_trc = info.transfer
        context.thread_count = 0
        if choice.encoder == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # it writes to the terminal by itself
        if choice.encoder == "mpeg4":
            context.qscale = True
            context.global_quality = (choice.quality or 1) * 118  # FF_QP2LAMBDA
        if info.field_order in ("top first", "bottom first"):
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
            context.field_order = _FIELD_ORDER[info.field_order]


def nominal_rate(info: VideoInfo) -> Fraction:
    """A rate that every encoder takes, for its decisions on quality only."""
    rate = info.average_rate or Fraction(24)
    return min(max(rate, Fraction(1)), Fraction(240)).limit_denominator(65535)


def written_color(info: VideoInfo, pixel_format: str) -> tuple[int, int]:
    """Range and matrix codes of the result: the source's, unless RGB becomes luma and chroma."""
    old, new = find_layout(info.pixel_format), find_layout(pixel_format)
    if old is None or new is None or old.is_rgb == new.is_rgb:
        return info.color_range, info.matrix
    return (2, 0) if new.is_rgb else (1, effective_matrix(UNSAID, info.coded_height))


def _convert(frame: av.VideoFrame, name: str, info: VideoInfo) -> av.VideoFrame:
    """To a format that holds the samples less well; the choice's notes say so."""
    color_range, matrix = written_color(info, name)
    range_before = "JPEG" if info.full_range else "MPEG"
    range_after = {1: "MPEG", 2: "JPEG"}.get(color_range, range_before)
    before, after = (
        _SWSCALE_MATRIX[effective_matrix(code, info.coded_height)] for code in (info.matrix, matrix)
    )
    converted = frame.reformat(
        format=name,
        src_colorspace=before,
        dst_colorspace=after,
        src_color_range=range_before,
        dst_color_range=range_after,
        interpolation="BICUBIC",
    )
    converted.color_range, converted.colorspace = color_range, matrix
    return converted


_SWSCALE_MATRIX = {
    1: "ITU709",
    4: "FCC",
    5: "ITU601",
    6: "ITU601",
    7: "SMPTE240M",
    8: "ITU709",
    9: "BT2020",
    10: "BT2020",
}


def to_format(frame: av.VideoFrame, name: str, info: VideoInfo) -> av.VideoFrame:
    """``frame`` in the pixel format ``name``: sample by sample where both hold the same."""
    if frame.format.name == name:
        return frame
    old, new = find_layout(frame.format.name), find_layout(name)
    same = (
        old is not None
        and new is not None
        and old.bits == new.bits
        and {(c.role, c.x_shift, c.y_shift) for c in old.components}
        == {(c.role, c.x_shift, c.y_shift) for c in new.components}
    )
    if not same:
        return _convert(frame, name, info)
    assert old is not None
    assert new is not None
    made = av.VideoFrame(frame.width, frame.height, name)
    source, target = component_views(frame, old), component_views(made, new)
    shifts = {c.role: c.shift for c in old.components}
    for c in new.components:
        target[c.role][...] = (source[c.role] >> shifts[c.role]) << c.shift
    for tag in ("colorspace", "color_range", "color_trc", "color_primaries"):
        setattr(made, tag, getattr(frame, tag))
    return made
