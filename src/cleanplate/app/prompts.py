"""Prompts as programs send them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypedDict

from cleanplate.projects.state import parse_prompt
from cleanplate.settings.moments import parse_moment
from cleanplate.types import Prompt


class BrushFields(TypedDict, total=False):
    """One stroke."""

    points: list[list[float]]
    radius: float
    positive: bool


class PromptFields(TypedDict, total=False):
    """What points at one object in one frame."""

    points: list[list[float]]
    """x, y and 1 for what belongs to the object or 0 for what does not."""
    box: list[int]
    """x0, y0, x1, y1."""
    brushes: list[BrushFields]
    object: int
    """1 to 255; 1 when left out."""
    at: int | str
    """The frame, as a number or as a time: 4.5s. The first when left out."""


def prompt_of(plain: Mapping[str, Any]) -> Prompt:
    """A prompt from what a client sent.

    Raises:
        InputError: it is something else.
    """
    at = plain.get("at", 0)
    moment = at if isinstance(at, int) else parse_moment(str(at))
    return replace(parse_prompt(plain), object_id=int(plain.get("object", 1)), at=moment)
