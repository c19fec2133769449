"""What becomes of each stream beside the picture: decided once, before the work, by a trial.

The job's notes, ``info`` and the report all tell from the plan, and ``assemble`` does what it says.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition, Stream

from cleanplate.media.codecs import EncoderChoice
from cleanplate.media.decode import open_container, read_packets, reason
from cleanplate.media.probe import describe_stream
from cleanplate.media.rising import RisingTimes, may_break, must_rise
from cleanplate.media.sound import can_decode, encoder_for
from cleanplate.types import StreamInfo, VideoInfo

_TRIED_PACKETS = 24  # of each stream
_TRIED_BYTES = 32 << 20  # of the file, at most: a stream that begins later is tried by its header
_NO_ENTRY = 16  # bytes of MP4's sample description when it describes nothing


class Fate(StrEnum):
    """What becomes of a stream."""

    COPIED = "copied"
    REBUILT = "written anew"
    """Tracks of chapters and timecode, which muxers make from the tags."""
    ENCODED = "encoded"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class PlannedStream:
    """One stream and what becomes of it."""

    stream: StreamInfo
    fate: Fate
    why: str = ""
    """A sentence, where it is not simply copied."""


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What becomes of all streams beside the picture."""

    streams: tuple[PlannedStream, ...] = ()

    def fate(self, index: int) -> Fate:
        """Of the source's stream ``index``."""
        fates = (planned.fate for planned in self.streams if planned.stream.index == index)
        return next(fates, Fate.LEFT_OUT)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of, a sentence each."""
        return tuple(dict.fromkeys(planned.why for planned in self.streams if planned.why))

    @property
    def losses(self) -> tuple[str, ...]:
        """Of the notes, those of streams that are left out."""
        left_out = [planned for planned in self.streams if planned.fate is Fate.LEFT_OUT]
        return tuple(dict.fromkeys(planned.why for planned in left_out))


def plan_streams(
    source: Path, info: VideoInfo, out: Path, choice: EncoderChoice, sound: str = "copy"
) -> StreamPlan:
    """Decide what becomes of the streams of ``source`` beside its picture in the output ``out``.

    Args:
        source: the clip; a folder has no other streams.
        info: of the source.
        out: the output, of which only the ending counts.
        choice: how it is encoded.
        sound: ``encode`` has sound that cannot be copied encoded anew; ``copy`` leaves it out.

    Raises:
        MediaError: the source cannot be read.
    """
    if not source.is_file() or not info.streams:
        return StreamPlan()
    suffix = out.suffix.lower()
    with open_container(source) as container:
        others = [s for s in container.streams if s.index != info.stream_index]
        tried = [s for s in others if not is_written_anew(s, info)]
        refused = _refused(container, tried, choice.container, info)
    with open_container(source) as container:
        elsewhere = _refused(
            container, [s for s in container.streams if s.index in refused], "matroska", info
        )
        planned = []
        for stream in container.streams:
            described = describe_stream(stream)
            if stream.index == info.stream_index:
                continue
            if is_written_anew(stream, info):
                planned.append(PlannedStream(described, Fate.REBUILT))
            elif stream.index not in refused:
                planned.append(PlannedStream(described, Fate.COPIED))
            elif sound == "encode" and can_decode(stream):
                name = encoder_for(choice.container)
                why = (
                    f"{suffix} cannot carry {named(described)}: it is encoded anew ({name}), as "
                    "--sound encode says."
                )
                planned.append(PlannedStream(described, Fate.ENCODED, why))
            else:
                kept = stream.index not in elsewhere and suffix != ".mkv"
                why = _loss(described, suffix, kept, can_decode(stream), refused[stream.index])
                planned.append(PlannedStream(described, Fate.LEFT_OUT, why))
    return StreamPlan(tuple(planned))


def named(stream: StreamInfo) -> str:
    """A stream for messages."""
    return f"{stream.kind} #{stream.index} ({stream.codec})"


def _loss(stream: StreamInfo, suffix: str, mkv_keeps: bool, audible: bool, why: str) -> str:
    ways = []
    if audible:
        ways.append("add --sound encode to have it encoded")
    if mkv_keeps:
        ways.append("write a .mkv to keep it as it is")
    advice = ", or ".join(ways) or "no output of cleanplate keeps it"
    cause = f" ({why})" if why else ""
    return f"{suffix} cannot carry {named(stream)}{cause}: it is left out; {advice}."


def is_written_anew(stream: Stream, info: VideoInfo) -> bool:
    """Tracks that QuickTime files keep for chapters and timecode: muxers make them from tags."""
    if stream.type != "data" or not info.container.startswith("mov"):
        return False
    is_chapters = getattr(stream, "name", None) == "bin_data" and bool(info.chapters)
    return is_chapters or "timecode" in stream.metadata


def _refused(
    source: InputContainer, streams: Sequence[Stream], container: str, info: VideoInfo
) -> dict[int, str]:
    """Those of ``streams`` that the format ``container`` does not take, by index, and why."""
    refused: dict[int, str] = {}
    trials: dict[int, _Trial] = {}
    for stream in streams:
        if container == "matroska" and stream.disposition & Disposition.attached_pic:
            continue  # kept as an attachment
        try:
            trials[stream.index] = _Trial(stream, container, info)
        except (FFmpegError, ValueError, OSError):
            refused[stream.index] = ""
    if trials:
        _feed(source, trials)
    for index, trial in trials.items():
        if (why := trial.finish()) is not None:
            refused[index] = why
    return refused


def _feed(source: InputContainer, trials: dict[int, _Trial]) -> None:
    """Give each trial the first packets of its stream."""
    wanted = [s for s in source.streams if s.index in trials]
    for stream in source.streams:
        if stream not in wanted:
            stream.discard = Discard.all
    seen = 0
    try:
        for packet in read_packets(source, wanted):
            seen += packet.size
            if packet.size and not packet.is_corrupt:
                trials[packet.stream.index].write(packet)
            if seen > _TRIED_BYTES or all(trial.is_done for trial in trials.values()):
                return
    except FFmpegError:
        return  # the source is damaged from here on; the survey will say so


class _Trial:
    """A file of one stream, written into memory as it would be into the output."""

    def __init__(self, old: Stream, container: str, info: VideoInfo) -> None:
        self._file = io.BytesIO()
        self._is_movie = container in ("mp4", "mov")
        self._kind = old.type
        self._written = 0
        self._error: BaseException | None = None
        self._out = av.open(self._file, "w", format=container)
        try:
            self._new = self._out.add_stream_from_template(old, opaque=True)
            self._out.start_encoding()
        except (FFmpegError, ValueError, OSError):
            self._out.close()
            raise
        unit = self._new.time_base or old.time_base
        assert unit is not None
        self._times = RisingTimes(unit, must_rise(container, old), may_break(info.container))

    @property
    def is_done(self) -> bool:
        return self._written >= _TRIED_PACKETS

    def write(self, packet: av.Packet) -> None:
        if self.is_done or not self._times.place(packet):
            return
        packet.stream = cast(Any, self._new)
        try:
            self._out.mux_one(packet)
            self._written += 1
            self._error = None
        except (FFmpegError, OSError, ValueError) as error:
            if self._written == 0:
                self._error = error

    def finish(self) -> str | None:
        """None when the stream was taken; else a clause, or "", why not."""
        try:
            self._out.close()
        except (FFmpegError, OSError, ValueError) as error:
            self._error = self._error or error
        if self._error is not None:
            return reason(self._error)
        if self._is_movie and self._kind == "data" and self._is_undescribed():
            return "it has no words for what is in it"
        return None

    def _is_undescribed(self) -> bool:
        """Whether the sample description (``stsd``) that was written holds no entry."""
        written = self._file.getvalue()
        place = written.rfind(b"stsd")
        return place < 4 or int.from_bytes(written[place - 4 : place], "big") <= _NO_ENTRY
