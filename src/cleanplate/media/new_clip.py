"""A new clip from RGB pictures and sound: the sample, wipes, previews. H.264 and AAC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from cleanplate.files.publish import publishing


def write_clip(
    path: Path,
    images: Iterable[np.ndarray],
    rate: Fraction,
    sound: np.ndarray | None = None,
    sample_rate: int = 48000,
    crf: int = 16,
    options: Mapping[str, str] | None = None,
) -> int:
    """Write a clip, published by rename.

    Args:
        path: ends in ``.mp4``, ``.mov`` or ``.mkv``.
        images: (H, W, 3) uint8 RGB, all of one size; an odd edge is cut by a pixel.
        rate: frames a second.
        sound: (channels, samples) float32 in -1..1, or None for a silent clip.
        sample_rate: of ``sound``, in Hz.
        crf: quality of libx264; less is better.
        options: further ones of libx264, such as ``preset``.

    Returns:
        How many frames were written.
    """
    count = 0
    with publishing(path) as draft, av.open(str(draft), "w") as container:
        video = container.add_stream(
            "libx264", rate=rate, options={"crf": str(crf), **(options or {})}
        )
        video.pix_fmt = "yuv420p"
        context = video.codec_context
        # BT.709, limited range: said, not left to a player's guess.
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1
        audio = None
        if sound is not None:
            layout = "mono" if len(sound) == 1 else "stereo"
            audio = container.add_stream("aac", rate=sample_rate, layout=layout)
        for image in images:
            height, width = (size & ~1 for size in image.shape[:2])
            if count == 0:
                video.width, video.height = width, height
            picture = np.ascontiguousarray(image[:height, :width])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)
            frame.pts, frame.time_base = count, 1 / rate
            container.mux(video.encode(frame))
            count += 1
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            _mux_sound(container, audio, sound, sample_rate)
    return count


def _mux_sound(container, audio, sound: np.ndarray, sample_rate: int) -> None:
    samples = np.ascontiguousarray(sound, np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=audio.layout.name)
    frame.sample_rate, frame.pts = sample_rate, 0
    fifo = av.AudioFifo()
    fifo.write(frame)
    for block in fifo.read_many(audio.codec_context.frame_size or 1024, partial=True):
        container.mux(audio.encode(block))
    container.mux(audio.encode(None))
