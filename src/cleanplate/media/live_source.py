"""Pictures and sound as they come from something that plays and may break.

Whatever a source does, what is given out has one size, one pixel format and times that begin at 0
and grow: a change of size is scaled away, a clock that jumps is joined to what was before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.filter import Graph
from av.stream import Stream
from av.video.stream import VideoStream

from cleanplate.errors import MediaError
from cleanplate.media.addresses import Address
from cleanplate.media.decode import reason, video_streams
from cleanplate.media.images import ImageClip, find_images
from cleanplate.media.layout import viewable_format
from cleanplate.media.orientation import Orientation
from cleanplate.media.picture import FrameCopier, Palette, Picture, make_palette

GAP = Fraction(2)  # seconds between two pictures beyond which a clock is said to have jumped
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 8.0  # seconds before another attempt to open a source
_NOMINAL = Fraction(1, 25)  # seconds, of a picture whose source says nothing


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """One packet of sound, as it was encoded."""

    packet: av.Packet
    time: Fraction
    """In seconds, of the same clock as the pictures'."""


@dataclass(slots=True)
class Mishaps:
    """What a source did, counted."""

    reconnects: int = 0
    jumps: int = 0
    """Times at which its clock jumped."""
    resized: int = 0
    """Changes of its picture's size or format."""
    damaged: int = 0
    """Packets that could not be decoded."""
    notes: list[str] = field(default_factory=list[str])
    """The first of each kind, in words; bounded by the kinds."""

    def note(self, sentence: str) -> None:
        """Keep ``sentence``, for a person."""
        self.notes.append(sentence)


class Timeline:
    """Turns a source's stamps into times that begin at 0 and grow."""

    def __init__(self) -> None:
        self._offset: Fraction | None = None
        self._stamp = self._time = Fraction(-1)
        self._step = _NOMINAL
        self._seen = 0.0
        self.jumped = Fraction(0)
        """By how much the stamp last given to ``at`` jumped, in seconds; 0: not at all."""

    def at(self, stamp: Fraction | None, now: float) -> Fraction:
        """The time of the next picture.

        Args:
            stamp: its own, in seconds; None: it has none.
            now: of the machine's clock, in seconds; a jump is as long as it took.
        """
        self.jumped = Fraction(0)
        if self._offset is None:
            self._offset = -(stamp or Fraction(0))
            self._time = Fraction(0)
        else:
            step = self._step if stamp is None else stamp - self._stamp
            if not 0 < step <= GAP:
                self.jumped = step
                passed = Fraction(max(now - self._seen, 0)).limit_denominator(1000)
                step = max(self._step, passed if step > GAP or passed > GAP else self._step)
            else:
                self._step = step
            self._time += step
            if stamp is not None:
                self._offset = self._time - stamp
        self._stamp = self._time - self._offset if stamp is None else stamp
        self._seen = now
        return self._time

    def of_sound(self, stamp: Fraction) -> Fraction | None:
        """The time of a packet of sound; None before the first picture."""
        return None if self._offset is None or stamp + self._offset < 0 else stamp + self._offset

    @property
    def step(self) -> Fraction:
        """Seconds from the picture before to the latest."""
        return self._step


class LiveSource:
    """Something that plays, opened again when it breaks off."""

    def __init__(
        self,
        address: Address,
        rate: Fraction | None = None,
        loops: int = 1,
        patience: float = 30.0,
        with_sound: bool = True,
    ) -> None:
        """
        Args:
            address: what to open.
            rate: frames a second: of a folder of images, or instead of a file's own.
            loops: how often a file or folder is played; 0 without an end.
            patience: seconds for which a camera or stream that broke off is tried again.
            with_sound: whether sound is given out.
        """
        self.address, self.mishaps = address, Mishaps()
        self._rate, self._loops, self._patience = rate, loops, patience
        self._with_sound = with_sound
        self._copier = FrameCopier()
        self._timeline = Timeline()
        self._index = 0
        self._turned = False  # a file begins again: its clock jumps as it should
        self._shape: tuple[int, int, str] | None = None
        self._palette: Palette | None = None
        self._fitter: _Fitter | None = None
        self.sound_stream: av.AudioStream | None = None
        """Whose packets are given out; known with the first picture."""
        self.frame_rate = rate or Fraction(25)
        """Frames a second, as the source says."""
        self.interrupted: Callable[[], bool] = lambda: False
        """Asked while waiting for a source to come back."""

    def events(self) -> Generator[Picture | Sound]:
        """Pictures and sound in the order in which they come, until the source ends.

        Raises:
            MediaError: nothing can be read, or a camera or stream did not come back.
        """
        if self.address.kind == "folder":
            yield from self._images()
        elif self.address.may_return:
            yield from self._again_and_again()
        else:
            yield from self._played()

    def _played(self) -> Iterator[Picture | Sound]:
        turn = 0
        while self._loops == 0 or turn < self._loops:
            before = self._index
            yield from self._opened()
            if self._index == before:
                raise MediaError(f"No picture could be decoded from {self.address.name}.")
            turn += 1
            self._turned = True
            if self.address.kind != "file":
                return

    def _again_and_again(self) -> Iterator[Picture | Sound]:
        wait, since = _FIRST_WAIT, time.monotonic()
        while not self.interrupted():
            before, why = self._index, "it ended"
            try:
                yield from self._opened()
            except MediaError as error:
                why = str(error)
            if self._index > before:
                wait, since = _FIRST_WAIT, time.monotonic()
            if time.monotonic() - since > self._patience:
                if self._index:
                    self.mishaps.note(
                        f"{self.address.name} broke off ({why}) and did not come back within "
                        f"{self._patience:g} s."
                    )
                    return
                raise MediaError(
                    f"{self.address.name} cannot be read ({why}); check that it is sending."
                )
            until = time.monotonic() + wait
            while time.monotonic() < until and not self.interrupted():
                time.sleep(0.05)
            wait = min(2 * wait, _LONGEST_WAIT)
            if self._index:
                self.mishaps.reconnects += 1

    def _opened(self) -> Generator[Picture | Sound]:
        try:
            container = self._open()
        except (FFmpegError, OSError, ValueError) as error:
            raise MediaError(
                f"{self.address.name} cannot be opened ({reason(error)}); give something that "
                "ffplay plays."
            ) from error
        with container:
            streams = video_streams(container)
            if not streams:
                raise MediaError(f"{self.address.name} holds no picture; give a video.")
            video = streams[0]
            video.thread_type = "SLICE"  # a thread for each frame would hold frames back
            wanted: list[Stream] = [video]
            if self._with_sound and container.streams.audio:
                self.sound_stream = container.streams.audio[0]
                wanted.append(self.sound_stream)
            if self._rate is None and video.average_rate:
                self.frame_rate = Fraction(video.average_rate)
            yield from self._decoded(container, video, wanted)

    def _open(self) -> InputContainer:
        address = self.address
        options = dict(address.options)
        if address.plays_by_itself:
            options |= {"probesize": "1000000", "analyzeduration": "500000"}  # microseconds
        return av.open(
            address.url,
            format=address.format,
            options=options,
            timeout=(10.0, 5.0) if address.may_return else None,
            metadata_errors="replace",
        )

    def _decoded(
        self, container: InputContainer, video: VideoStream, wanted: list[Stream]
    ) -> Generator[Picture | Sound]:
        packets = container.demux(*wanted)
        while True:
            try:
                packet = next(packets, None)
            except (FFmpegError, OSError) as error:
                if self.address.may_return:
                    raise MediaError(reason(error)) from error
                self.mishaps.damaged += 1
                packet = None
            if packet is None:
                return
            if packet.stream is not video:
                if packet.pts is not None:
                    stamp = self._timeline.of_sound(packet.pts * packet.time_base)
                    if stamp is not None:
                        yield Sound(packet, stamp)
                continue
            try:
                frames = video.codec_context.decode(packet)
            except (FFmpegError, ValueError) as error:
                if not isinstance(error, EOFError):
                    self.mishaps.damaged += 1
                continue
            for frame in frames:
                yield self._picture(frame, video.time_base)

    def _picture(self, frame: av.VideoFrame, time_base: Fraction | None) -> Picture:
        stamp = None
        if self._rate is not None:
            stamp = self._index / self._rate
        elif frame.pts is not None and time_base:
            stamp = frame.pts * time_base
        moment = self._timeline.at(stamp, time.monotonic())
        if self._timeline.jumped and not self._turned:
            self._count_jump(moment)
        self._turned = False
        frame = self._fitted(frame)
        if self._palette is None:
            self._palette = make_palette(frame, Orientation(), self._copier)
        picture = Picture(self._index, moment, self._timeline.step, frame, self._palette)
        self._index += 1
        return picture

    def _count_jump(self, moment: Fraction) -> None:
        self.mishaps.jumps += 1
        if self.mishaps.jumps == 1:
            self.mishaps.note(
                f"The clock of {self.address.name} jumped by {float(self._timeline.jumped):.2f} s "
                f"at {float(moment):.2f} s; what follows is joined to what was before."
            )

    def _fitted(self, frame: av.VideoFrame) -> av.VideoFrame:
        """``frame`` in the size and pixel format of the first one."""
        name = viewable_format(frame.format.name)
        if name != frame.format.name:
            frame = _like(frame.reformat(format=name), frame)
        shape = (frame.width, frame.height, frame.format.name)
        if self._shape is None:
            self._shape = shape
        if shape == self._shape:
            return frame
        if self._fitter is None or self._fitter.given != shape:
            self._fitter = _Fitter(shape, self._shape, frame)
            self.mishaps.resized += 1
            if self.mishaps.resized == 1:
                self.mishaps.note(
                    f"The picture of {self.address.name} changes from "
                    f"{self._shape[0]}x{self._shape[1]} to {shape[0]}x{shape[1]}; it is shown in "
                    "the first size."
                )
        return self._fitter.fit(frame)

    def _images(self) -> Iterator[Picture]:
        rate = self._rate or Fraction(24)
        self._rate = self.frame_rate = rate
        folder = Path(self.address.url)
        turn = 0
        while self._loops == 0 or turn < self._loops:
            for picture in ImageClip(folder, find_images(folder), rate).pictures():
                yield self._picture(picture.frame, None)
            turn += 1


class _Fitter:
    """Brings pictures to another size, with black where the shape differs."""

    def __init__(
        self, given: tuple[int, int, str], wanted: tuple[int, int, str], like: av.VideoFrame
    ) -> None:
        self.given = given
        width, height, name = wanted
        graph = Graph()
        source = graph.add_buffer(
            width=given[0],
            height=given[1],
            format=like.format,
            time_base=like.time_base or Fraction(1, 1000),
        )
        scale = graph.add(
            "scale", f"w={width}:h={height}:force_original_aspect_ratio=decrease:flags=bicubic"
        )
        pad = graph.add("pad", f"w={width}:h={height}:x=-1:y=-1")
        form = graph.add("format", name)
        graph.link_nodes(source, scale, pad, form, graph.add("buffersink")).configure()
        self._graph = graph

    def fit(self, frame: av.VideoFrame) -> av.VideoFrame:
        self._graph.vpush(frame)
        return self._graph.vpull()


def _like(made: av.VideoFrame, frame: av.VideoFrame) -> av.VideoFrame:
    made.pts, made.time_base = frame.pts, frame.time_base
    return made
