"""Speed of everything but the engine, as a ratio to a plain transcoding loop of the same library.

Run:  python bench/media.py [CLIP...]
Without clips, one of 854x480 and one of 1920x1080 are made. Both ways decode, encode with the same
settings and copy the sound; cleanplate's also reads a region's RGB, composites it back (an engine
that changes nothing), encodes in pieces and assembles and checks the result. Each way runs in turn,
three times; the best of each counts. With --quality it prints instead how an untouched re-encode
compares to its source: PSNR over all samples, and the ratio of sizes.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from cleanplate.arrays.streams import prefetch
from cleanplate.media.assemble import assemble
from cleanplate.media.codecs import EncoderChoice, choose_encoder
from cleanplate.media.composite import Patch, composite
from cleanplate.media.encode import encode_piece
from cleanplate.media.layout import component_views
from cleanplate.media.picture import Picture
from cleanplate.media.read import open_clip
from cleanplate.settings.encoder import EncoderSettings
from cleanplate.types import Box, VideoInfo

PIECE = 250
ROUNDS = 3


def make_clip(path: Path, width: int, height: int, count: int) -> Path:
    """A pan over smooth noise with a tone of grain: as hard to encode as a common film."""
    dice = np.random.default_rng(1)
    coarse = dice.integers(40, 200, (height // 8, width // 4), np.uint8)
    wide = np.kron(coarse, np.ones((8, 8), np.uint8))
    wide = (wide[:-1, :-1].astype(int) + wide[1:, :-1] + wide[:-1, 1:] + wide[1:, 1:]) // 4
    grain = dice.integers(-3, 4, wide.shape)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 0
        for number in range(count):
            left = 2 * number
            luma = wide[:, left : left + width] + grain[:, -left - width : -left or None]
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane, values in zip(frame.planes, (luma, None, None), strict=True):
                view = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
                view[:] = 128
                if values is not None:
                    view[: values.shape[0], : values.shape[1]] = values[: plane.height]
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def plain(source: Path, out: Path, choice: EncoderChoice) -> None:
    """What anyone would write."""
    with av.open(str(source)) as old, av.open(str(out), "w") as new:
        video = old.streams.video[0]
        video.thread_type = "AUTO"
        target = new.add_stream(
            choice.encoder, rate=video.average_rate, options=dict(choice.options)
        )
        target.width, target.height = video.width, video.height
        target.pix_fmt = choice.pixel_format
        target.codec_context.thread_count = 0
        target.codec_context.time_base = video.time_base
        copies = {s.index: new.add_stream_from_template(s) for s in old.streams.audio}
        for packet in old.demux(video, *old.streams.audio):
            if packet.stream is video:
                for frame in packet.decode():
                    frame.pict_type = 0
                    new.mux(target.encode(frame))
            elif packet.size:
                packet.stream = copies[packet.stream.index]
                new.mux(packet)
        new.mux(target.encode(None))


def identity(pictures: Iterator[Picture], info: VideoInfo) -> Iterator[Picture]:
    """Fills a logo's region with what is there: all of the work around an engine, none of its."""
    w, h = info.width, info.height
    box = Box(w // 2, h // 2, w // 2 + w // 6, h // 2 + h // 8)
    alpha = np.ones((box.height, box.width), np.float32)
    for picture in pictures:
        yield composite(picture, [Patch(box, picture.rgb(box), alpha)])


def ours(source: Path, out: Path, choice: EncoderChoice, work: Path) -> None:
    clip = open_clip(source)
    pictures = prefetch(identity(clip.pictures(), clip.info), 4)
    pieces: list[Path] = []
    while (first := next(pictures, None)) is not None:
        run = itertools.chain([first], itertools.islice(pictures, PIECE - 1))
        path = work / f"{len(pieces):06d}.mkv"
        pieces.append(encode_piece(run, path, clip.info, choice).path)
    assemble(source, pieces, out, clip.info, choice)


def compare_speed(source: Path, work: Path) -> None:
    info = open_clip(source).info
    out = work / "out.mp4"
    choice = choose_encoder(info, out, EncoderSettings())
    best = {"plain": float("inf"), "ours": float("inf")}
    for _ in range(ROUNDS):
        for name in best:
            start = time.perf_counter()
            if name == "plain":
                plain(source, out, choice)
            else:
                ours(source, out, choice, work)
            best[name] = min(best[name], time.perf_counter() - start)
    count = info.frame_count or 1
    print(
        f"{source.parent.name}/{source.name} {info.width}x{info.height}: "
        f"plain {count / best['plain']:.1f} frames/s, cleanplate {count / best['ours']:.1f}, "
        f"ratio {best['plain'] / best['ours']:.2f} (wanted: >= 0.80)",
        flush=True,
    )


def compare_quality(source: Path, work: Path) -> None:
    info = open_clip(source).info
    out = work / "out.mp4"
    choice = choose_encoder(info, out, EncoderSettings())
    clip = open_clip(source)
    piece = encode_piece(clip.pictures(), work / "0.mkv", info, choice)
    assemble(source, [piece.path], out, info, choice)
    errors: dict[str, int] = {}
    counts: dict[str, int] = {}
    for old, new in zip(open_clip(source).pictures(), open_clip(out).pictures(), strict=True):
        layout = old.palette.layout
        a, b = component_views(old.frame, layout), component_views(new.frame, layout)
        for role in a:
            apart = a[role].astype(np.int32) - b[role]
            errors[role] = errors.get(role, 0) + int((apart**2).sum(dtype=np.int64))
            counts[role] = counts.get(role, 0) + apart.size
    whole = _psnr(sum(errors.values()), sum(counts.values()))
    luma = _psnr(errors.get("y", 0), counts.get("y", 1))
    size = out.stat().st_size / source.stat().st_size
    print(
        f"{source.parent.name}: {choice.summary}: {whole:.1f} dB (luma {luma:.1f}), "
        f"size x{size:.2f}",
        flush=True,
    )


def _psnr(error: int, count: int) -> float:
    return float(10 * np.log10(255**2 * count / max(1, error)))


def main() -> None:
    named = [Path(a) for a in sys.argv[1:] if not a.startswith("--")]
    compare = compare_quality if "--quality" in sys.argv else compare_speed
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if not named:
            named = [
                make_clip(work / "480p.mp4", 854, 480, 240),
                make_clip(work / "1080p.mp4", 1920, 1080, 96),
            ]
        for source in named:
            compare(source, work)


if __name__ == "__main__":
    main()
