"""What lies beside the picture: sound, subtitles, covers, attachments, copied as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition, Stream

from cleanplate.media.decode import open_container, read_packets, reason
from cleanplate.media.probe import describe_stream
from cleanplate.media.rising import BREAK, GAP, RisingTimes, may_break, must_rise
from cleanplate.media.sound import SoundEncoder
from cleanplate.media.stream_plan import named
from cleanplate.types import VideoInfo

_NO_TEXT = b"\0\0"
_COVERS = {"png": ("cover.png", "image/png"), "mjpeg": ("cover.jpg", "image/jpeg")}


def add_copy(out: OutputContainer, old: Stream) -> Stream:
    """A stream of ``out`` for the packets of ``old``, unchanged."""
    new = out.add_stream_from_template(old, opaque=True)
    _describe_alike(new, old)
    return new


def add_encoded(out: OutputContainer, old: Stream, container: str) -> SoundEncoder:
    """A stream of ``out`` for the sound of ``old``, encoded anew."""
    encoder = SoundEncoder(out, cast(AudioStream, old), container)
    _describe_alike(encoder.stream, old)
    return encoder


def _describe_alike(new: Stream, old: Stream) -> None:
    new.metadata.update({k: v for k, v in old.metadata.items() if k != "DURATION"})
    new.disposition = old.disposition


def attach_cover(out: OutputContainer, old: Stream) -> None:
    """Matroska keeps a cover picture as an attachment, which is written with the header."""
    codec = old.codec_context.name
    name, kind = _COVERS.get(codec, (f"cover.{codec}", f"image/{codec}"))
    with open_container(Path(old.container.name)) as again:
        packet = next(read_packets(again, [again.streams[old.index]]))
    tags = old.metadata
    new = out.add_attachment(tags.get("filename", name), tags.get("mimetype", kind), bytes(packet))
    new.metadata.update({k: v for k, v in tags.items() if k not in ("filename", "mimetype")})


class Others:
    """The source's packets of all streams but the picture's, for the streams of the output."""

    def __init__(
        self,
        source: InputContainer,
        copied: Mapping[int, Stream],
        encoded: Mapping[int, SoundEncoder],
        info: VideoInfo,
        container: str,
        pts: Sequence[int],
        shift: Fraction,
        span: tuple[Fraction, Fraction | None],
    ) -> None:
        """
        Args:
            source: the clip, at its beginning.
            copied: streams of the output, by the source's index.
            encoded: the same of those that are encoded anew.
            info: of the source.
            container: FFmpeg's name of the output's format.
            pts: of all pictures of the output, in the source's time base.
            shift: seconds by which all times of the output are moved.
            span: seconds of the source that are wanted; the end is not included, None is all.
        """
        self._source, self._copied, self._encoded = source, copied, encoded
        self._info, self._container = info, container
        self._pts, self._shift, self._span = pts, shift, span
        self.notes: list[str] = []
        """What had to be moved or left out, a sentence each, once ``packets`` is through."""
        self._broken = 0
        self._refused: dict[int, tuple[int, Fraction, str]] = {}

    def packets(self) -> Iterator[tuple[Fraction, av.Packet]]:
        """(time in the output in seconds, packet), whole and untouched but for its time.

        Ends where the source is damaged, as its pictures do.
        """
        source = self._source
        streams = {**self._copied, **{i: encoded.stream for i, encoded in self._encoded.items()}}
        wanted = [s for s in source.streams if s.index in streams]
        if not wanted:
            return
        breaks = may_break(self._info.container)
        times = {
            s.index: RisingTimes(
                cast(Fraction, streams[s.index].time_base or s.time_base),
                must_rise(self._container, s),
                breaks,
            )
            for s in wanted
        }
        pictures = _PictureBreaks(self._info, self._pts)
        read = [*wanted, source.streams[self._info.stream_index]] if breaks else wanted
        for stream in source.streams:
            if stream not in read:
                stream.discard = Discard.all
        try:
            for packet in read_packets(source, read):
                if not packet.size:
                    continue
                index = packet.stream.index
                if index == self._info.stream_index:
                    pictures.see(packet)
                elif packet.is_corrupt:
                    self._broken += 1
                elif not _is_pause(packet):
                    yield from self._placed(packet, times[index], pictures.joined)
        except FFmpegError as error:
            self.notes.append(
                f"The other streams of the source are cut off where it is damaged "
                f"({reason(error)})."
            )
        for encoder in self._encoded.values():
            yield from ((self._time(packet), packet) for packet in encoder.encode(None))
        self._conclude(times)

    def _placed(
        self, packet: av.Packet, times: RisingTimes, joined: Fraction | None
    ) -> Iterator[tuple[Fraction, av.Packet]]:
        stream, index = packet.stream, packet.stream.index
        if stream.disposition & Disposition.attached_pic:
            packet.stream = self._copied[index]
            yield Fraction(0), packet
            return
        if not times.place(packet, joined):
            return
        assert packet.pts is not None
        assert packet.dts is not None
        seconds = packet.pts * packet.time_base
        low, high = self._span
        if (self._shift and seconds < low) or (high is not None and seconds >= high):
            return
        moved = round(self._shift / packet.time_base)
        packet.pts, packet.dts = packet.pts + moved, packet.dts + moved
        if index in self._encoded:
            yield from ((self._time(p), p) for p in self._encoded[index].encode(packet))
        else:
            packet.stream = self._copied[index]
            yield self._time(packet), packet

    @staticmethod
    def _time(packet: av.Packet) -> Fraction:
        return (packet.dts or 0) * packet.time_base

    def refuse(self, packet: av.Packet, why: str) -> None:
        """Note that the output did not take ``packet``."""
        index = packet.stream.index
        count, first, _ = self._refused.get(index, (0, self._time(packet), why))
        self._refused[index] = (count + 1, first, why)

    def _conclude(self, times: Mapping[int, RisingTimes]) -> None:
        for index, rising in times.items():
            name = named(describe_stream(self._source.streams[index]))
            if rising.moved and rising.first_moved is not None:
                self.notes.append(
                    f"{_counted(rising.moved, 'packet')} of {name}, the first at "
                    f"{float(rising.first_moved):.3f} s, had times that repeat or go back: moved "
                    "to just after the packet before."
                )
            if rising.breaks:
                at = ", ".join(f"{float(time):.3f} s" for time in rising.breaks[:3])
                self.notes.append(
                    f"The times of {name} begin anew {_counted(len(rising.breaks), 'time')} (at "
                    f"{at}): what follows is moved to join what was before."
                )
        for index, encoder in self._encoded.items():
            if encoder.damaged:
                name = named(describe_stream(self._source.streams[index]))
                self.notes.append(
                    f"{_counted(encoder.damaged, 'packet')} of {name} cannot be decoded and are "
                    "silent."
                )
        if self._broken:
            self.notes.append(
                f"{self._broken} damaged packets of the source's other streams are left out."
            )

    def refusals(self, suffix: str) -> list[str]:
        """A sentence for each stream of which the output did not take every packet."""
        by_output = {new.index: old for old, new in self._copied.items()}
        return [
            f"{_counted(count, 'packet')} of "
            f"{named(describe_stream(self._source.streams[by_output[index]]))}, the first at "
            f"{float(first):.3f} s, cannot be written to {suffix} ({why}): left out; write a .mkv "
            "to keep more."
            for index, (count, first, why) in self._refused.items()
            if index in by_output
        ]


class _PictureBreaks:
    """Where the pictures' times were joined, so that the sound goes with them."""

    def __init__(self, info: VideoInfo, pts: Sequence[int]) -> None:
        self._time_base, self._pts = info.time_base, pts
        self._seen = 0
        self._last: Fraction | None = None
        self.joined: Fraction | None = None
        """Seconds by which the pictures since the latest break are moved; None before any."""

    def see(self, packet: av.Packet) -> None:
        """The next packet of the picture."""
        if packet.dts is not None and packet.pts is not None:
            time = packet.dts * packet.time_base
            is_break = self._last is not None and (
                time < self._last - BREAK or time > self._last + GAP
            )
            if is_break and self._seen < len(self._pts):
                self.joined = (
                    self._pts[self._seen] * self._time_base - packet.pts * packet.time_base
                )
            self._last = time
        self._seen += 1


def _is_pause(packet: av.Packet) -> bool:
    """The pause between two texts of MP4; its muxer makes it from their durations."""
    is_empty = packet.size == len(_NO_TEXT) and bytes(packet) == _NO_TEXT
    return is_empty and describe_stream(packet.stream).codec == "mov_text"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
