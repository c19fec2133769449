"""Sound that an output cannot carry as it is, encoded anew when a person asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.filter import Graph
from av.stream import Stream

from cleanplate.errors import MediaError

# What each container's players take, and the rates that its encoder takes, best first.
_ENCODERS = {"mp4": "aac", "mov": "aac", "matroska": "aac", "webm": "libopus"}
_ANY_RATE = 48000
_SAMPLE_FORMATS = {"aac": "fltp", "libopus": "s16"}
_USUAL_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_BLOCK = {"aac": 1024, "libopus": 960}
_BITS_A_CHANNEL = 128_000


def encoder_for(container: str) -> str:
    """The encoder whose sound the format ``container`` carries."""
    return _ENCODERS[container]


def can_decode(stream: Stream) -> bool:
    """Whether ``stream`` is sound that the bundled FFmpeg understands."""
    context = stream.codec_context
    return stream.type == "audio" and context is not None and bool(context.codec.is_decoder)


def _sound_of(old: AudioStream, encoder: str) -> tuple[int, str, int]:
    """Rate, layout and channels nearest to those of ``old`` that ``encoder`` takes."""
    context = old.codec_context
    channels = context.layout.nb_channels
    usual = _USUAL_LAYOUTS.get(channels, "stereo")
    for rate in (context.sample_rate, _ANY_RATE):
        for layout in (context.layout.name, usual, "stereo"):
            if _opens(encoder, rate, layout):
                return rate, layout, av.AudioLayout(layout).nb_channels
    raise MediaError(f"{encoder} cannot encode the sound #{old.index}; leave --sound out.")


def _opens(encoder: str, rate: int, layout: str) -> bool:
    trial = cast(AudioCodecContext, av.CodecContext.create(encoder, "w"))
    try:
        trial.sample_rate, trial.layout = rate, layout
        trial.format = _SAMPLE_FORMATS[encoder]
        trial.time_base = Fraction(1, rate)
        trial.open()
    except (FFmpegError, ValueError):
        return False
    return True


class SoundEncoder:
    """Encodes one stream anew; silence fills the gaps in its times, what overlaps is cut."""

    def __init__(self, out: OutputContainer, old: AudioStream, container: str) -> None:
        self.old = old
        self.damaged = 0
        name = encoder_for(container)
        rate, layout, channels = _sound_of(old, name)
        self.stream = cast(AudioStream, out.add_stream(name, rate=rate, layout=layout))
        self.stream.codec_context.bit_rate = _BITS_A_CHANNEL * channels
        self.stream.codec_context.time_base = Fraction(1, rate)
        self._rate, self._layout, self._block = rate, layout, _BLOCK[name]
        self._graph: Graph | None = None
        self._first: Fraction | None = None

    def encode(self, packet: av.Packet | None) -> Iterator[av.Packet]:
        """Packets of the new stream from one of the old, whose times rise; None at the end."""
        if packet is not None and self._first is None:
            self._first = (packet.pts or 0) * packet.time_base
        try:
            frames = self.old.codec_context.decode(packet)
        except FFmpegError:
            self.damaged += 1
            return
        for frame in frames:
            yield from self._encoded(cast(AudioFrame, frame))
        if packet is None:
            yield from self._encoded(None)

    def _encoded(self, frame: AudioFrame | None) -> Iterator[av.Packet]:
        if self._graph is None:
            if frame is None:
                return
            self._graph = self._build(frame)
        self._graph.push(frame)
        while True:
            try:
                block = cast(AudioFrame, self._graph.pull())
            except (BlockingIOError, EOFError):
                break
            yield from self.stream.encode(block)
        if frame is None:
            yield from self.stream.encode(None)

    def _build(self, frame: AudioFrame) -> Graph:
        graph = Graph()
        sample_format = self.stream.codec_context.format.name
        links = [
            graph.add_abuffer(
                sample_rate=frame.sample_rate,
                format=frame.format.name,
                layout=frame.layout.name,
                time_base=frame.time_base,
            ),
            graph.add("aresample", f"{self._rate}:async=1"),
            graph.add(
                "aformat",
                f"sample_fmts={sample_format}:sample_rates={self._rate}"
                f":channel_layouts={self._layout}",
            ),
            graph.add("asetnsamples", f"n={self._block}:p=0"),
            graph.add("abuffersink"),
        ]
        graph.link_nodes(*links).configure()
        return graph
