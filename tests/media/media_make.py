"""Makes the odd files that the tests of media read. Nothing is copied from anywhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from cleanplate.media.assemble import AssembleReport, assemble
from cleanplate.media.codecs import choose_encoder
from cleanplate.media.encode import encode_piece
from cleanplate.media.fields import FieldMarker
from cleanplate.media.layout import component_views, find_layout
from cleanplate.media.picture import Picture
from cleanplate.media.read import open_clip
from cleanplate.media.stream_plan import plan_streams
from cleanplate.settings.encoder import EncoderSettings

RATE = Fraction(24)


def make_frame(number: int, width: int, height: int, pixel_format: str) -> av.VideoFrame:
    """Smooth shapes that move, and a fixed fine texture; every component differs."""
    layout = find_layout(pixel_format)
    assert layout is not None
    frame = av.VideoFrame(width, height, pixel_format)
    for plane in frame.planes:
        np.frombuffer(plane, np.uint8)[:] = 0
    top = (1 << layout.bits) - 1
    for place, (role, view) in enumerate(component_views(frame, layout).items()):
        y, x = np.mgrid[: view.shape[0], : view.shape[1]]
        wave = np.sin((x + 2 * number) / (7 + place)) * np.cos((y - number) / (9 - place))
        texture = (x * 31 + y * 17) % 5 - 2
        reach = 0.35 if role in "yrgba" else 0.15
        values = (0.5 + reach * wave) * top + texture * (top / 255)
        shift = next(c.shift for c in layout.components if c.role == role)
        view[...] = np.clip(values, 0, top).astype(np.int64) << shift
    return frame


def make_video(
    path: Path,
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    count: int = 20,
    rate: Fraction = RATE,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    options: dict[str, str] | None = None,
    matrix: Sequence[int] | None = None,
    aspect: Fraction | None = None,
    color: dict[str, int] | None = None,
    metadata: dict[str, str] | None = None,
    stream_metadata: dict[str, str] | None = None,
    container_format: str | None = None,
    container_options: dict[str, str] | None = None,
    audio: float | None = None,
    audio_start: Fraction = Fraction(0),
    audio_codec: str = "aac",
    flags: int = 0,
    field_order: int | None = None,
    before: Any = None,
    packets: Any = None,
) -> Path:
    """Write a clip.

    Args:
        pts: presentation times in ``time_base``; evenly at ``rate`` when None.
        audio: seconds of a tone beside the picture.
        before: called with the container before anything is written, to add streams.
        packets: called with the container after the streams were opened, to write to them.
    """
    time_base = time_base or 1 / rate
    with av.open(
        str(path), "w", format=container_format, container_options=container_options or {}
    ) as out:
        out.metadata.update(metadata or {})
        stream = out.add_stream(codec, rate=rate, options=options or {})
        stream.metadata.update(stream_metadata or {})
        context = stream.codec_context
        context.width, context.height = size
        context.pix_fmt = pixel_format
        context.time_base = time_base
        stream.time_base = time_base
        context.flags |= flags
        if field_order is not None:
            context.field_order = field_order
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        for tag, value in (color or {}).items():
            setattr(context, tag, value)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        sound = out.add_stream(audio_codec, rate=48000) if audio else None
        if sound is not None:
            sound.codec_context.bit_rate = 128_000
        extra = before(out) if before else None
        out.start_encoding()
        if packets:
            packets(out, extra)
        if sound is not None:
            for frame in _tone(audio or 0, audio_start):
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
        marker = None
        for number in range(count):
            frame = make_frame(number, *size, pixel_format)
            for tag, value in (color or {}).items():
                setattr(frame, tag, value)
            frame.time_base = time_base
            if field_order is not None:
                marker = marker or FieldMarker({2: "top first", 3: "bottom first"}[field_order])
                frame = marker.mark(frame)
            frame.pts = number if pts is None else pts[number]
            frame.time_base = time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def _tone(seconds: float, start: Fraction) -> Iterator[av.AudioFrame]:
    for number in range(int(seconds * 48000 / 1024)):
        t = np.arange(number * 1024, (number + 1) * 1024) / 48000
        wave = np.sin(2 * np.pi * 440 * t).astype(np.float32) / 4
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        frame.pts = number * 1024 + int(start * 48000)
        frame.time_base = Fraction(1, 48000)
        yield frame


def samples(picture: Picture) -> dict[str, np.ndarray]:
    """Copies of all samples of a picture, by role."""
    return {k: v.copy() for k, v in component_views(picture.frame, picture.palette.layout).items()}


def times(path: Path) -> list[Fraction]:
    """Presentation times of all pictures."""
    return [picture.time for picture in open_clip(path).pictures()]


def remake(
    source: Path,
    out: Path,
    settings: EncoderSettings | None = None,
    change: Any = None,
    piece: int = 7,
    **span: Any,
) -> AssembleReport:
    """The whole way: read, ``change`` each picture, encode in pieces, assemble."""
    clip = open_clip(source)
    choice = choose_encoder(clip.info, out, settings or EncoderSettings())
    work = out.with_suffix(".pieces")
    work.mkdir(exist_ok=True)
    pictures = clip.pictures()
    if change is not None:
        pictures = map(change, pictures)
    if span.get("start") is not None:
        start, end = span["start"], span.get("end")
        pictures = (p for p in pictures if p.time >= start and (end is None or p.time < end))
    pieces = []
    while (first := next(iter(pictures), None)) is not None:
        run = itertools.chain([first], itertools.islice(pictures, piece - 1))
        path = work / f"{len(pieces):06d}.mkv"
        pieces.append(encode_piece(run, path, clip.info, choice).path)
    sound = (settings or EncoderSettings()).sound
    plan = plan_streams(source, clip.info, out, choice, sound) if sound == "encode" else None
    return assemble(source, pieces, out, clip.info, choice, plan=plan, **span)


def packets_of(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """Time and content of every packet of the streams of ``kind``, in the file's order."""
    with av.open(str(path)) as container:
        wanted = [s for s in container.streams if s.type == kind]
        if not wanted:
            return []
        return [((p.pts or 0) * p.time_base, bytes(p)) for p in container.demux(wanted) if p.size]
