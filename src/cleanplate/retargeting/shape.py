"""The shape that is asked for, and the largest part of a picture that has it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from cleanplate.errors import InputError
from cleanplate.media.crop import CropSize
from cleanplate.media.layout import find_layout
from cleanplate.media.pad import Room
from cleanplate.settings.retarget import RetargetSettings
from cleanplate.types import VideoInfo

_MOST = 16384  # px of a side that encoders take
_EXAMPLES = "give it as 9:16, 1:1 or 4:5"


@dataclass(frozen=True, slots=True)
class Shape:
    """Width to height as seen on the screen, and the size in px where one is asked for."""

    aspect: Fraction
    size: tuple[int, int] | None = None
    """(width, height) in square px; None: as large as it is cut out."""

    @classmethod
    def parse(cls, aspect: str | None, size: str | None) -> Shape:
        """From texts such as ``9:16`` and ``1080x1920``.

        Raises:
            InputError: neither is given, one is of another form, or they contradict each other.
        """
        if size is None:
            if aspect is None:
                raise InputError(f"No shape is asked for; {_EXAMPLES} with --aspect.")
            return cls(_parse_aspect(aspect))
        width, height = _parse_size(size)
        shape = cls(Fraction(width, height), (width, height))
        if aspect is not None:
            wanted = _parse_aspect(aspect)
            if abs(height * wanted - width) > 2:
                raise InputError(
                    f"{size} is not {aspect}: with {height} px of height that is "
                    f"{_even(height * wanted)}x{height}; leave one of --aspect and --size out."
                )
        return shape


def _parse_aspect(text: str) -> Fraction:
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)(?:[:/](\d+(?:\.\d+)?))?", text.strip())
    numbers = [Fraction(part) for part in parts.groups(default="1")] if parts else [Fraction(0)]
    if not all(numbers):
        raise InputError(f"{text!r} is no aspect; {_EXAMPLES}.")
    aspect = numbers[0] / numbers[1]
    if not Fraction(1, 10) <= aspect <= 10:
        raise InputError(f"The aspect {text} is more than ten to one; {_EXAMPLES}.")
    return aspect


def _parse_size(text: str) -> tuple[int, int]:
    parts = re.fullmatch(r"(\d+)[xX](\d+)", text.strip())
    if parts is None:
        raise InputError(f"{text!r} is no size; give it as 1080x1920.")
    width, height = int(parts[1]), int(parts[2])
    if width % 2 or height % 2 or not (16 <= width <= _MOST and 16 <= height <= _MOST):
        raise InputError(f"The size {text} must be even on both sides, and 16 to {_MOST} px.")
    return width, height


def crop_size(shape: Shape, info: VideoInfo, zoom: float) -> CropSize:
    """The largest part of ``shape`` in pictures of ``info``, made ``zoom`` times smaller.

    Raises:
        InputError: nothing is left of the picture.
    """
    ratio, grid = px_ratio(shape, info), _grid(info)
    height = min(Fraction(info.height), info.width / ratio) / Fraction(zoom)
    wide = min(_even(height * ratio, grid), info.width // grid * grid)
    high = min(_even(height, grid), info.height // grid * grid)
    if min(wide, high) < 16:
        raise InputError(
            f"A part of {wide}x{high} px would be left of {info.width}x{info.height}; give a "
            "smaller --zoom, or another shape."
        )
    return CropSize(wide, high, *(shape.size or (wide, high)))


def extended_room(shape: Shape, info: VideoInfo) -> Room:
    """The smallest picture of ``shape`` that holds all of a picture of ``info``, in its middle."""
    ratio, grid = px_ratio(shape, info), _grid(info)
    width = max(Fraction(info.width), info.height * ratio)
    wide, high = (
        max(_even(length, grid), -(-least // grid) * grid)
        for length, least in ((width, info.width), (width / ratio, info.height))
    )
    left, top = ((new - old) // 2 // grid * grid for new, old in (
        (wide, info.width), (high, info.height)
    ))  # fmt: skip
    return Room(wide, high, left, top)


def output_size(shape: Shape, info: VideoInfo, settings: RetargetSettings) -> CropSize:
    """What is cut out of each picture, extended if it is to be, and the size that it is given.

    Raises:
        InputError: nothing is left of the picture, or too much would be added.
    """
    if not settings.extends:
        return crop_size(shape, info, settings.zoom)
    room = extended_room(shape, info)
    if max(room.width, room.height) > _MOST:
        raise InputError(
            f"Extended, the picture would be {room.width}x{room.height}, and {_MOST} px is the "
            "most; give another shape."
        )
    return CropSize(room.width, room.height, *(shape.size or (room.width, room.height)))


def px_ratio(shape: Shape, info: VideoInfo) -> Fraction:
    """Width to height in px."""
    pixel = info.sample_aspect_ratio or Fraction(1)
    return shape.aspect / (1 / pixel if info.rotation in (90, 270) else pixel)


def _grid(info: VideoInfo) -> int:
    """px in which whole samples of all planes begin, at least 2."""
    layout = find_layout(info.pixel_format)
    return 1 << (1 if layout is None else max(layout.x_shift, layout.y_shift, 1))


def _even(length: Fraction, grid: int = 2) -> int:
    return max(1, round(length / grid)) * grid
