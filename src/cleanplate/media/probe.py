"""Finds out what is in a file, without changing anything and without guessing."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from cleanplate.errors import MediaError
from cleanplate.media.decode import Damage, decode_file, video_streams
from cleanplate.media.fields import first_field
from cleanplate.media.layout import find_layout
from cleanplate.media.orientation import Orientation, read_orientation
from cleanplate.media.picture import is_full_range
from cleanplate.media.side_data import side_data
from cleanplate.media.timecode import find_tag
from cleanplate.types import Chapter, StreamInfo, VideoInfo

# Matroska's ChromaSitingHorz and ChromaSitingVert, and what their values mean together.
_SITING = (b"\x55\xb7", b"\x55\xb8")
_CHROMA_LOCATIONS = {
    (1, 2): "left",
    (2, 2): "center",
    (1, 1): "topleft",
    (2, 1): "top",
    (1, 3): "bottomleft",
    (2, 3): "bottom",
}
_FIELD_ORDERS = {
    0: "unsaid",
    1: "progressive",
    2: "top first",
    3: "bottom first",
    4: "top first",
    5: "bottom first",
}
_DYNAMIC_HDR = {
    SideDataType.DYNAMIC_HDR_PLUS: "HDR10+",
    SideDataType.DYNAMIC_HDR_VIVID: "HDR Vivid",
    SideDataType.DOVI_METADATA: "Dolby Vision",
    SideDataType.DOVI_RPU_BUFFER: "Dolby Vision",
}


def probe_file(path: Path, number: int | None = None) -> VideoInfo:
    """What is in the video file ``path``; ``number``: of the video stream that is wanted.

    Raises:
        InputError: there is no such file, or no such video stream in it.
        MediaError: it has no video that can be decoded; the message says why.
    """
    damage = Damage()
    frames = decode_file(path, damage, number)
    try:
        stream, frame = next(frames, (None, None))
        if stream is None or frame is None:
            raise MediaError(_nothing_decoded(path, damage))
        return _describe(path, stream, frame)
    finally:
        frames.close()


def _nothing_decoded(path: Path, damage: Damage) -> str:
    if damage.encrypted:
        return f"{path} is encrypted; give a copy without protection."
    if damage.is_any:
        return f"{path} is damaged: no picture of it can be decoded; give a whole copy."
    return f"{path} has a video stream without a single picture; give a clip that has some."


def _describe(path: Path, stream: VideoStream, frame: av.VideoFrame) -> VideoInfo:
    container = stream.container
    assert isinstance(container, InputContainer)
    matrix = display_matrix(frame)
    orientation = read_orientation(matrix) or Orientation()
    layout = find_layout(frame.format.name)
    assert layout is not None, "decode_frames yields viewable formats only"
    width, height = frame.width, frame.height
    time_base = stream.time_base or Fraction(1, 1000)
    start = frame.pts if frame.pts is not None else (stream.start_time or 0)
    return VideoInfo(
        path=str(path),
        container=container.format.name,
        codec=stream.codec_context.codec.canonical_name,
        width=height if orientation.transpose else width,
        height=width if orientation.transpose else height,
        coded_width=width,
        coded_height=height,
        display_matrix=matrix,
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
        pixel_format=frame.format.name,
        bit_depth=layout.bits,
        full_range=is_full_range(frame),
        color_range=int(frame.color_range),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        matrix=int(frame.colorspace),
        chroma_location=_chroma_location(stream),
        has_alpha=layout.has_alpha,
        field_order=_field_order(stream, frame),
        average_rate=stream.average_rate or stream.guessed_rate,
        time_base=time_base,
        frame_count=claimed_count(stream),
        start=start * time_base,
        duration=_duration(container, stream),
        stream_duration=_stream_duration(stream),
        bit_rate=_bit_rate(container, stream, path),
        stream_index=stream.index,
        video_streams=len(video_streams(container)),
        streams=tuple(_other_streams(container, stream)),
        chapters=tuple(_chapters(container)),
        metadata=tuple(container.metadata.items()),
        stored_format=stream.codec_context.pix_fmt,
        profile=stream.profile,
        timecode=find_tag(container, stream, "timecode"),
        reel=find_tag(container, stream, "reel_name"),
        mastering_display=_mastering_display(frame),
        content_light=_content_light(frame),
        dynamic_hdr=_dynamic_hdr(frame),
    )


def claimed_count(stream: Stream) -> int | None:
    """How many pictures the header promises, less those that an edit list hides."""
    if not stream.frames:
        return None
    hidden = sum(entry.is_discard for entry in stream.index_entries)
    return stream.frames - hidden


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The nine integers of a frame's display matrix, None where it has none."""
    matrix = side_data(frame).get(SideDataType.DISPLAYMATRIX)
    if matrix is None or len(matrix) < 36:
        return None
    return tuple(int(v) for v in np.frombuffer(matrix[:36], np.int32))


def _stream_duration(stream: VideoStream) -> Fraction | None:
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    said = re.fullmatch(r"(\d+):(\d\d):(\d\d\.\d+)", stream.metadata.get("DURATION", ""))
    if said is None:
        return None
    hours, minutes, seconds = said.groups()
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    if (said := _stream_duration(stream)) is not None:
        return said
    if container.duration is not None:
        return Fraction(container.duration, av.time_base)
    return None


def _bit_rate(container: InputContainer, stream: VideoStream, path: Path) -> int | None:
    if stream.codec_context.bit_rate:
        return stream.codec_context.bit_rate
    duration = _duration(container, stream)
    if not duration or duration <= 0:
        return None
    others = sum(
        s.codec_context.bit_rate or 0
        for s in container.streams.audio
        if s.codec_context is not None
    )
    return max(1, int(path.stat().st_size * 8 / duration) - others)


def _field_order(stream: VideoStream, frame: av.VideoFrame) -> str:
    said = _FIELD_ORDERS.get(int(stream.codec_context.field_order), "unsaid")
    if not frame.interlaced_frame:
        return said
    if (told := first_field(frame)) is not None:
        return told
    if said in ("unsaid", "progressive"):
        if frame.height < 720 and stream.codec_context.name == "dvvideo":
            return "bottom first"  # IEC 61834-2: DV begins with the lower field, untagged
        return "top first"  # what the standards assume of a picture that is only called interlaced
    return said


def _chroma_location(stream: VideoStream) -> str:
    """Where chroma lies; PyAV does not show it, a Matroska header written for the stream does.

    (FFmpeg's own description would, but through its log, which may deadlock with its threads.)
    """
    header = io.BytesIO()
    trial = av.open(header, "w", format="matroska")
    try:
        trial.add_stream_from_template(stream, opaque=True)
        trial.start_encoding()
        written = header.getvalue()
    except (FFmpegError, ValueError):
        return "unspecified"
    finally:
        header.close()  # so that no trailer is made up for a stream that may be damaged
        trial.close()
    matches = [re.search(re.escape(tag) + b"\x81(.)", written, re.S) for tag in _SITING]
    across, down = (match.group(1)[0] if match else 0 for match in matches)
    return _CHROMA_LOCATIONS.get((across, down), "unspecified")


def _other_streams(container: InputContainer, chosen: Stream) -> Iterator[StreamInfo]:
    for stream in container.streams:
        if stream.index != chosen.index:
            yield describe_stream(stream)


def describe_stream(stream: Stream) -> StreamInfo:
    """A stream in words."""
    context = stream.codec_context
    name = context.codec.canonical_name if context is not None else getattr(stream, "name", None)
    return StreamInfo(
        index=stream.index,
        kind=stream.type,
        codec=name or "unknown",
        language=stream.metadata.get("language"),
        title=stream.metadata.get("title"),
        dispositions=tuple(d.name or "" for d in Disposition if d in stream.disposition),
    )


def _chapters(container: InputContainer) -> Iterator[Chapter]:
    for chapter in container.chapters():
        unit = chapter["time_base"] or Fraction(1)
        title = chapter["metadata"].get("title")
        yield Chapter(chapter["start"] * unit, chapter["end"] * unit, title)


def _mastering_display(frame: av.VideoFrame) -> str | None:
    """AVMasteringDisplayMetadata: ten rationals, has_primaries, has_luminance."""
    mastering = side_data(frame).get(SideDataType.MASTERING_DISPLAY_METADATA)
    if mastering is None:
        return None
    *numbers, has_primaries, has_luminance = struct.unpack("=22i", mastering[:88])
    values = [n / d if d else 0.0 for n, d in zip(numbers[::2], numbers[1::2], strict=True)]
    if not (has_primaries and has_luminance):
        return None
    rx, ry, gx, gy, bx, by, wx, wy = (round(v * 50000) for v in values[:8])
    low, high = (round(v * 10000) for v in values[8:])
    return f"G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({high},{low})"


def _content_light(frame: av.VideoFrame) -> tuple[int, int] | None:
    light = side_data(frame).get(SideDataType.CONTENT_LIGHT_LEVEL)
    if light is None:
        return None
    most, average = struct.unpack("=2I", light[:8])
    return most, average


def _dynamic_hdr(frame: av.VideoFrame) -> tuple[str, ...]:
    kinds = side_data(frame).keys()
    return tuple(sorted({name for kind, name in _DYNAMIC_HDR.items() if kind in kinds}))
