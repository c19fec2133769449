"""The one door to what a user brings: a video, an animated GIF, an image, a folder of images."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol, Self

from cleanplate.errors import InputError
from cleanplate.media.decode import IMAGE_SUFFIXES
from cleanplate.media.images import DEFAULT_RATE, ImageClip, find_images
from cleanplate.media.picture import Picture
from cleanplate.media.video import BACKWARD_BUDGET, VideoClip
from cleanplate.types import VideoInfo


class Clip(Protocol):
    """What a user brings: a video, a GIF, an image, a folder of images."""

    info: VideoInfo
    warnings: list[str]
    """What a person should know, complete once all pictures were read."""

    def pictures(self, start: int = 0, stop: int | None = None) -> Iterator[Picture]:
        """The pictures from index ``start`` up to, not including, ``stop``."""
        ...

    def pictures_backward(
        self, start: int, stop: int = 0, budget: int = BACKWARD_BUDGET
    ) -> Iterator[Picture]:
        """The pictures ``start``, ``start - 1`` and so on to ``stop``, included."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_clip(path: str | Path, rate: Fraction = DEFAULT_RATE, stream: int | None = None) -> Clip:
    """Open a clip; it is read lazily, and every iterator over it is independent.

    Args:
        path: a file with video, an animated GIF, an image, or a folder of images, which are
            sorted naturally (2 before 10).
        rate: frames a second of a folder of images, which carry no times.
        stream: index in the file of the video stream to work on; None: the one that plays.

    Raises:
        InputError: there is nothing at ``path``, or no such video stream.
        MediaError: nothing in it can be decoded; the message says why.
    """
    path = Path(path)
    if path.is_dir():
        return ImageClip(path, find_images(path), rate)
    if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
        return ImageClip(path, [path], rate)
    if not path.exists():
        raise InputError(f"There is no file or folder {path}; check the name.")
    return VideoClip(path, stream)
