"""What is shown of each object in each frame: worked out from what was said and what runs found.

Nothing of this is stored. A mask follows from the anchors around its frame, so undo brings the
older masks back, and what no longer follows is known to be stale.

Between two neighbouring anchors the object is followed forward from the left one and backward from
the right one, and the surer run is believed. An approved anchor is shown from runs that may go on
beyond it: approving changes nothing. Later runs end at every anchor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from cleanplate.tracks.marks import Anchor, Kind, Marks, TrackedObject
from cleanplate.tracks.runs import ABSENT, BACKWARD, FORWARD, VISIBILITIES, Run, Runs, sure
from cleanplate.tracks.runs import GIVEN as GIVEN_RUN

NOTHING, NOT_FOLLOWED, GONE, STATIC, GIVEN = "absent", "none", "gone", "static", "given"
WORDS: tuple[str, ...] = (
    *(visibility.value for visibility in VISIBILITIES),  # as runs have them
    *(NOTHING, NOT_FOLLOWED, GONE, STATIC, GIVEN),
    *(Kind.PROMPT.value, Kind.APPROVED.value),
)
_CODE = {word: code for code, word in enumerate(WORDS)}


@dataclass(frozen=True, slots=True)
class MissingRun:
    """A run that is to be made or lengthened."""

    object_id: int
    direction: str
    frame: int
    """Of the anchor that it begins at."""
    limit: int
    """The last frame that it is meant for, included."""
    until: int
    """The frame to come to now, included."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectTrack:
    """One object, by frame of the clip."""

    runs: tuple[Run, ...]
    which: np.ndarray
    """(N,) int16: the run that shows it, -1 where none does."""
    forward: np.ndarray
    """(N,) int16: the run forward; -1 where there is none."""
    backward: np.ndarray
    codes: np.ndarray
    """(N,) uint8: place in ``WORDS``."""
    confidences: np.ndarray
    """(N,) float32."""
    areas: np.ndarray
    """(N,) int32, px; 0 where an anchor is."""
    stale: np.ndarray
    """(N,) bool: it was followed before a change."""
    missing: tuple[MissingRun, ...] = ()
    """The runs that are to be made or lengthened."""

    def run(self, frame: int) -> Run | None:
        """The run that shows the object in ``frame``; None where none does."""
        place = int(self.which[frame])
        return None if place < 0 else self.runs[place]

    def passing(self, frame: int) -> tuple[str, str]:
        """The runs forward and backward through ``frame``, by name."""
        places = int(self.forward[frame]), int(self.backward[frame])
        forward, backward = ("" if place < 0 else self.runs[place].name for place in places)
        return forward, backward


class _Tape:
    """What runs in one direction say of one object."""

    def __init__(self, count: int) -> None:
        self.which = np.full(count, -1, np.int16)
        self.current = np.zeros(count, bool)
        self.codes = np.full(count, ABSENT, np.uint8)
        self.confidences = np.zeros(count, np.float32)
        self.areas = np.zeros(count, np.int32)

    @property
    def sure(self) -> np.ndarray:
        return np.where(self.which < 0, -2.0, sure(self.codes, self.confidences))


class _TrackBuilder:
    """Works out the track of one object."""

    def __init__(
        self,
        marks: Marks,
        tracked: TrackedObject,
        runs: Runs,
        known: Mapping[str, Run],
        tracker: str,
        count: int,
    ) -> None:
        self.marks, self.object, self.tracker, self.count = marks, tracked, tracker, count
        self._runs, self._known = runs, known
        self.anchors = dict(marks.anchors.get(tracked.id, {}))
        self._used: list[Run] = []

    def build(self) -> ObjectTrack:
        forward, backward, given = (_Tape(self.count) for _ in range(3))
        if (run := self._known.get(self.object.given)) is not None:
            self._fill(given, run, 0, self.count - 1, current=True, object_id=self.object.given_id)
        missing: list[MissingRun] = []
        unfinished = np.zeros(self.count, bool)
        for left, right in self._stretches():
            first, last = _between(left, right, self.count)
            if self._has_gone(left):
                given.which[first : last + 1] = -1
            self._draw(forward, FORWARD, left, first, last)
            self._draw(backward, BACKWARD, right, first, last)
            for lacking in self._missing(left, right, forward, backward, given):
                missing.append(lacking)
                tape = forward if lacking.direction == FORWARD else backward
                if self.anchors[lacking.frame].kind is not Kind.APPROVED:
                    unfinished[first : last + 1] |= ~tape.current[first : last + 1]
        return self._merged(forward, backward, given, unfinished, tuple(missing))

    def _stretches(self) -> Iterator[tuple[int | None, int | None]]:
        frames = list(self.anchors)
        yield from zip([None, *frames], [*frames, None], strict=True)

    def _draw(
        self, tape: _Tape, direction: str, anchored: int | None, first: int, last: int
    ) -> None:
        """Fill a stretch of ``tape`` from the run that begins at the anchor, or from older ones."""
        anchor = None if anchored is None else self.anchors[anchored]
        if anchor is None or anchored is None:
            return
        others: list[Run] = []
        for run in sorted(self._known.values(), key=lambda run: -run.order):
            source = run.objects.get(self.object.id)
            if source is None or run.direction != direction:
                continue
            if self._begins_at(run, anchored) and not anchor.is_empty:
                self._fill(tape, run, first, last, current=True)
            elif source.born == self.object.born:
                others.append(run)
        passing = self._known.get(anchor.passing[0 if direction == FORWARD else 1])
        if passing is not None and passing.name != self.object.given:
            self._fill(tape, passing, first, last, current=passing.tracker == self.tracker)
        if anchor.is_empty:
            return
        for run in sorted(others, key=lambda run: not self._begins_at(run, run.frame)):
            self._fill(tape, run, first, last, current=False)

    def _begins_at(self, run: Run, frame: int) -> bool:
        """Whether ``run`` follows from the anchor that is at ``frame`` now."""
        anchor = self.anchors.get(frame)
        return (
            anchor is not None
            and run.frame == frame
            and run.objects[self.object.id].anchor == anchor.mask
            and run.tracker == self.tracker
        )

    def _fill(
        self,
        tape: _Tape,
        run: Run,
        first: int,
        last: int,
        *,
        current: bool,
        object_id: int | None = None,
    ) -> None:
        """Where ``tape`` has nothing yet, put what ``run`` found.

        ``object_id``: the object's id in ``run`` where it is not its own.
        """
        summary = self._runs.summary(run, object_id or self.object.id)
        low, high = max(first, summary.first), min(last, summary.stop - 1)
        if object_id is None:
            limit = run.objects[self.object.id].limit
            low, high = (low, min(high, limit)) if run.step > 0 else (max(low, limit), high)
        free = np.flatnonzero(tape.which[low : max(high, low - 1) + 1] < 0) + low
        if not len(free):
            return
        if run not in self._used:
            self._used.append(run)
        there = free - summary.first
        tape.which[free], tape.current[free] = self._used.index(run), current
        tape.codes[free] = summary.codes[there]
        tape.confidences[free] = summary.confidences[there]
        tape.areas[free] = summary.areas[there]

    def _missing(
        self, left: int | None, right: int | None, forward: _Tape, backward: _Tape, given: _Tape
    ) -> Iterator[MissingRun]:
        """The runs that the stretch between two anchors lacks."""
        start, stop = self.marks.span
        first, last = _between(left, right, self.count)
        inside = slice(max(first, start), min(last + 1, stop))
        if inside.start >= inside.stop:
            return
        covered = forward.current | backward.current | (given.which >= 0)
        is_open = not covered[inside].all()
        for direction, anchored, tape in ((FORWARD, left, forward), (BACKWARD, right, backward)):
            anchor = None if anchored is None else self.anchors[anchored]
            if anchor is None or anchored is None or anchor.is_empty:
                continue
            if anchor.kind is Kind.APPROVED and not is_open:
                continue
            low, high = (first, inside.stop - 1) if direction == FORWARD else (inside.start, last)
            if low <= high and not tape.current[low : high + 1].all():
                limit = high if direction == FORWARD else low
                yield MissingRun(self.object.id, direction, anchored, limit, limit)

    def _merged(
        self,
        forward: _Tape,
        backward: _Tape,
        given: _Tape,
        unfinished: np.ndarray,
        missing: tuple[MissingRun, ...],
    ) -> ObjectTrack:
        tapes = (given, backward, forward)
        chosen = np.where(backward.sure > forward.sure, 1, 2)
        chosen[(forward.which < 0) & (backward.which < 0)] = 0
        pick = (chosen, np.arange(self.count))
        which = np.stack([tape.which for tape in tapes])[pick]
        codes = np.stack([tape.codes for tape in tapes])[pick]
        areas = np.stack([tape.areas for tape in tapes])[pick]
        confidences = np.stack([tape.confidences for tape in tapes])[pick]
        stale = unfinished & (which >= 0)
        for tape in (forward, backward):
            stale |= (tape.which >= 0) & ~tape.current
        run = self._known.get(self.object.given)
        if run is not None and run.direction == GIVEN_RUN:
            codes[(chosen == 0) & (which >= 0) & (areas > 0)] = _CODE[GIVEN]
        codes[which < 0] = _CODE[NOT_FOLLOWED if run is None else NOTHING]
        for left, right in self._stretches():
            if self._is_gone(left, right):
                first, last = _between(left, right, self.count)
                free = np.flatnonzero(which[first : last + 1] < 0) + first
                codes[free] = _CODE[GONE]
        for frame, anchor in self.anchors.items():
            which[frame], stale[frame], areas[frame] = -1, False, 0
            codes[frame], confidences[frame] = _CODE[_word(anchor)], 1.0
        return ObjectTrack(
            *(tuple(self._used), which, forward.which, backward.which),
            *(codes, confidences, areas, stale, missing),
        )

    def _has_gone(self, left: int | None) -> bool:
        """Whether the user said that the object is not to be seen from ``left`` on."""
        anchor = None if left is None else self.anchors[left]
        return anchor is not None and anchor.kind is Kind.GONE and not anchor.passing[0]

    def _is_gone(self, left: int | None, right: int | None) -> bool:
        """Whether the object is known not to be there between two anchors."""
        ends = [self.anchors[frame] for frame in (left, right) if frame is not None]
        return bool(ends) and all(anchor.is_empty for anchor in ends)


def _between(left: int | None, right: int | None, count: int) -> tuple[int, int]:
    """First and last frame of a stretch, both included."""
    return (0 if left is None else left + 1), (count - 1 if right is None else right - 1)


def _word(anchor: Anchor) -> str:
    if anchor.approved or anchor.kind is Kind.APPROVED:
        return Kind.APPROVED.value
    return anchor.kind.value


def static_anchor(anchors: Mapping[int, Anchor], frame: int) -> Anchor | None:
    """The anchor that holds at ``frame`` for what does not move: the latest, else the first."""
    at = static_frame(anchors, frame)
    return None if at is None else anchors[at]


def static_frame(anchors: Mapping[int, Anchor], frame: int) -> int | None:
    """The frame of the anchor that ``static_anchor`` gives; None where there are none."""
    before = [known for known in anchors if known <= frame]
    return max(before) if before else min(anchors, default=None)


def _static(anchors: Mapping[int, Anchor], count: int) -> ObjectTrack:
    codes = np.full(count, _CODE[NOT_FOLLOWED], np.uint8)
    for number, (frame, anchor) in enumerate(sorted(anchors.items())):
        codes[frame if number else 0 :] = _CODE[GONE if anchor.is_empty else STATIC]
    for frame, anchor in anchors.items():
        codes[frame] = _CODE[_word(anchor)]
    nowhere = np.full(count, -1, np.int16)
    sureness = np.where(codes == _CODE[NOT_FOLLOWED], 0, 1).astype(np.float32)
    areas, stale = np.zeros(count, np.int32), np.zeros(count, bool)
    return ObjectTrack((), nowhere, nowhere, nowhere, codes, sureness, areas, stale)


def object_tracks(
    marks: Marks, runs: Runs, trackers: Mapping[int, str], count: int
) -> dict[int, ObjectTrack]:
    """The track of every object of ``marks``, by id.

    Args:
        marks: the objects and their anchors.
        runs: what trackers found.
        trackers: by object id, what tells its tracker and settings from others.
        count: frames of the clip.
    """
    known = runs.all()
    return {
        tracked.id: _static(marks.anchors.get(tracked.id, {}), count)
        if tracked.static
        else _TrackBuilder(marks, tracked, runs, known, trackers[tracked.id], count).build()
        for tracked in marks.objects
    }
