"""Timecode: the address of a frame on its tape or card, by which editors find it again.

SMPTE ST 12-1: hours, minutes, seconds and frames; with drop frames (``;`` before the frames), two
numbers of a second (four at 59.94) are left out at the start of each minute but every tenth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction

from av.container import InputContainer
from av.stream import Stream

_FORM = re.compile(r"(\d\d?):(\d\d):(\d\d)([:;.])(\d\d\d?)")


def find_tag(container: InputContainer, chosen: Stream, name: str) -> str | None:
    """``timecode`` or ``reel_name`` of a clip: of its picture, the whole, or a track."""
    everywhere = [chosen.metadata, container.metadata, *(s.metadata for s in container.streams)]
    return next((value for value in (tag(tags, name) for tags in everywhere) if value), None)


def tag(metadata: Mapping[str, str], name: str) -> str | None:
    """A tag whatever its letters' case: Matroska writes it in capitals."""
    return next((value for key, value in metadata.items() if key.lower() == name), None)


def without(metadata: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """``metadata`` without the tags ``names``."""
    dropped = set(names)
    return {key: value for key, value in metadata.items() if key.lower() not in dropped}


def later(timecode: str, frames: int, rate: Fraction) -> str:
    """The timecode ``frames`` after ``timecode`` in a clip of ``rate`` frames a second.

    A text of another form is given back as it is when ``frames`` is 0, and else cannot be counted
    on: "" then.
    """
    if frames == 0:
        return timecode
    form = _FORM.fullmatch(timecode)
    nominal = round(rate)
    if form is None or nominal <= 0:
        return ""
    hours, minutes, seconds, mark, frame = form.groups()
    drops = mark != ":" and nominal % 30 == 0
    skipped = nominal // 15 if drops else 0  # numbers left out in a minute
    all_minutes = int(hours) * 60 + int(minutes)
    count = (all_minutes * 60 + int(seconds)) * nominal + int(frame) + frames
    count -= skipped * (all_minutes - all_minutes // 10)
    day = 24 * 60 * 60 * nominal - skipped * (24 * 60 - 24 * 6)
    count %= day
    if drops:
        tens, rest = divmod(count, 600 * nominal - 9 * skipped)
        passed = max(0, (rest - skipped) // (60 * nominal - skipped))
        count += skipped * (9 * tens + passed)
    whole, frame_number = divmod(count, nominal)
    width = len(frame)
    return (
        f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{mark}{frame_number:0{width}d}"
    )
