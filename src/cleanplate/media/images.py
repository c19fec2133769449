"""Images in and out: a folder of them is a clip, and a clip can be written as a folder of PNGs."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import cv2

from cleanplate.errors import InputError, MaskError, MediaError
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
_BELIEVED_GAPS = 2  # times as many numbers as images, at most, are taken for a sequence with gaps


def find_images(folder: Path) -> list[Path]:
    """The images in ``folder``, sorted naturally.

    Raises:
        InputError: there are none.
    """
    images = [
        p
        for p in folder.iterdir()
        if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")
    ]
    if not images:
        raise InputError(f"There are no images in {folder}; give a folder that holds some.")
    return sorted(images, key=lambda p: natural_key(p.name))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts frame2 before frame10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(p), p) if p.isdecimal() else (1, 0, p.lower()) for p in parts]


def numbered(names: Iterable[str]) -> dict[int, str]:
    """File names by the number in them: of several digit groups, the last that tells all apart.

    Raises:
        MaskError: a name without a number, or no group of digits that differs in each name.
    """
    listed = list(names)
    groups = [[int(digits) for digits in re.findall(r"\d+", Path(name).stem)] for name in listed]
    for name, digits in zip(listed, groups, strict=True):
        if not digits:
            raise MaskError(f"The file name {name} holds no frame number; expected like 00012.png.")
    for place in range(1, min(map(len, groups), default=0) + 1):
        numbers = [digits[-place] for digits in groups]
        if len(set(numbers)) == len(numbers):
            return dict(sorted(zip(numbers, listed, strict=True)))
    raise MaskError(
        f"The numbers in the names {', '.join(sorted(listed)[:3])}, ... do not tell the files "
        "apart; give each file the number of its frame."
    )


def images_by_number(files: Sequence[Path]) -> dict[int, Path]:
    """Images by the number in their names.

    Raises:
        MaskError: a name without a number, or no group of digits that differs in each name.
    """
    names = numbered(file.name for file in files)
    paths = {file.name: file for file in files}
    return {number: paths[name] for number, name in names.items()}


def _places(files: Sequence[Path]) -> tuple[list[int], list[int]]:
    """Where each image stands in time, in frames from the first; and the numbers that are missing.

    Numbers that are no count of frames (clock times, say) are not believed: then one follows the
    other.
    """
    plain = list(range(len(files)))
    try:
        numbers = list(images_by_number(files))
    except MaskError:
        return plain, []
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    if not steps or list(images_by_number(files).values()) != list(files):
        return plain, []
    step = min(steps)
    even = all(number % step == 0 for number in steps)
    if not even or (numbers[-1] - numbers[0]) // step >= _BELIEVED_GAPS * len(files):
        return plain, []
    there = set(numbers)
    missing = [number for number in range(numbers[0], numbers[-1], step) if number not in there]
    return [(number - numbers[0]) // step for number in numbers], missing


class ImageClip:
    """A folder of images, or one image: a picture each, ``rate`` of them a second."""

    def __init__(self, path: Path, files: Sequence[Path], rate: Fraction) -> None:
        if rate <= 0:
            raise InputError(f"The rate is {rate} frames a second; give one above 0.")
        self.path = path
        self.warnings: list[str] = []
        self._files = list(files)
        self._rate = rate
        self._copier = FrameCopier()
        count = len(self._files)
        self._places, missing = _places(self._files)
        self._end = self._places[-1] + 1
        if missing:
            listed = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
            self.warnings.append(
                f"{path} has a gap: {len(missing)} of its images are missing ({listed}); the image "
                "before is shown in their place."
            )
        self.info: VideoInfo = dataclasses.replace(
            probe_file(self._files[0]),
            path=str(path),
            container="images",
            average_rate=rate,
            time_base=1 / rate,
            frame_count=count,
            start=Fraction(0),
            duration=self._end / rate,
            stream_duration=self._end / rate,
            bit_rate=None,
            streams=(),
        )

        if self.info.stored_format and re.search(r"f(16|32)", self.info.stored_format):
            self.warnings.append(
                f"{path} holds floating-point samples ({self.info.stored_format}): they are worked "
                "on and written with 16 bits, values outside 0 to 1 cut off."
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
        if orientation.transpose != (self.info.rotation in (90, 270)):
            raise MediaError(
                f"{path} is turned by a quarter against the first image; a clip needs one size, "
                "so turn the images alike."
            )
        palette = make_palette(frame, orientation, self._copier)
        place = self._places[index]
        after = self._places[index + 1] if index + 1 < len(self._places) else self._end
        return Picture(index, place / self._rate, (after - place) / self._rate, frame, palette)

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
