"""One pass over a clip's frames: what leaps in each of them, and the upright lines in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from cleanplate.restoration.blotches import Leaps, leaps_in
from cleanplate.restoration.lines import Mark, half_width, marks_in, ridges, unit_of
from cleanplate.restoration.spikes import flow_between, shrunk, view_of
from cleanplate.restoration.tape import turned_lines

_PLAIN = 7.0  # grey levels by which a line stands out so far that it is not dirt
_FEWEST = 3  # frames of a shot of which anything can be said


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame as it is analysed."""

    index: int
    shot: int
    grey: np.ndarray
    """(H, W) uint8."""


@dataclass(frozen=True, slots=True, eq=False)
class Analysed:
    """What one frame shows."""

    index: int
    shot: int
    leaps: Leaps | None
    """None in a shot of fewer than three frames."""
    profile: np.ndarray
    """Of ``lines.ridges``."""
    marks: list[Mark]
    level: tuple[np.ndarray, list[Mark]]
    """The same of the frame on its side."""


@dataclass(slots=True, eq=False)
class _Seen:
    """A frame in the window, with what was worked out of it."""

    frame: Frame
    small: np.ndarray
    profile: np.ndarray
    marks: list[Mark]
    level: tuple[np.ndarray, list[Mark]]
    back: np.ndarray | None
    """Flow to the frame before, (h, w, 2) of the small picture; None at the start of a shot."""
    ahead: np.ndarray | None = None
    """Flow to the frame after."""


def analysed(frames: Iterable[Frame]) -> Iterator[Analysed]:
    """What each frame shows, in order; at most three frames are held."""
    for _, shot in groupby(frames, key=lambda frame: frame.shot):
        yield from _analysed_shot(shot)


def _analysed_shot(frames: Iterable[Frame]) -> Iterator[Analysed]:
    window: deque[_Seen] = deque(maxlen=_FEWEST)
    count = 0
    for frame in frames:
        window.append(_seen(frame, window[-1] if window else None))
        count += 1
        if count == _FEWEST:
            yield _concluded(window[0], window[1], window[2], is_one_sided=True)
        if count >= _FEWEST:
            yield _concluded(window[1], window[0], window[2])
    if count >= _FEWEST:
        yield _concluded(window[2], window[1], window[0], is_one_sided=True)
    else:
        for seen in window:
            yield _analysed(seen, None)


def _seen(frame: Frame, before: _Seen | None) -> _Seen:
    small, back = shrunk(frame.grey), None
    if before is not None:
        back = flow_between(small, before.small)
        before.ahead = flow_between(before.small, small)
    profile = ridges(frame.grey)
    marks = marks_in(profile, frame.index, back, frame.grey.shape)
    level = turned_lines(frame.grey, frame.index, back)
    return _Seen(frame, small, profile, marks, level, back)


def _concluded(seen: _Seen, first: _Seen, second: _Seen, is_one_sided: bool = False) -> Analysed:
    """What ``seen`` shows, judged by two other frames, of which ``first`` is next to it."""
    grey = seen.frame.grey
    to_first, to_second = _flow(seen, first), _flow(seen, second)
    view = view_of(grey, [(first.frame.grey, to_first), (second.frame.grey, to_second)])
    scale = grey.shape[1] / to_first.shape[1]
    motion = np.abs(to_first).sum(axis=2) * scale
    leaps = leaps_in(
        *(seen.frame.index, grey, view, motion, (first.frame.grey, second.frame.grey)),
        known=_columns(seen.marks, grey.shape),
        is_one_sided=is_one_sided,
    )
    return _analysed(seen, leaps)


def _analysed(seen: _Seen, leaps: Leaps | None) -> Analysed:
    frame = seen.frame
    return Analysed(frame.index, frame.shot, leaps, seen.profile, seen.marks, seen.level)


def _flow(seen: _Seen, other: _Seen) -> np.ndarray:
    step = other.frame.index - seen.frame.index
    known = {-1: seen.back, 1: seen.ahead}.get(step)
    return flow_between(seen.small, other.small) if known is None else known


def _columns(marks: list[Mark], size: tuple[int, int]) -> np.ndarray | None:
    """Where plain upright lines stand, (H, W) bool: they are no dirt."""
    plain = [mark for mark in marks if mark.strength >= _PLAIN]
    if not plain:
        return None
    columns = np.zeros(size, bool)
    half = half_width(unit_of(*size))
    for mark in plain:
        x = round(mark.x)
        columns[mark.top : mark.bottom, max(x - half, 0) : x + half + 1] = True
    return columns
