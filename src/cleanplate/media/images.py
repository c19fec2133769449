"""Images in and out: a folder of them is a clip, and a clip can be written as a folder of PNGs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import cv2

from cleanplate.errors import InputError, MediaError
from cleanplate.files.publish import publishing
from cleanplate.media.decode import IMAGE_SUFFIXES, Damage, decode_file, reason
from cleanplate.media.encode import to_format
from cleanplate.media.layout import Layout, find_layout
from cleanplate.media.orientation import Orientation, read_orientation
from cleanplate.media.picture import FrameCopier, Picture, make_palette
from cleanplate.media.probe import display_matrix, probe_file
from cleanplate.media.video import BACKWARD_BUDGET
from cleanplate.types import VideoInfo

DEFAULT_RATE = Fraction(24)


def find_images(folder: Path) -> list[Path]:
    """The images in ``folder``, sorted naturally.

    Raises:
        InputError: there are none.
    """
    found = [
        p
        for p in folder.iterdir()
        if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")
    ]
    if not found:
        raise InputError(f"There are no images in {folder}; give a folder that holds some.")
    return sorted(found, key=lambda p: natural_key(p.name))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts frame2 before frame10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(p), p) if p.isdecimal() else (1, 0, p.lower()) for p in parts]


class ImageClip:
    """A folder of images, or one image: a picture each, ``rate`` of them a second."""

    def __init__(self, path: Path, files: Sequence[Path], rate: Fraction) -> None:
        if rate <= 0:
            raise InputError(f"A rate of {rate} frames a second is none; give one above 0.")
        self.path = path
        self.warnings: list[str] = []
        self._files = list(files)
        self._rate = rate
        self._copier = FrameCopier()
        count = len(self._files)
        self.info: VideoInfo = dataclasses.replace(
            probe_file(self._files[0]),
            path=str(path),
            container="images",
            average_rate=rate,
            time_base=1 / rate,
            frame_count=count,
            start=Fraction(0),
            duration=count / rate,
            stream_duration=count / rate,
            bit_rate=None,
            streams=(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def pictures(self, start: int = 0, stop: int | None = None) -> Iterator[Picture]:
        """The pictures from index ``start`` up to, not including, ``stop``."""
        if start < 0 or (stop is not None and stop < start):
            raise InputError(f"There are no pictures from {start} to {stop}; count from 0 upwards.")
        for index in range(
            start, len(self._files) if stop is None else min(stop, len(self._files))
        ):
            yield self._read(index)

    def pictures_backward(
        self, start: int, stop: int = 0, budget: int = BACKWARD_BUDGET
    ) -> Iterator[Picture]:
        """The pictures ``start``, ``start - 1`` and so on to ``stop``, included."""
        if start >= len(self._files):
            raise MediaError(f"{self.path} has no frame {start}.")
        for index in range(start, stop - 1, -1):
            yield self._read(index)

    def _read(self, index: int) -> Picture:
        path = self._files[index]
        frames = decode_file(path, Damage())
        try:
            _, frame = next(frames, (None, None))
        finally:
            frames.close()
        if frame is None:
            raise MediaError(f"{path} is damaged and cannot be decoded; give a whole copy.")
        frame = self._as_the_first(frame, path)
        orientation = read_orientation(display_matrix(frame)) or Orientation()
        palette = make_palette(frame, orientation, self._copier)
        return Picture(index, index / self._rate, 1 / self._rate, frame, palette)

    def _as_the_first(self, frame: av.VideoFrame, path: Path) -> av.VideoFrame:
        info = self.info
        if (frame.width, frame.height) != (info.coded_width, info.coded_height):
            raise MediaError(
                f"{path} is {frame.width}x{frame.height}, the first image is "
                f"{info.coded_width}x{info.coded_height}; a clip needs one size."
            )
        if frame.format.name == info.pixel_format:
            return frame
        first, other = find_layout(info.pixel_format), find_layout(frame.format.name)
        assert first is not None
        assert other is not None
        if not _holds(first, other):
            raise MediaError(
                f"{path} is {frame.format.name}, the first image is {info.pixel_format}, which "
                "cannot hold it; convert the images to one pixel format."
            )
        return to_format(frame, info.pixel_format, info)


def _holds(first: Layout, other: Layout) -> bool:
    """Whether every value of ``other`` has its place in ``first``."""
    colors = first.is_rgb and (other.is_rgb or other.is_gray)
    return colors and other.bits <= first.bits and (first.has_alpha or not other.has_alpha)


def write_images(
    pictures: Iterable[Picture], folder: Path, *, overwrite: bool = True
) -> list[Path]:
    """Write each picture, upright, as ``folder``/000012.png, numbered by its index.

    Sources of more than 8 bits become PNGs of 16 bits; grey stays grey, transparency is kept.
    Each file appears whole or not at all, so interrupted work goes on with the missing ones.

    Args:
        pictures: what to write.
        folder: made if need be.
        overwrite: False leaves files that exist as they are.

    Raises:
        MediaError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for picture in pictures:
        path = image_path(folder, picture.index)
        if overwrite or not path.exists():
            _write_image(picture, path)
        written.append(path)
    return written


def image_path(folder: Path, index: int) -> Path:
    """Where ``write_images`` puts the picture ``index``."""
    return folder / f"{index:06d}.png"


def _write_image(picture: Picture, path: Path) -> None:
    fine, data = cv2.imencode(".png", picture.for_png())
    if not fine:
        raise MediaError(f"{path} cannot be encoded as PNG.")
    try:
        with publishing(path) as draft:
            draft.write_bytes(data.tobytes())
    except OSError as error:
        raise MediaError(f"{path} cannot be written: {reason(error)}.") from error
