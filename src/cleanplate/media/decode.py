"""From a file to decoded frames in presentation order, damage named and not hidden."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from cleanplate.errors import InputError, MediaError
from cleanplate.media.layout import viewable_format

# One picture each, told by content and never by a pattern such as %03d in their name.
IMAGE_SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("png", "jpg", "jpeg", "jpe", "bmp", "tif", "tiff", "webp"),
        *("ppm", "pgm", "pnm", "jp2", "exr", "dpx", "tga"),
    )
)
_PACKETS_LOOKED_AT = 500  # of all video streams, to tell a thumbnail from what plays
_NOT_VIDEO = frozenset({"tty", "concat", "lrc"})  # FFmpeg paints texts as video, or follows lists
_ALPHA_DECODERS = {"vp9": "libvpx-vp9", "vp8": "libvpx"}
# With a thread for each frame, FFmpeg 8's FFV1 decoder frees a damaged frame's state under the
# next one's hands and takes the process down. It decodes the slices of a frame side by side.
_SLICES_ONLY = frozenset({"ffv1"})


def open_container(path: Path) -> InputContainer:
    """Open the file ``path`` for reading, and nothing that it may point to.

    Raises:
        InputError: there is no such file.
        MediaError: it is not something that FFmpeg can read.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}; check the name.")
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty (0 bytes); give a video.")
    if is_animated_webp(path):
        raise MediaError(
            f"{path} is an animated WebP, which the bundled FFmpeg cannot decode; convert it to a "
            "GIF, a video or a folder of PNGs."
        )
    options = {"protocol_whitelist": "file"}
    try:
        if path.suffix.lower() in IMAGE_SUFFIXES:
            container = av.open(io.BytesIO(path.read_bytes()), mode="r", metadata_errors="replace")
        else:
            name = str(path.resolve())
            container = av.open(name, mode="r", metadata_errors="replace", options=options)
    except (FFmpegError, OSError, ValueError, RuntimeError) as error:
        raise MediaError(
            f"{path} is not a video that can be read ({reason(error)}); "
            "give a file that a player plays."
        ) from error
    if container.format.name in _NOT_VIDEO:
        container.close()
        raise MediaError(f"{path} is a text and not a video; give a file that a player plays.")
    return container


def is_animated_webp(path: Path) -> bool:
    """Whether ``path`` is a WebP whose header (VP8X) bears the flag of animation."""
    with path.open("rb") as file:
        head = file.read(21)
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20] & 2)


def reason(error: BaseException) -> str:
    """What FFmpeg says went wrong, as a clause."""
    said = str(getattr(error, "strerror", None) or error).strip().rstrip(".")
    return said or type(error).__name__


def video_streams(container: InputContainer) -> list[VideoStream]:
    """The moving pictures in a file; cover pictures are not."""
    return [
        stream
        for stream in container.streams.video
        if not stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails)
    ]


def find_video(container: InputContainer, path: Path, number: int | None = None) -> VideoStream:
    """The stream to process: of those that play, the first marked default, else the first.

    Args:
        container: the open file.
        path: where it lies, for messages.
        number: index in the file of the stream that is wanted; None: chosen as said.

    Raises:
        InputError: the wanted stream is no video.
        MediaError: there is none that can be decoded.
    """
    streams = video_streams(container)
    if number is not None:
        wanted = next((s for s in streams if s.index == number and s.codec_context), None)
        if wanted is None:
            known = ", ".join(str(stream.index) for stream in streams) or "none"
            raise InputError(
                f"Stream {number} of {path} is no video that can be worked on; its video streams "
                f"are: {known}."
            )
        return wanted
    if not streams:
        cover = " but a cover picture" if len(container.streams.video) else ""
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise MediaError(
            f"{path} holds no video{cover} (it holds: {kinds}); give a file with a video stream."
        )
    playing = [s for s in streams if not _is_one_picture(s)] or streams
    if len(playing) > 1:
        playing = _with_pictures(path, playing)
    chosen = next((s for s in playing if s.disposition & Disposition.default), playing[0])
    if chosen.codec_context is None:
        raise MediaError(
            f"The video in {path} is of a codec that the bundled FFmpeg cannot decode; "
            "convert it first."
        )
    return chosen


def _is_one_picture(stream: VideoStream) -> bool:
    """Whether the header says that a stream is a thumbnail or cover, marked so or not."""
    return stream.frames == 1 or stream.codec_context is None


def _with_pictures(path: Path, streams: list[VideoStream]) -> list[VideoStream]:
    """Those of ``streams`` that hold more than one picture, as far as the file's start tells.

    Some containers do not count: a thumbnail is known by its second picture, which never comes.
    """
    counts = dict.fromkeys((stream.index for stream in streams), 0)
    with av.open(str(path)) as container:
        videos = [container.streams[index] for index in counts]
        for packet in itertools.islice(container.demux(videos), _PACKETS_LOOKED_AT):
            counts[packet.stream.index] += packet.size > 0
            if min(counts.values()) > 1:
                break
    return [stream for stream in streams if counts[stream.index] > 1] or streams


@dataclass(slots=True)
class Damage:
    """What went wrong while one stream was decoded."""

    refused: int = 0
    """Packets that the decoder would not take."""
    concealed: int = 0
    """Pictures that the decoder had to patch up."""
    first_concealed: int | None = None
    leading: int = 0
    """Pictures before the first that could be decoded: their key frame is not in the file."""
    cut: str | None = None
    """Why reading stopped before the end of the file."""
    encrypted: bool = False

    @property
    def is_any(self) -> bool:
        """Whether anything was damaged."""
        return bool(self.refused or self.cut)


class Restart(Exception):  # noqa: N818  a signal within this file
    """Threads lose frames around a damaged one; decode again without them."""


def decode_frames(
    container: InputContainer, stream: VideoStream, damage: Damage, *, threads: bool = True
) -> Generator[av.VideoFrame]:
    """The frames of ``stream`` from where ``container`` stands, with pts in its time base.

    With ``threads`` the first damage raises ``Restart``; without, damage is noted and passed by.
    """
    decoder = _decoder(stream, threads)
    time_base = stream.time_base
    begun: list[int] = []
    damage.leading = 0
    first: int | None = None
    for packet in _packets(container, stream, damage, threads):
        try:
            frames = decoder.decode(packet)
        except (FFmpegError, ValueError) as error:
            if isinstance(error, EOFError):
                continue
            if threads:
                raise Restart from error
            damage.refused += 1
            continue
        if packet is not None and packet.pts is not None and not packet.is_discard:
            begun.append(packet.pts)
        for frame in frames:
            first = frame.pts if first is None else first
            frame.time_base = time_base
            name = viewable_format(frame.format.name)
            yield frame if name == frame.format.name else frame.reformat(format=name)
        if first is not None and begun:
            damage.leading += sum(stamp < first for stamp in begun)
            begun.clear()


def _decoder(stream: VideoStream, threads: bool) -> VideoCodecContext:
    name = _ALPHA_DECODERS.get(stream.codec_context.name)
    decoder = stream.codec_context
    if name and stream.metadata.get("alpha_mode") == "1":
        # FFmpeg's own decoder leaves alpha out.
        decoder = cast(VideoCodecContext, av.CodecContext.create(name, "r"))
    if not decoder.is_open:
        use_threads(decoder, threads)
    return decoder


def use_threads(decoder: VideoCodecContext, threads: bool = True) -> None:
    """Have ``decoder`` use all cores, or one thread alone."""
    by_frame = threads and decoder.name not in _SLICES_ONLY
    decoder.thread_type = "AUTO" if by_frame else "SLICE"
    decoder.thread_count = 0 if threads else 1


def _packets(
    container: InputContainer, stream: VideoStream, damage: Damage, threads: bool
) -> Iterator[av.Packet | None]:
    packets = read_packets(container, [stream])
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except (FFmpegError, OSError) as error:
            if threads:
                raise Restart from error
            damage.cut = reason(error)
            break
        if packet.size and packet.has_sidedata("encryption_info"):
            damage.encrypted = True
            return
        if packet.size:
            yield packet
    yield None


def read_packets(
    container: InputContainer, streams: Sequence[Stream]
) -> Generator[av.Packet[Stream]]:
    """The packets of ``streams`` in the file's order."""
    try:
        yield from container.demux(*streams)
    except IndexError:
        return  # how PyAV ends a file in which streams appeared that were not there at first


def decode_file(
    path: Path, damage: Damage, number: int | None = None
) -> Generator[tuple[VideoStream, av.VideoFrame]]:
    """All frames of the video in ``path``, from the first, with the stream that they are of.

    Quick and threaded until something is damaged; then once more from the start, patiently,
    without those already given.

    Raises:
        MediaError: there is no video that can be decoded.
    """
    given = 0
    for threads in (True, False):
        with open_container(path) as container:
            stream = find_video(container, path, number)
            frames = decode_frames(container, stream, damage, threads=threads)
            with contextlib.suppress(Restart), contextlib.closing(frames):
                for number, frame in enumerate(frames):
                    if number >= given:
                        given += 1
                        yield stream, frame
                return
