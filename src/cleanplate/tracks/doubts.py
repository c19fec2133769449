"""Which tracked frames a person should look at, and why. The same for jobs and projects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cleanplate.types import Visibility

UNSURE = 0.6  # confidence below which what is seen is worth a look
JUMP = 1.6  # change of the area from one frame to the next
GIVEN_UP = 5  # frames without the object, up to where the next prompt or shot begins
SHORT = 3  # frames: coming back after fewer of them is nothing to tell

_DUE = 1.0  # badness of a stretch that a prompt would have spared
_WORST = {Visibility.LOST.value: 0.95, Visibility.HIDDEN.value: 0.85}
_PARTLY, _DOUBT, _JUMPED, _BACK = 0.45, 0.4, 0.3, 0.2
_HELD = (Visibility.VISIBLE.value, Visibility.PARTLY_HIDDEN.value, "prompt", "approved", "given")
_UNKNOWN: Mapping[str, Any] = {"state": "", "confidence": 0.0, "area": 0}
_SEEN = (Visibility.VISIBLE.value, Visibility.PARTLY_HIDDEN.value)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stretch of frames that is worth a look."""

    object_id: int
    first: int
    last: int
    """Included."""
    frame: int
    """The worst one: where to look."""
    reason: str
    """In words."""
    badness: float
    """0..1, by which doubts are ordered."""
    due: int | None
    """The frame by which the next prompt is due; None where the tracker did not give up."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What is known of one object, frame by frame, without gaps."""

    object_id: int
    first: int
    """Frame of the clip that the series begins with."""
    states: Sequence[str]
    """A ``Visibility``'s value; any other word where no tracker spoke."""
    confidences: Sequence[float]
    areas: Sequence[int]
    """px."""


def doubts(series: Series, cuts: Sequence[int]) -> list[Doubt]:
    """The doubtful stretches of one object, in order of time.

    Neighbouring doubtful frames are one stretch, which ends with its shot and goes by its worst.
    Where the tracker gave the object up it goes by the frame at which the next prompt is due.

    Args:
        series: the object.
        cuts: first frame of each shot but the first.
    """
    starts = set(cuts)
    worth = _frames(series, starts)
    doubts: list[Doubt] = []
    together: list[tuple[int, float, str]] = []
    for frame in range(series.first, series.first + len(series.states) + 1):
        weight = worth.get(frame)
        if together and (weight is None or frame in starts):
            doubts.append(_with_due(_stretch(series.object_id, together), series, starts))
            together = []
        if weight is not None:
            together.append((frame, *weight))
    return doubts


def due_sentence(doubt: Doubt, name: str) -> str:
    """That a prompt is due in the stretch ``doubt``, for the object called ``name``."""
    return (
        f"A prompt for {name} is due at frame {doubt.due}: it was given up in frames {doubt.first} "
        f"to {doubt.last}."
    )


def worst_first(doubtful: Sequence[Doubt]) -> list[Doubt]:
    """By badness; of equals the longer one first."""
    return sorted(doubtful, key=lambda d: (-d.badness, d.first - d.last, d.first))


def of_report(frames: Sequence[Mapping[str, Any]], cuts: Sequence[int]) -> list[Doubt]:
    """The doubts of a job's report, worst first.

    Args:
        frames: as ``tracks.reported`` gives them, in order.
        cuts: first frame of each shot but the first.
    """
    if not frames:
        return []
    first: int = frames[0]["frame"]
    ids: list[int] = sorted({known["object"] for frame in frames for known in frame["objects"]})
    doubtful: list[Doubt] = []
    for object_id in ids:
        known: list[Mapping[str, Any]] = [
            next((known for known in frame["objects"] if known["object"] == object_id), _UNKNOWN)
            for frame in frames
        ]
        series = Series(
            object_id,
            first,
            [here["state"] for here in known],
            [here["confidence"] for here in known],
            [here["area"] for here in known],
        )
        doubtful += doubts(series, cuts)
    return worst_first(doubtful)


def _stretch(object_id: int, frames: list[tuple[int, float, str]]) -> Doubt:
    worst = max(frames, key=lambda frame: frame[1])
    return Doubt(
        object_id, frames[0][0], frames[-1][0], worst[0], worst[2], round(worst[1], 3), None
    )


def _with_due(doubt: Doubt, series: Series, starts: set[int]) -> Doubt:
    """``doubt``, as one where a prompt is due if the tracker gave the object up in it.

    That is when it was seen, then is not to the end of the stretch, and nothing but a prompt, a cut
    or the end follows; backward the same the other way round.
    """

    def state(frame: int) -> str:
        place = frame - series.first
        return series.states[place] if 0 <= place < len(series.states) else ""

    def unclear(frame: int) -> bool:
        sure = float(series.confidences[frame - series.first])
        return state(frame) in _WORST or (state(frame) in _SEEN and sure < UNSURE)

    inside = range(doubt.first, doubt.last + 1)
    before, after = state(doubt.first - 1), state(doubt.last + 1)
    forward = before in _HELD and doubt.first not in starts
    backward = after in _HELD and doubt.last + 1 not in starts
    if forward and not (backward and after in _SEEN):
        frames = list(inside)
    elif backward and not forward:
        frames = list(reversed(inside))
    else:
        return doubt
    missing = 0
    while missing < len(frames) and state(frames[-1 - missing]) in _WORST:
        missing += 1
    if missing < GIVEN_UP:
        return doubt
    begins = len(frames) - missing
    while begins and unclear(frames[begins - 1]):
        begins -= 1
    frame, way = frames[begins], "on" if forward else "back"
    word = state(frames[-1])
    return replace(
        doubt,
        frame=frame,
        reason=f"a prompt is due at frame {frame}, if it is to be seen: {word} from there {way}",
        badness=_DUE,
        due=frame,
    )


def _frames(series: Series, starts: set[int]) -> dict[int, tuple[float, str]]:
    """Badness and reason of each doubtful frame."""
    worth: dict[int, tuple[float, str]] = {}
    for frame, badness, reason in _told(series, starts):
        if frame not in worth or badness > worth[frame][0]:
            worth[frame] = badness, reason
    return worth


def _told(series: Series, starts: set[int]) -> Iterator[tuple[int, float, str]]:
    missed, since = 0, series.first
    for place, state in enumerate(series.states):
        frame, sure = series.first + place, float(series.confidences[place])
        if frame in starts:
            since = frame
        if state in _WORST:
            missed += 1
            yield frame, _WORST[state] + 0.05 * (1 - sure), _missing(state, frame, since, starts)
            continue
        if state not in _SEEN:
            missed = 0
            continue
        if missed >= SHORT:
            yield frame, _BACK, f"seen again after {missed} frames: is it the same thing?"
        missed = 0
        if state == Visibility.PARTLY_HIDDEN.value:
            yield frame, _PARTLY + 0.3 * (1 - sure), f"partly hidden, confidence {sure:.2f}"
        elif sure < UNSURE:
            yield frame, _DOUBT + 0.4 * (1 - sure), f"low confidence, {sure:.2f}"
        if place and frame not in starts:
            before, now = int(series.areas[place - 1]), int(series.areas[place])
            if before and now and not 1 / JUMP < now / before < JUMP:
                change = abs(np.log(now / before))
                grew = "grew" if now > before else "fell"
                yield (
                    frame,
                    min(0.8, _JUMPED + 0.2 * float(change)),
                    f"its area {grew} by {abs(now / before - 1):.0%} in one frame",
                )


def _missing(state: str, frame: int, since: int, starts: set[int]) -> str:
    if since in starts and frame - since < SHORT:
        return f"not found after the cut to another shot at frame {since}"
    return "lost: it left the picture, or is hidden" if state == "lost" else "hidden"
