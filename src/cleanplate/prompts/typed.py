"""Prompts as people type them, on the command line and in lists of orders."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from cleanplate.errors import InputError
from cleanplate.settings.moments import parse_moment
from cleanplate.types import MAX_OBJECT_ID, Box, Point, Prompt


@dataclass(frozen=True, slots=True)
class Word:
    """One prompt option as typed."""

    flag: str
    value: str
    merge: bool = False
    """Of a mask: whether all that is in it is one object."""


def parse(
    words: list[Word], index: Callable[[int], int] = lambda number: number
) -> Iterator[Prompt]:
    """Prompts from the options as typed.

    Args:
        words: the options.
        index: gives the index of a frame from its number as typed.

    Raises:
        InputError: a value that is no box, point, mask, moment or object.
    """
    object_id: int | None = None
    for word in words:
        if word.flag == "--object":
            object_id = int(word.value) if word.value.isdecimal() else -1
            if not 1 <= object_id <= MAX_OBJECT_ID:
                raise InputError(
                    f"--object {word.value} is not an object id; use 1 to {MAX_OBJECT_ID}."
                )
            continue
        value, at = _moment(word, index)
        if word.flag == "--mask":
            from cleanplate.media.mask_files import mask_prompts

            yield from mask_prompts(value, at=at, object_id=object_id, merge=word.merge)
        else:
            yield _prompt(word.flag, value, object_id or 1, at)


def _moment(word: Word, index: Callable[[int], int]) -> tuple[str, int | Fraction]:
    value, sign, moment = word.value.rpartition("@")
    if not sign:
        return word.value, 0
    if word.flag == "--mask" and Path(word.value).exists():
        return word.value, 0  # a file may have an @ in its name
    at = parse_moment(moment)
    return value, index(at) if isinstance(at, int) else at


def _prompt(flag: str, value: str, object_id: int, at: int | Fraction) -> Prompt:
    if flag == "--box":
        x0, y0, x1, y1 = _numbers(flag, value, 4)
        box = Box(round(x0), round(y0), round(x1), round(y1))
        return Prompt(box=box, object_id=object_id, at=at)
    x, y = _numbers(flag, value, 2)
    return Prompt(points=(Point(x, y, flag == "--point"),), object_id=object_id, at=at)


def _numbers(flag: str, value: str, count: int) -> list[float]:
    form = "X0,Y0,X1,Y1" if count == 4 else "X,Y"
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise InputError(f"{flag} {value} is not of the form {form}[@T], in pixels.")
    return numbers
