"""Moments in a clip, as people type them: a frame (@120 or 120) or a time (4.5s, 0:04.5)."""

from __future__ import annotations

import re
from fractions import Fraction

from cleanplate.errors import InputError

_SECONDS = re.compile(r"(\d+(?:\.\d*)?|\.\d+)s")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)")


def parse_moment(text: str) -> int | Fraction:
    """A frame's index as int, or seconds from the first frame as Fraction.

    Args:
        text: ``120`` or ``@120`` (frame), ``4.5s``, ``0:04.5`` or ``1:02:03.5`` (time), the times
            with or without ``@``.

    Raises:
        InputError: ``text`` is none of these.
    """
    bare = text.strip().removeprefix("@")
    if bare.isdecimal():
        return int(bare)
    if match := _SECONDS.fullmatch(bare):
        return Fraction(match[1])
    if match := _CLOCK.fullmatch(bare):
        hours, minutes, seconds = match.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + Fraction(seconds)
    raise InputError(
        f"{text!r} is not a moment of a clip; give a frame like @120 or a time like @4.5s or "
        "@0:04.5."
    )
