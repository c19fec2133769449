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
from cleanplate.files.publish import is_about_the_disk, publishing
from cleanplate.media.beside import Others, add_copy, add_encoded, attach_cover
from cleanplate.media.codecs import EncoderChoice, codec_tag
from cleanplate.media.decode import open_container, reason
from cleanplate.media.encode import FIRST_PTS, MARGIN
from cleanplate.media.sound import SoundEncoder
from cleanplate.media.stream_plan import Fate, StreamPlan, plan_streams
from cleanplate.media.timecode import later, without
from cleanplate.media.verify import AssembleReport, compare_tags, verify_times
from cleanplate.types import VideoInfo

# Written anew by the muxer, or true of the old pictures only.
_STALE = ("major_brand", "minor_version", "compatible_brands", "encoder", "DURATION")
_STALE_VIDEO = ("BPS", "NUMBER_OF_", "_STATISTICS_", "DURATION", "ENCODER", "encoder", "alpha_mode")
_TAPE = ("timecode", "reel_name")  # written for the first picture of the output
_MOST_TICKS = 1 << 31
_LONGEST_LAST = 2  # seconds that a last picture is believed to be shown
_HEADER_TICK = Fraction(1, 1000)  # s: as exact as an MP4 says where its track ends


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
    plan: StreamPlan | None = None,
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
        plan: what becomes of the other streams, where it was decided before; its notes are told
            already.

    Raises:
        MediaError: pieces that do not belong together, a stream lost under ``strict``, or a
            result that does not hold every picture at its time.
    """
    report = AssembleReport(out_path)
    if plan is None:
        plan = plan_streams(source_path or Path(), info, out_path, choice)
        report.warnings.extend(plan.notes)
    report.streams = list(plan.streams)
    if strict and plan.losses:
        raise MediaError(plan.losses[0])
    scanned = [_scan(path) for path in pieces]
    pts = _all_pts(scanned)
    try:
        with contextlib.ExitStack() as stack:
            source = None
            if source_path is not None and source_path.is_file():
                source = stack.enter_context(open_container(source_path))
            draft = stack.enter_context(publishing(out_path))
            _Mux(source, scanned, pts, info, choice, (start, end), plan, report).write(draft)
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


class _Mux:
    """One output being written."""

    def __init__(
        self,
        source: InputContainer | None,
        pieces: Sequence[_Piece],
        pts: list[int],
        info: VideoInfo,
        choice: EncoderChoice,
        span: tuple[Fraction | None, Fraction | None],
        plan: StreamPlan,
        report: AssembleReport,
    ) -> None:
        self._source, self._pieces, self._pts = source, pieces, pts
        self._info, self._choice, self._span = info, choice, span
        self._plan, self._report = plan, report
        self._first = pts[0] * info.time_base
        report.shift = -self._first if span[0] is not None else Fraction(0)
        self._copied: dict[int, Stream] = {}
        self._encoded: dict[int, SoundEncoder] = {}

    def write(self, draft: Path) -> None:
        """Write the whole output to ``draft``."""
        source, info, choice, report = self._source, self._info, self._choice, self._report
        with (
            av.open(str(self._pieces[0].path)) as template,
            av.open(
                str(draft),
                "w",
                format=choice.container,
                container_options=_container_options(source, info, choice),
            ) as out,
        ):
            _set_container(out, source, info, report.shift, self._span)
            picture = self._add_streams(out, template)
            out.start_encoding()
            video = _video_packets(self._pieces, self._pts, info, report.shift, picture)
            if source is None:
                _interleave(out, video, None)
                return
            span = (self._first, self._span[1])
            others = Others(
                source,
                self._copied,
                self._encoded,
                info,
                choice.container,
                self._pts,
                report.shift,
                span,
            )
            _interleave(out, video, others)
            report.warnings.extend([*others.notes, *others.refusals(report.path.suffix)])

    def _add_streams(self, out: OutputContainer, template: InputContainer) -> VideoStream:
        """Add the streams of the result in the source's order; return the picture's."""
        picture = None
        for old in self._source.streams if self._source is not None else ():
            if old.index == self._info.stream_index:
                picture = self._add_video(out, old, template)
                continue
            fate = self._plan.fate(old.index)
            if fate is Fate.ENCODED:
                encoder = add_encoded(out, old, self._choice.container)
                self._encoded[old.index] = encoder
            elif fate is Fate.COPIED:
                if self._choice.container == "matroska" and (
                    old.disposition & Disposition.attached_pic
                ):
                    attach_cover(out, old)
                else:
                    self._copied[old.index] = add_copy(out, old)
        return picture or self._add_video(out, None, template)

    def _add_video(
        self, out: OutputContainer, old: Stream | None, template: InputContainer
    ) -> VideoStream:
        info, choice = self._info, self._choice
        new = out.add_stream_from_template(template.streams.video[0], opaque=True)
        new.time_base = info.time_base
        if info.display_matrix is not None:
            new.set_display_matrix(info.display_matrix)
        context = new.codec_context
        context.sample_aspect_ratio = info.sample_aspect_ratio
        context.pix_fmt = choice.pixel_format  # probing a piece does not see VP9's alpha
        context.framerate = info.average_rate or Fraction(0)  # by which a timecode counts
        if (tag := codec_tag(choice)) is not None:
            context.codec_tag = tag
        if old is not None:
            kept = {k: v for k, v in old.metadata.items() if not k.startswith(_STALE_VIDEO)}
            new.metadata.update(without(kept, _TAPE))
            new.disposition = old.disposition
        new.metadata.update(self._tape())
        return new

    def _tape(self) -> dict[str, str]:
        """Timecode and reel of the first picture that is written."""
        info = self._info
        tags = {}
        if info.timecode:
            rate = info.average_rate or Fraction(0)
            begun = round((self._first - info.start) * rate) if self._span[0] is not None else 0
            self._report.timecode = later(info.timecode, begun, rate) or None
            if self._report.timecode:
                tags["timecode"] = self._report.timecode
        if info.reel:
            tags["reel_name"] = info.reel
        return tags


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
    kept = {k: v for k, v in source.metadata.items() if k not in _STALE}
    out.metadata.update(without(kept, _TAPE))
    low = span[0] if span[0] is not None else None
    chapters = []
    for chapter in source.chapters():
        unit = chapter["time_base"] or Fraction(1)
        begin, finish = chapter["start"] * unit, chapter["end"] * unit
        begin = begin if low is None else max(begin, low)
        finish = finish if span[1] is None else min(finish, span[1])
        if begin < finish:
            chapter["start"] = round((begin + shift) / unit)
            chapter["end"] = round((finish + shift) / unit)
            chapters.append(chapter)
    if chapters:
        out.set_chapters(chapters)


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
        if abs(said - gap) * info.time_base < _HEADER_TICK:  # else the rate is no longer the same
            return max(1, gap)
        if 0 < said * info.time_base <= _LONGEST_LAST:
            return max(1, round(said))
    return max(1, gap)


def _rate(info: VideoInfo) -> Fraction:
    return info.average_rate or Fraction(24)


def _interleave(
    out: OutputContainer, video: Iterator[tuple[Fraction, av.Packet]], others: Others | None
) -> None:
    """Write both in the order of time, so that the muxer holds little back.

    Raises:
        MediaError: the output does not take the pictures.
    """
    beside = others.packets() if others is not None else iter(())
    other = next(beside, None)
    for time, packet in video:
        while other is not None and other[0] <= time:
            _write_other(out, other[1], others)
            other = next(beside, None)
        try:
            out.mux_one(packet)
        except FFmpegError as error:
            if is_about_the_disk(error):
                raise
            raise MediaError(
                f"The picture at {float(time):.3f} s cannot be written in this format "
                f"({reason(error)}); write a .mkv instead."
            ) from error
    while other is not None:
        _write_other(out, other[1], others)
        other = next(beside, None)


def _write_other(out: OutputContainer, packet: av.Packet, others: Others | None) -> None:
    """Write a packet of sound or the like; what the format refuses is left out, and told."""
    assert others is not None  # who else would give packets
    try:
        out.mux_one(packet)
    except FFmpegError as error:
        if is_about_the_disk(error):
            raise
        others.refuse(packet, reason(error))
