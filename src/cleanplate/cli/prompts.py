"""Prompts on the command line: in any number, in order, each for the object named before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from cleanplate.errors import InputError
from cleanplate.prompts.typed import Word, parse
from cleanplate.settings.moments import parse_moment
from cleanplate.types import Prompt

if TYPE_CHECKING:
    import typer

_FLAGS = ("--box", "--point", "--not-point", "--mask", "--object")
_MERGE = "--merge"
_META = "cleanplate.prompts"

HELP = {
    "box": "A box around it.",
    "point": "A point on it.",
    "not_point": "A point that is not on it.",
    "mask": "A PNG of its outline; if it holds several ids, each is an object.",
    "merge": "Treat everything in the preceding mask as one object.",
    "object": "The prompts that follow are for object N (1 to 255).",
}


def with_bare(
    args: list[str], flag: str, value: str, stands_alone: Callable[[str | None], bool]
) -> list[str]:
    """``args`` with ``value`` given to each ``flag`` that is typed without one.

    Args:
        args: as typed.
        flag: an option's name.
        value: what it means by itself.
        stands_alone: whether the word after it, None at the end, is not its value.
    """
    following = [*args[1:], None]
    return [
        f"{flag}={value}" if arg == flag and stands_alone(after) else arg
        for arg, after in zip(args, following, strict=True)
    ]


class PromptCommand(TyperCommand):
    """A command that keeps the order of its prompts, which option parsers lose."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:
        """Put the prompts aside, in order, and parse the rest."""
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
        if arg == _MERGE:
            if not words or words[-1].flag != "--mask":
                raise InputError("--merge belongs right behind the --mask that it is about.")
            words[-1] = replace(words[-1], merge=True)
            continue
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


def words_of(context: typer.Context) -> tuple[Word, ...]:
    """The prompts as they were typed, in order, for clips that are not read here."""
    return tuple(context.meta.get(_META, []))


def numbered_prompts(
    context: typer.Context, clip: str, values: dict[str, Any] | None = None
) -> tuple[Prompt, ...]:
    """The prompts that were typed, a frame of a sequence of images by the number in its name.

    The ``start`` and ``end`` of ``values`` are changed alike.
    """
    from cleanplate.media.numbering import index_of, typed_numbers

    numbers = typed_numbers(Path(clip))
    if values is not None:
        number_span(clip, values)
    words = context.meta.get(_META, [])
    return tuple(parse(words, lambda n: n if numbers is None else index_of(n, numbers)))


def typed_moment(clip: str, text: str) -> int | Fraction:
    """The moment typed, a frame of a sequence of images by the number in its name, as an index."""
    from cleanplate.media.numbering import index_of, typed_numbers

    at, numbers = parse_moment(text), typed_numbers(Path(clip))
    return index_of(at, numbers) if numbers is not None and isinstance(at, int) else at


def number_span(clip: str, values: dict[str, Any]) -> None:
    """Change ``start`` and ``end`` of ``values`` from numbers in names to indexes."""
    from cleanplate.media.numbering import span_by_index, typed_numbers

    numbers = typed_numbers(Path(clip))
    if numbers is not None:
        typed = span_by_index(numbers, values.get("start"), values.get("end"))
        for name, text in zip(("start", "end"), typed, strict=True):
            if text is not None:
                values[name] = text
