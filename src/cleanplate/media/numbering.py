"""The numbers that a sequence of images bears in its names: those of its frames, everywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cleanplate.errors import InputError, MaskError
from cleanplate.media.images import find_images, images_by_number
from cleanplate.settings.moments import parse_moment

_DEFAULT_NAME = "{:06d}.png"


def frame_numbers(source: Path, count: int) -> Sequence[int]:
    """The number of each frame of a clip: those in its file names, or 0, 1, 2, ..."""
    if not source.is_dir():
        return range(count)
    files = find_images(source)
    if not all(re.search(r"\d", file.stem) for file in files):
        return range(count)
    return list(images_by_number(files))


def image_names(source: Path, count: int) -> list[str]:
    """The name of each frame in a folder of PNGs: the source's own, or 000000.png, ..."""
    if source.is_dir():
        names = [f"{file.stem}.png" for file in find_images(source)]
        if len(set(names)) == len(names) == count:
            return names
    return [_DEFAULT_NAME.format(index) for index in range(count)]


def index_of(number: int, numbers: Sequence[int]) -> int:
    """The index of the frame that bears ``number``.

    Raises:
        InputError: none does.
    """
    if number in numbers:
        return numbers.index(number)
    missing = " (there is a gap there)" if numbers[0] < number < numbers[-1] else ""
    raise InputError(
        f"Frame {number} is not in the clip{missing}; its frames are {numbers[0]} to {numbers[-1]}."
    )


def typed_numbers(source: Path) -> Sequence[int] | None:
    """The numbers by which frames of ``source`` are typed; None where they are indexes."""
    if not source.is_dir():
        return None
    try:
        return frame_numbers(source, len(find_images(source)))
    except MaskError:  # names whose numbers do not tell them apart: counted from 0
        return None


def span_by_index(
    numbers: Sequence[int], start: str | None, end: str | None
) -> tuple[str | None, str | None]:
    """A span typed by the numbers of frames, with their indexes.

    Args:
        numbers: of all frames.
        start, end: as typed, or None; the end is not included.

    Raises:
        InputError: a number that no frame bears.
    """
    first = None if start is None else parse_moment(start)
    if isinstance(first, int):
        start = f"@{index_of(first, numbers)}"
    stop = None if end is None else parse_moment(end)
    if isinstance(stop, int):
        if not numbers[0] < stop <= numbers[-1] + 1:
            raise InputError(
                f"--end {end} is not in the clip; its frames are {numbers[0]} to {numbers[-1]}, "
                "and the end is not included."
            )
        end = f"@{sum(number < stop for number in numbers)}"
    return start, end
