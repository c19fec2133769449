"""What lies beside the picture: sound, subtitles, covers, attachments, copied as they are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition, Stream

from cleanplate.media.codecs import EncoderChoice
from cleanplate.media.decode import open_container, read_packets
from cleanplate.media.probe import describe_stream
from cleanplate.types import VideoInfo

_NO_TEXT = b"\0\0"
_COVERS = {"png": ("cover.png", "image/png"), "mjpeg": ("cover.jpg", "image/jpeg")}


def add_copy(out: OutputContainer, old: Stream, choice: EncoderChoice) -> Stream | None:
    if not _carries(choice.container, old):
        return None
    new = out.add_stream_from_template(old, opaque=True)
    new.metadata.update({k: v for k, v in old.metadata.items() if k != "DURATION"})
    new.disposition = old.disposition
    return new


def attach_cover(out: OutputContainer, old: Stream) -> None:
    """Matroska keeps a cover picture as an attachment, which is written with the header."""
    codec = old.codec_context.name
    name, kind = _COVERS.get(codec, (f"cover.{codec}", f"image/{codec}"))
    with open_container(Path(old.container.name)) as again:
        packet = next(read_packets(again, [again.streams[old.index]]))
    tags = old.metadata
    new = out.add_attachment(tags.get("filename", name), tags.get("mimetype", kind), bytes(packet))
    new.metadata.update({k: v for k, v in tags.items() if k not in ("filename", "mimetype")})


def is_written_anew(stream: Stream, info: VideoInfo) -> bool:
    """Tracks that QuickTime files keep for chapters and timecode: muxers make them from tags."""
    if stream.type != "data" or not info.container.startswith("mov"):
        return False
    is_chapters = getattr(stream, "name", None) == "bin_data" and bool(info.chapters)
    return is_chapters or "timecode" in stream.metadata


def _carries(container: str, stream: Stream) -> bool:
    """Whether the format takes the stream, found out by writing a header with it alone."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
    except (FFmpegError, ValueError, OSError):
        return False
    return True


def other_packets(
    source: InputContainer,
    streams: dict[int, Stream],
    info: VideoInfo,
    shift: Fraction,
    span: tuple[Fraction, Fraction | None],
) -> Iterator[tuple[Fraction, av.Packet]]:
    """The source's packets of all other streams, whole and untouched but for ``shift``."""
    wanted = [s for s in source.streams if s.index in streams and s.index != info.stream_index]
    if not wanted:
        return
    for stream in source.streams:
        if stream not in wanted:
            stream.discard = Discard.all
    for packet in read_packets(source, wanted):
        if not packet.size:
            continue
        stream = packet.stream
        if (
            packet.size == 2
            and bytes(packet) == _NO_TEXT
            and describe_stream(stream).codec == "mov_text"
        ):
            continue  # the pause between two texts; the muxer makes it from their durations
        time = packet.pts if packet.pts is not None else packet.dts
        seconds = Fraction(0) if time is None else time * packet.time_base
        cover = bool(stream.disposition & Disposition.attached_pic)
        if not cover and shift:
            if seconds < span[0]:
                continue
            moved = round(shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + moved
            packet.dts = None if packet.dts is None else packet.dts + moved
        if not cover and span[1] is not None and seconds >= span[1]:
            continue
        packet.stream = streams[stream.index]
        yield seconds + shift, packet
