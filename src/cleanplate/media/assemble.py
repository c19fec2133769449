"""Puts pieces and the source's other streams into the result: one mux, nothing re-encoded.

Presentation times are the source's, exactly. Decoding times are the same sorted times, late by
the reorder depth: they grow without a gap over the joins, whatever the encoder's B-frames are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from cleanplate.errors import MediaError
from cleanplate.files.publish import publishing
from cleanplate.media.beside import add_copy, attach_cover, is_written_anew, other_packets
from cleanplate.media.codecs import EncoderChoice
from cleanplate.media.decode import open_container, reason
from cleanplate.media.encode import FIRST_PTS, MARGIN
from cleanplate.media.probe import describe_stream
from cleanplate.media.verify import AssembleReport, compare_tags, verify_times
from cleanplate.types import VideoInfo

# Written anew by the muxer, or true of the old pictures only.
_STALE = ("major_brand", "minor_version", "compatible_brands", "encoder", "DURATION")
_STALE_VIDEO = ("BPS", "NUMBER_OF_", "_STATISTICS_", "DURATION", "ENCODER", "encoder", "alpha_mode")
_MOST_TICKS = 1 << 31
_LONGEST_LAST = 2  # seconds that a last picture is believed to be shown


@dataclass(frozen=True, slots=True)
class _Piece:
    path: Path
    first_pts: int
    """Of its first picture, in the source's time base."""
    ranks: list[int]
    """Packet by packet in decoding order: the place in presentation order."""
    pts: list[int]
    """Sorted, in the source's time base."""
    extradata: bytes


def assemble(
    source_path: Path | None,
    pieces: Sequence[Path],
    out_path: Path,
    info: VideoInfo,
    choice: EncoderChoice,
    start: Fraction | None = None,
    end: Fraction | None = None,
    strict: bool = False,
) -> AssembleReport:
    """Join ``pieces``, in order, with the other streams of ``source_path`` into ``out_path``.

    Args:
        source_path: the clip; None, or a folder, where there is nothing else to copy.
        pieces: files of ``encode_piece``, consecutive.
        out_path: appears whole or not at all.
        info: of the source.
        choice: the one that the pieces were encoded with.
        start: seconds; only this span of the other streams is copied, and all times are counted
            from the first picture.
        end: seconds, not included.
        strict: raise instead of warning where the container cannot carry a stream.

    Raises:
        MediaError: pieces that do not belong together, a stream lost under ``strict``, or a
            result that does not hold every picture at its time.
    """
    report = AssembleReport(out_path)
    scanned = [_scan(path) for path in pieces]
    pts = _all_pts(scanned)
    try:
        with contextlib.ExitStack() as stack:
            source = None
            if source_path is not None and source_path.is_file():
                source = stack.enter_context(open_container(source_path))
            draft = stack.enter_context(publishing(out_path))
            _mux(source, scanned, pts, draft, info, choice, (start, end), report)
            if strict and report.dropped:
                raise MediaError(report.warnings[0])
            verify_times(draft, pts, info, choice, report)
            compare_tags(draft, info, choice, report)
    except (FFmpegError, OSError) as error:
        raise MediaError(f"{out_path} cannot be written: {reason(error)}.") from error
    return report


def _scan(path: Path) -> _Piece:
    with av.open(str(path)) as container:
        first = int(container.metadata[FIRST_PTS])
        stream = container.streams.video[0]
        raw = [p.pts for p in container.demux(stream) if p.size and p.pts is not None]
        extradata = stream.codec_context.extradata or b""
    order = sorted(range(len(raw)), key=raw.__getitem__)
    ranks = [0] * len(raw)
    for rank, number in enumerate(order):
        ranks[number] = rank
    return _Piece(path, first, ranks, [raw[n] - MARGIN + first for n in order], extradata)


def _all_pts(pieces: Sequence[_Piece]) -> list[int]:
    pts: list[int] = []
    for piece in pieces:
        if pts and piece.pts[0] <= pts[-1]:
            raise MediaError(f"{piece.path.name} does not follow the piece before it.")
        if piece.extradata != pieces[0].extradata:
            raise MediaError(
                f"{piece.path.name} was encoded with other settings than the pieces before it; "
                "delete the unfinished work and start again."
            )
        pts.extend(piece.pts)
    if not pts:
        raise MediaError("There are no pieces to assemble.")
    return pts


def _mux(
    source: InputContainer | None,
    pieces: Sequence[_Piece],
    pts: list[int],
    draft: Path,
    info: VideoInfo,
    choice: EncoderChoice,
    span: tuple[Fraction | None, Fraction | None],
    report: AssembleReport,
) -> None:
    first = pts[0] * info.time_base
    report.shift = -first if span[0] is not None else Fraction(0)
    with (
        av.open(str(pieces[0].path)) as template,
        av.open(
            str(draft),
            "w",
            format=choice.container,
            container_options=_container_options(source, info, choice),
        ) as out,
    ):
        _set_container(out, source, info, report.shift, span)
        streams = _add_streams(out, source, template, info, choice, report)
        video = _video_packets(pieces, pts, info, report.shift, streams[info.stream_index])
        others = iter(())
        if source is not None:
            others = other_packets(source, streams, info, report.shift, (first, span[1]))
            others = _up_to_damage(others, report)
        _interleave(out, video, others)


def _container_options(
    source: InputContainer | None, info: VideoInfo, choice: EncoderChoice
) -> dict[str, str]:
    if choice.container not in ("mp4", "mov"):
        return {}
    # Edit lists, which hold the offsets of streams, count in the movie's own unit.
    unit = info.time_base.denominator
    for stream in source.streams.audio if source is not None else ():
        if stream.time_base is not None:
            both = lcm(unit, stream.time_base.denominator)
            unit = both if both < _MOST_TICKS else unit
    options = {"movie_timescale": str(unit)} if unit < _MOST_TICKS else {}
    if source is not None and any(key.startswith("com.") for key in source.metadata):
        options["movflags"] = "use_metadata_tags"
    return options


def _set_container(
    out: OutputContainer,
    source: InputContainer | None,
    info: VideoInfo,
    shift: Fraction,
    span: tuple[Fraction | None, Fraction | None],
) -> None:
    if source is None:
        return
    out.metadata.update({k: v for k, v in source.metadata.items() if k not in _STALE})
    low = span[0] if span[0] is not None else None
    kept = []
    for chapter in source.chapters():
        unit = chapter["time_base"] or Fraction(1)
        begin, finish = chapter["start"] * unit, chapter["end"] * unit
        begin = begin if low is None else max(begin, low)
        finish = finish if span[1] is None else min(finish, span[1])
        if begin < finish:
            chapter["start"] = round((begin + shift) / unit)
            chapter["end"] = round((finish + shift) / unit)
            kept.append(chapter)
    if kept:
        out.set_chapters(kept)


def _add_streams(
    out: OutputContainer,
    source: InputContainer | None,
    template: InputContainer,
    info: VideoInfo,
    choice: EncoderChoice,
    report: AssembleReport,
) -> dict[int, Stream]:
    """The streams of the result by the source's stream index, in the source's order."""
    added: dict[int, Stream] = {}
    for old in source.streams if source is not None else ():
        if old.index == info.stream_index:
            added[old.index] = _add_video(out, old, template, info, choice)
        elif is_written_anew(old, info):
            continue
        elif choice.container == "matroska" and old.disposition & Disposition.attached_pic:
            attach_cover(out, old)
            report.copied.append(describe_stream(old))
        elif (new := add_copy(out, old, choice)) is not None:
            added[old.index] = new
            report.copied.append(describe_stream(old))
        else:
            report.dropped.append(describe_stream(old))
    if info.stream_index not in added:
        added[info.stream_index] = _add_video(out, None, template, info, choice)
    if report.dropped:
        names = ", ".join(f"{s.kind} #{s.index} ({s.codec})" for s in report.dropped)
        report.warnings.append(
            f"{report.path.suffix} cannot carry {names}: left out; write a .mkv to keep more."
        )
    return added


def _add_video(
    out: OutputContainer,
    old: Stream | None,
    template: InputContainer,
    info: VideoInfo,
    choice: EncoderChoice,
) -> VideoStream:
    made = template.streams.video[0]
    new = out.add_stream_from_template(made, opaque=True)
    new.time_base = info.time_base
    if info.display_matrix is not None:
        new.set_display_matrix(info.display_matrix)
    new.codec_context.sample_aspect_ratio = info.sample_aspect_ratio
    new.codec_context.pix_fmt = choice.pixel_format  # probing a piece does not see VP9's alpha
    if choice.codec == "hevc" and choice.container in ("mp4", "mov"):
        new.codec_context.codec_tag = "hvc1"  # the one tag that every player takes
    if old is not None:
        kept = {k: v for k, v in old.metadata.items() if not k.startswith(_STALE_VIDEO)}
        new.metadata.update(kept)
        new.disposition = old.disposition
    return new


def _video_packets(
    pieces: Sequence[_Piece],
    pts: list[int],
    info: VideoInfo,
    shift: Fraction,
    stream: Stream,
) -> Iterator[tuple[Fraction, av.Packet]]:
    """The pieces' packets with the source's times: (decoding time in seconds, packet)."""
    depth = max(max(n - rank for n, rank in enumerate(piece.ranks)) for piece in pieces)
    time_base = info.time_base
    end = pts[-1] + _last_duration(pts, info)
    rest = end - pts[max(0, len(pts) - 1 - depth)]  # that decoding times have left at the end
    step = max(1, rest // (depth + 1))
    moved = round(shift / time_base)
    done = 0
    for piece in pieces:
        with av.open(str(piece.path)) as container:
            packets = (p for p in container.demux(container.streams.video[0]) if p.size)
            for number, packet in enumerate(packets):
                place = done + piece.ranks[number]
                late = done + number - depth
                packet.pts = pts[place] + moved
                packet.dts = (pts[late] if late >= 0 else pts[0] + late * step) + moved
                packet.duration = (pts[place + 1] if place + 1 < len(pts) else end) - pts[place]
                if done + number + 1 == len(pts):
                    packet.duration = max(1, rest - depth * step)  # both clocks end together
                packet.time_base = time_base
                packet.stream = cast(Any, stream)
                yield packet.dts * time_base, packet
        done += len(piece.ranks)


def _last_duration(pts: list[int], info: VideoInfo) -> int:
    """How long the last picture is shown: to the end that the header states, if it can be."""
    gap = pts[-1] - pts[-2] if len(pts) > 1 else round(1 / (_rate(info) * info.time_base))
    if info.stream_duration is not None and info.frame_count in (None, len(pts)):
        said = (info.start + info.stream_duration) / info.time_base - pts[-1]
        if 0 < said * info.time_base <= _LONGEST_LAST:
            return max(1, round(said))
    return max(1, gap)


def _rate(info: VideoInfo) -> Fraction:
    return info.average_rate or Fraction(24)


def _up_to_damage(
    packets: Iterator[tuple[Fraction, av.Packet]], report: AssembleReport
) -> Iterator[tuple[Fraction, av.Packet]]:
    """What is whole of the source's other streams, as of its pictures."""
    broken = 0
    try:
        for time, packet in packets:
            if packet.is_corrupt:
                broken += 1
            else:
                yield time, packet
    except FFmpegError as error:
        report.warnings.append(
            f"The other streams of the source are cut off where it is damaged ({reason(error)})."
        )
    if broken:
        report.warnings.append(
            f"{broken} damaged packets of the source's other streams are left out."
        )


def _interleave(
    out: OutputContainer,
    video: Iterator[tuple[Fraction, av.Packet]],
    others: Iterator[tuple[Fraction, av.Packet]],
) -> None:
    """Write both in the order of time, so that the muxer holds little back."""
    other = next(others, None)
    for time, packet in video:
        while other is not None and other[0] <= time:
            out.mux_one(other[1])
            other = next(others, None)
        out.mux_one(packet)
    while other is not None:
        out.mux_one(other[1])
        other = next(others, None)
