"""A clip as pictures: in presentation order, from any picture on, forwards and backwards.

A picture's index counts what FFmpeg presents, edit lists honoured, from 0. Its time is its
presentation timestamp times the stream's time base. A seek is believed only where the packets'
timestamps prove it; otherwise the clip is decoded from its beginning.
"""

from __future__ import annotations

import contextlib
import itertools
from bisect import bisect_right
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
from av.container import InputContainer
from av.error import FFmpegError

from cleanplate.errors import InputError, MediaError
from cleanplate.media.decode import (
    Damage,
    Restart,
    decode_file,
    decode_frames,
    find_video,
    open_container,
    read_packets,
)
from cleanplate.media.orientation import Orientation, read_orientation
from cleanplate.media.picture import FrameCopier, Palette, Picture, make_palette
from cleanplate.media.probe import probe_file
from cleanplate.media.rising import BREAK, GAP, may_break
from cleanplate.types import VideoInfo

_REORDERED = 5  # seconds: farther back than any picture is stored behind a later one
BACKWARD_BUDGET = 256 << 20  # bytes of decoded pictures that walking backwards may hold


@dataclass(frozen=True, slots=True)
class _Index:
    """Presentation timestamps of a whole stream, read from its packets without decoding."""

    pts: list[int]
    keys: list[int]
    """Indexes of the pictures that decoding can start with, and 0."""


class VideoClip:
    """A file with a video stream."""

    def __init__(self, path: Path, stream: int | None = None) -> None:
        """
        Args:
            path: the file.
            stream: index in it of the video stream to work on; None: the one that plays.
        """
        self.path = path
        self.info = probe_file(path, stream)
        self.warnings: list[str] = []
        self._copier = FrameCopier()
        self._known_index: _Index | None = None
        self._index_built = False
        if self.info.video_streams > 1:
            self._warn(
                f"{path.name} holds {self.info.video_streams} video streams; stream "
                f"#{self.info.stream_index} ({self.info.codec}, {self.info.width}x"
                f"{self.info.height}) is worked on, the others are copied; "
                "--stream N takes another."
            )
        orientation = read_orientation(self.info.display_matrix)
        if orientation is None:
            self._warn(
                f"{path.name} is turned by an angle that is no multiple of 90 degrees; it is "
                "processed as stored, and the angle is kept."
            )
        self._orientation = orientation or Orientation()
        if self.info.field_order in ("top first", "bottom first"):
            self._warn(
                f"{path.name} is interlaced ({self.info.field_order}); it is processed as woven "
                "frames, and stays interlaced."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def pictures(self, start: int = 0, stop: int | None = None) -> Iterator[Picture]:
        """The pictures from index ``start`` up to, not including, ``stop``.

        Raises:
            MediaError: nothing can be decoded, or the size of the picture changes on the way.
        """
        if start < 0 or (stop is not None and stop < start):
            raise InputError(f"There are no pictures from {start} to {stop}; count from 0 upwards.")
        if stop == start:
            return
        frames = self._frames_after_seek(start) if start else None
        frames = frames or self._frames_from_start(start)
        palette: Palette | None = None
        with contextlib.closing(frames):
            for index, frame in frames:
                palette = palette or make_palette(frame, self._orientation, self._copier)
                yield self._picture(index, frame, palette)
                if stop is not None and index + 1 >= stop:
                    return

    def _picture(self, index: int, frame: av.VideoFrame, palette: Palette) -> Picture:
        size = (frame.width, frame.height, frame.format.name)
        expected = (self.info.coded_width, self.info.coded_height, self.info.pixel_format)
        time_base = self.info.time_base
        if size != expected:
            raise MediaError(
                f"The picture of {self.path} changes from {expected[0]}x{expected[1]} "
                f"{expected[2]} to {size[0]}x{size[1]} {size[2]} at frame {index}; "
                "cut the clip there and process the parts."
            )
        duration = frame.duration * time_base if frame.duration else None
        return Picture(index, timestamp(frame) * time_base, duration, frame, palette)

    def _frames_from_start(self, start: int) -> Generator[tuple[int, av.VideoFrame]]:
        damage = Damage()
        clock = _Clock(self.info)
        index = -1
        frame = None
        for index, (_, frame) in enumerate(decode_file(self.path, damage)):
            clock.set(frame)
            if frame.is_corrupt:
                damage.concealed += 1
                damage.first_concealed = damage.first_concealed or index
            if index >= start:
                yield index, frame
        self._report(index + 1, frame, damage, clock)

    def _report(
        self, count: int, last: av.VideoFrame | None, damage: Damage, clock: _Clock
    ) -> None:
        name, claimed = self.path.name, self.info.frame_count
        if damage.encrypted:
            raise MediaError(f"{self.path} is encrypted; give a copy without protection.")
        if last is None:
            raise MediaError(f"{self.path} is damaged: no picture of it can be decoded.")
        end = float(timestamp(last) * self.info.time_base)
        missing = f", its header promises {claimed}" if claimed and claimed > count else ""
        if damage.cut or missing:
            self._warn(
                f"{name} is cut off or damaged after frame {count - 1} ({end:.2f} s){missing}; "
                f"the {count} frames that can be decoded are used."
            )
        elif claimed and claimed < count:
            self._warn(
                f"The header of {name} promises {claimed} frames, but it holds {count}; "
                "all of them are used."
            )
        elif self._ends_early(last):
            self._warn(
                f"{name} is cut off after frame {count - 1} ({end:.2f} s), its header promises "
                f"{float(self.info.duration or 0):.2f} s; the {count} frames there are are used."
            )
        if damage.leading:
            self._warn(
                f"{name} begins with {damage.leading} pictures whose key frame it does not hold: "
                "they cannot be decoded and are left out."
            )
        if damage.refused:
            self._warn(f"{name} is damaged: {damage.refused} packets of it cannot be decoded.")
        if damage.concealed:
            self._warn(
                f"{name} is damaged: {damage.concealed} frames, the first of them "
                f"{damage.first_concealed}, are decoded with errors."
            )
        if clock.breaks:
            self._warn(
                f"The times of {name} begin anew {len(clock.breaks)} time"
                f"{'s' * (len(clock.breaks) > 1)} (first at {float(clock.breaks[0]):.3f} s): what "
                "follows is joined to what was before, and the sound with it."
            )
        if clock.mended:
            self._warn(
                f"{name} holds {clock.mended} frames whose timestamps are missing or do not "
                "grow; they were given times between their neighbours'."
            )

    def _ends_early(self, last: av.VideoFrame) -> bool:
        """Whether a file that counts no frames ends before the length that it claims."""
        info = self.info
        if info.frame_count is not None or info.duration is None or info.stream_duration is None:
            return False
        rate = info.average_rate or Fraction(24)
        end = timestamp(last) * info.time_base - info.start
        return end + max(Fraction(1, 2), 3 / rate) < info.stream_duration

    def _frames_after_seek(self, start: int) -> Generator[tuple[int, av.VideoFrame]] | None:
        """From ``start`` on, or None where a seek cannot be trusted to count exactly."""
        index = self._index()
        if index is None or start >= len(index.pts):
            return None
        before = bisect_right(index.keys, start) - 1
        if before < 1:
            return None
        for key in (before, before - 1):
            frames = self._seek(index, index.keys[key], start)
            first = next(frames, None)
            if first is not None and first.pts == index.pts[start]:
                return self._counted(start, first, frames)
            frames.close()
        return None

    def _counted(
        self, start: int, first: av.VideoFrame, rest: Iterator[av.VideoFrame]
    ) -> Generator[tuple[int, av.VideoFrame]]:
        """Number the frames; where damage stops them, go on from the beginning."""
        number = start
        yield number, first
        del first
        try:
            for frame in rest:
                number += 1
                yield number, frame
        except Restart:
            yield from self._frames_from_start(number + 1)
            return
        index = self._index()
        if index is not None and number + 1 < len(index.pts):
            yield from self._frames_from_start(number + 1)

    def _seek(self, index: _Index, key: int, start: int) -> Generator[av.VideoFrame]:
        with open_container(self.path) as container:
            stream = find_video(container, self.path, self.info.stream_index)
            with contextlib.suppress(FFmpegError, OSError):
                container.seek(index.pts[key], stream=stream, backward=True)
                for frame in decode_frames(container, stream, Damage()):
                    if frame.pts is not None and frame.pts >= index.pts[start]:
                        yield frame

    def _index(self) -> _Index | None:
        if not self._index_built:
            self._index_built = True
            with contextlib.suppress(FFmpegError, OSError), open_container(self.path) as file:
                self._known_index = self._build_index(file)
        return self._known_index

    def _build_index(self, container: InputContainer) -> _Index | None:
        """None unless every packet is whole, timed, and one picture."""
        stream = find_video(container, self.path, self.info.stream_index)
        entries = []
        for packet in read_packets(container, [stream]):
            if not packet.size or packet.is_discard:
                continue
            if packet.pts is None or packet.is_corrupt:
                return None
            entries.append((packet.pts, packet.is_keyframe))
        if self._is_broken([stamp for stamp, _ in entries]):
            return None
        entries.sort()
        pts = [p for p, _ in entries]
        claimed = self.info.frame_count
        if len(set(pts)) != len(pts) or (claimed is not None and claimed != len(pts)):
            return None
        keys = [number for number, (_, is_key) in enumerate(entries) if is_key]
        return _Index(pts, sorted({0, *keys})) if pts else None

    def _is_broken(self, stamps: list[int]) -> bool:
        """Whether the times, in the file's order, go over to another clock."""
        steps = [
            (after - before) * self.info.time_base for before, after in itertools.pairwise(stamps)
        ]
        back = any(step < -_REORDERED for step in steps)
        return back or (may_break(self.info.container) and any(step > GAP for step in steps))

    def pictures_backward(
        self, start: int, stop: int = 0, budget: int = BACKWARD_BUDGET
    ) -> Iterator[Picture]:
        """The pictures ``start``, ``start - 1`` and so on to ``stop``, included.

        Args:
            start: index of the first picture given.
            stop: index of the last.
            budget: bytes of decoded pictures held at once (one picture at least). A group of
                pictures that is longer is decoded several times.

        Raises:
            MediaError: there is no picture ``start``.
        """
        current = start
        while current >= stop:
            kept: deque[Picture] = deque()
            begin = self._begin_backward(current, stop, budget)
            held = 0
            for picture in self.pictures(begin, current + 1):
                kept.append(picture)
                held += picture.nbytes
                while held > budget and len(kept) > 1:
                    held -= kept.popleft().nbytes
            if not kept or kept[-1].index != current:
                raise MediaError(f"{self.path} has no frame {current}.")
            current = kept[0].index - 1
            picture = None
            while kept:
                yield kept.pop()

    def _begin_backward(self, current: int, stop: int, budget: int) -> int:
        """The first picture to decode on the way back from ``current``."""
        index = self._index()
        if index is None:
            return stop
        info = self.info
        size = info.coded_width * info.coded_height * (1 if info.bit_depth == 8 else 2) * 2
        reach = current - max(1, budget // size) + 1
        within = [key for key in index.keys if reach <= key <= current]
        last = bisect_right(index.keys, current) - 1
        return max(stop, within[0] if within else index.keys[last])


def timestamp(frame: av.VideoFrame) -> int:
    """A frame's presentation time in its stream's time base; ``_Clock`` has seen to it."""
    assert frame.pts is not None
    return frame.pts


class _Clock:
    """Gives each frame a presentation timestamp, later than the one before."""

    def __init__(self, info: VideoInfo) -> None:
        self.mended = 0
        rate = info.average_rate or Fraction(24)
        self._step = max(1, round(1 / (rate * info.time_base)))
        self._back = round(BREAK / info.time_base)
        self._gap = round(GAP / info.time_base) if may_break(info.container) else None
        self._time_base = info.time_base
        self._offset = 0
        self._last: int | None = None
        self.breaks: list[Fraction] = []
        """Times in the file, in seconds, at which another clock begins."""

    def set(self, frame: av.VideoFrame) -> None:
        """Keep ``frame.pts`` where it grows; else take its decoding time, else the next step."""
        if frame.pts is not None:
            frame.pts = self._joined(frame.pts)
        pts, last = frame.pts, self._last
        if pts is None or (last is not None and pts <= last):
            decoded = None if frame.dts is None else frame.dts + self._offset
            if decoded is not None and (last is None or decoded > last):
                pts = decoded
            else:
                pts = 0 if last is None else last + self._step
            self.mended += frame.pts is not None or decoded is None
            frame.pts = pts
        self._last = pts

    def _joined(self, pts: int) -> int:
        """``pts`` on the clip's own clock, where the file goes over to another."""
        moved, last = pts + self._offset, self._last
        if last is None:
            return moved
        back = moved < last - self._back
        ahead = self._gap is not None and moved > last + self._gap
        if back or ahead:
            self.breaks.append(pts * self._time_base)
            self._offset = last + self._step - pts
        return pts + self._offset
