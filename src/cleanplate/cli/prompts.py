"""Prompts on the command line: in any number, in order, each for the object named before it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from typer.core import TyperCommand

from cleanplate.arrays.moments import parse_moment
from cleanplate.errors import InputError
from cleanplate.types import Box, Point, Prompt

if TYPE_CHECKING:
    import typer

_FLAGS = ("--box", "--point", "--not-point", "--mask", "--object")
_META = "cleanplate.prompts"

HELP = {
    "box": "A box around it.",
    "point": "A point on it.",
    "not_point": "A point that is not on it.",
    "mask": "A PNG of its outline.",
    "object": "The prompts that follow are for object N (1 to 255).",
}


@dataclass(frozen=True, slots=True)
class Word:
    """One prompt option as typed."""

    flag: str
    value: str


class PromptCommand(TyperCommand):
    """A command that keeps the order of its prompts, which option parsers lose."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:
        words, others = split(args)
        ctx.meta[_META] = words
        return super().parse_args(ctx, others)


def split(args: list[str]) -> tuple[list[Word], list[str]]:
    """The prompt options in ``args``, in order, and all other arguments."""
    words: list[Word] = []
    others: list[str] = []
    rest = iter(args)
    for arg in rest:
        flag, equals, value = arg.partition("=")
        if arg == "--":
            return words, [*others, arg, *rest]
        if flag not in _FLAGS:
            others.append(arg)
            continue
        if not equals:
            value = next(rest, "")
        if not value or value.startswith("--") or value == "-o":
            raise InputError(f"{flag} needs a value; see --help.")
        words.append(Word(flag, value))
    return words, others


def prompts_of(context: typer.Context) -> tuple[Prompt, ...]:
    """The prompts that were typed, in order."""
    return tuple(parse(context.meta.get(_META, [])))


def parse(words: list[Word]) -> Iterator[Prompt]:
    """Prompts from the options as typed.

    Raises:
        InputError: a value that is no box, point, mask, moment or object.
    """
    object_id = 1
    for word in words:
        if word.flag == "--object":
            object_id = int(word.value) if word.value.isdecimal() else -1
            if not 1 <= object_id <= 255:
                raise InputError(f"--object {word.value} is no object id; use 1 to 255.")
            continue
        value, at = _moment(word)
        yield _prompt(word.flag, value, object_id, at)


def _moment(word: Word) -> tuple[str, int | Fraction]:
    value, sign, moment = word.value.rpartition("@")
    if not sign:
        return word.value, 0
    if word.flag == "--mask" and Path(word.value).exists():
        return word.value, 0  # a file may have an @ in its name
    return value, parse_moment(moment)


def _prompt(flag: str, value: str, object_id: int, at: int | Fraction) -> Prompt:
    if flag == "--mask":
        from cleanplate.media.mask_files import read_mask_image

        return Prompt(mask=read_mask_image(Path(value)) != 0, object_id=object_id, at=at)
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
