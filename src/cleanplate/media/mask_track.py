"""Mask tracks: the masks of a whole clip in one file, FFV1 grey in Matroska.

One frame for each frame of the clip, at its time (Matroska rounds to a millisecond); the value of
a pixel is the object's id, 0 is background. Every frame is a key frame, so any one can be read
without the others, and players show it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.stream import VideoStream

from cleanplate.errors import MaskError
from cleanplate.files.publish import publishing
from cleanplate.media.decode import open_container, reason, use_threads

_TIME_BASE = Fraction(1, 1000)  # Matroska's own
_ANY_RATE = Fraction(25)  # for players that ask; times are exact


def write_mask_track(
    path: Path, masks: Iterable[tuple[Fraction, np.ndarray]], rate: Fraction | None
) -> int:
    """Write a mask track and rename it into place when it is whole.

    Args:
        path: ends in ``.mkv``.
        masks: (time in seconds, (H, W) uint8 mask), in order.
        rate: average frames a second, if known; the times say when a frame is shown.

    Returns:
        How many masks were written.
    """
    count, latest = 0, -1
    with publishing(path) as target, av.open(str(target), "w", format="matroska") as container:
        stream = container.add_stream(
            "ffv1", rate=rate or _ANY_RATE, options={"level": "3", "g": "1"}
        )
        stream.pix_fmt = "gray"
        stream.codec_context.time_base = _TIME_BASE
        for time, mask in masks:
            if count == 0:
                stream.height, stream.width = mask.shape
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(mask), format="gray")
            latest = max(latest + 1, round(time / _TIME_BASE))
            frame.pts, frame.time_base = latest, _TIME_BASE
            container.mux(stream.encode(frame))
            count += 1
        if count:
            container.mux(stream.encode(None))
    return count


def is_mask_track(path: Path) -> bool:
    """Whether ``path`` is a video whose grey values are object ids, unharmed by compression.

    Raises:
        MediaError: it is no video at all.
    """
    if path.suffix.lower() not in (".mkv", ".nut", ".avi", ".mov"):
        return False
    with open_container(path) as container:
        video = container.streams.video
        return (
            bool(video)
            and video[0].codec_context.name == "ffv1"
            and (video[0].codec_context.pix_fmt == "gray")
        )


@contextlib.contextmanager
def _decoding(path: Path) -> Iterator[Iterator[av.VideoFrame]]:
    """The frames of the masks in ``path``; what FFmpeg cannot do is a MaskError."""
    try:
        with open_container(path) as container:
            if not container.streams.video:
                raise MaskError(f"{path} holds no pictures; expected the masks of a clip.")
            stream: VideoStream = container.streams.video[0]
            use_threads(stream.codec_context)
            yield container.decode(stream)
    except FFmpegError as error:
        raise MaskError(
            f"The masks in {path} are damaged ({reason(error)}); make them again."
        ) from error


def read_mask_track(path: Path, start: int = 0) -> Iterator[np.ndarray]:
    """The masks from frame ``start`` on: (H, W) uint8, value = object id.

    Raises:
        MaskError: the file is damaged.
    """
    with _decoding(path) as frames:
        for index, frame in enumerate(frames):
            if index >= start:
                yield frame.to_ndarray(format="gray")


def read_video_masks(path: Path) -> Iterator[np.ndarray]:
    """Masks from any other video: white on black, as compressors leave it.

    Yields:
        (H, W) uint8, 1 where the picture is brighter than the middle.

    Raises:
        MaskError: a frame has too much grey to be a mask, or the file is damaged.
    """
    with _decoding(path) as frames:
        for index, frame in enumerate(frames):
            grey = frame.to_ndarray(format="gray")
            between = np.count_nonzero((grey > 64) & (grey < 192)) / grey.size
            if between > 0.1:
                raise MaskError(
                    f"Frame {index} of {path} is not a mask: {between:.0%} of it is neither dark "
                    "nor bright; expected white on black, or a mask track that cleanplate wrote."
                )
            yield (grey >= 128).astype(np.uint8)
