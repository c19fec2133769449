"""One moment of a project, to be read while edits and tracking go on: masks, lanes, doubts."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from cleanplate.arrays.masks import shifted
from cleanplate.jobs import doubts
from cleanplate.jobs.doubts import Doubt, Series
from cleanplate.media.survey import Survey
from cleanplate.projects.folder import Folder, Stamp
from cleanplate.projects.runs import GIVEN, Runs
from cleanplate.projects.shown import NOT_FOLLOWED, WORDS, Shown, all_shown, static_anchor
from cleanplate.projects.state import Anchor, Kind, Object, State
from cleanplate.types import Box

_NONE = WORDS.index(NOT_FOLLOWED)
_BINS = 400  # of confidences along a timeline


@dataclass(frozen=True, slots=True)
class Row(Doubt):
    """A doubt that a user may settle."""

    id: str


class View:
    """What a project shows, from one state and what runs had found by then."""

    def __init__(
        self,
        state: State,
        folder: Folder,
        runs: Runs,
        survey: Survey,
        size: tuple[int, int],
        tracker: str,
        masks: Mapping[Anchor, str],
        seen: object,
    ) -> None:
        """
        Args:
            state: what was said.
            folder: where masks are.
            runs: what was found.
            survey: of the clip.
            size: (H, W).
            tracker: what tells the tracker and its settings from others.
            masks: for anchors of still objects that stand for another mask, its hash.
            seen: changes whenever runs have found more.
        """
        self.state, self.size = state, size
        self._folder, self._runs, self._survey = folder, runs, survey
        self._masks, self._seen = masks, (tracker, seen)
        self.shown: dict[int, Shown] = all_shown(state, runs, tracker, survey.count)

    # --- masks ---

    def stamp(self, object_id: int, frame: int) -> Stamp | None:
        """One object in one frame; None where it is not, or is not known to be."""
        one = self.state.object(object_id)
        anchored = self._anchored(one, frame)
        if anchored is not None:
            return self._folder.stamp(anchored)
        run = self.shown[object_id].run(frame)
        part = None if run is None else self._runs.record(run, frame).part
        if run is None or part is None:
            return None
        box, ids = part
        return _tight(box, ids == (one.given_id if run.name == one.given else object_id))

    def _anchored(self, one: Object, frame: int) -> str | None:
        """The hash of the mask that an anchor gives the object in ``frame``; None: none does."""
        anchors = self.state.anchors.get(one.id, {})
        if not one.static:
            anchor = anchors.get(frame)
            return None if anchor is None else anchor.mask
        anchor = static_anchor(anchors, frame)
        return None if anchor is None else self._masks.get(anchor, anchor.mask)

    def mask(self, frame: int) -> np.ndarray:
        """(H, W) uint8, value = object id; where objects overlap the higher id is on top."""
        mask = np.zeros(self.size, np.uint8)
        for one in self.state.objects:
            stamp = self.stamp(one.id, frame)
            if stamp is not None:
                mask[stamp.box.slices][stamp.bits] = one.id
        return mask

    def masks(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """``mask`` of each frame; the same array while nothing changes."""
        key, mask = "", np.zeros(self.size, np.uint8)
        for frame in range(start, stop):
            if (newer := self.key(frame)) != key:
                key, mask = newer, self.mask(frame)
            yield mask

    def key(self, frame: int) -> str:
        """What the mask of ``frame`` comes from: equal keys, equal masks."""
        sources = []
        for one in self.state.objects:
            anchored = self._anchored(one, frame)
            if anchored is not None:
                sources.append(f"{one.id}={anchored}")
            elif (run := self.shown[one.id].run(frame)) is not None:
                sources.append(f"{one.id}={run.name}:{frame}")
        return hashlib.sha256(" ".join(sources).encode()).hexdigest()[:16]

    @cached_property
    def stamp_of_all(self) -> str:
        """Equal stamps, equal masks in all frames; the same in every process."""
        objects = [(one.id, one.static, one.given, one.given_id) for one in self.state.objects]
        anchors = [
            (number, frame, anchor.kind, self._masks.get(anchor, anchor.mask), anchor.passing)
            for number, own in self.state.anchors.items()
            for frame, anchor in own.items()
        ]
        return hashlib.sha256(repr((objects, anchors, self._seen)).encode()).hexdigest()[:16]

    # --- what a person is told ---

    def lanes(self) -> dict[int, list[tuple[int, int, str, float]]]:
        """For each object its states along time: (first, last, state, least confidence)."""
        return {object_id: list(_lane(one)) for object_id, one in self.shown.items()}

    def confidences(self) -> dict[int, list[float]]:
        """For each object the least confidence in each of at most 400 equal parts of the clip.

        -1 where nothing was followed.
        """
        return {object_id: _binned(one) for object_id, one in self.shown.items()}

    def stale(self) -> list[tuple[int, int, int]]:
        """(object, first, last) of what was followed before a change."""
        return [
            (object_id, first, last)
            for object_id, one in self.shown.items()
            for first, last in _stretches(one.stale)
        ]

    @cached_property
    def doubtful(self) -> list[Row]:
        """What a person should look at, worst first; not what was approved or dismissed."""
        start, stop = self.state.span
        found: list[Doubt] = []
        for one in self.state.objects:
            shown = self.shown[one.id]
            words = [WORDS[code] for code in shown.codes[start:stop]]
            series = Series(
                *(one.id, start, words),
                *(shown.confidences[start:stop].tolist(), shown.areas[start:stop].tolist()),
            )
            found += doubts.doubts(series, [int(cut) for cut in self._survey.cuts])
        rows = [self._row(one) for one in doubts.worst_first(found)]
        return [row for row in rows if not self._is_settled(row)]

    def _row(self, one: Doubt) -> Row:
        shown = self.shown[one.object_id]
        run = shown.run(one.frame)
        key = f"{one} {'' if run is None else run.name}"
        name = hashlib.sha256(key.encode()).hexdigest()[:12]
        return Row(**asdict(one), id=name)

    def _is_settled(self, row: Row) -> bool:
        """Whether the user has found it right, or a frame of it as the same run shows it."""
        if row.id in self.state.dismissed:
            return True
        run = self.shown[row.object_id].run(row.frame)
        return run is not None and any(
            run.name in anchor.passing and row.first - 1 <= frame <= row.last + 1
            for frame, anchor in self.state.anchors.get(row.object_id, {}).items()
        )

    def is_exact(self, one: Object) -> bool:
        """Whether all masks of the object are the user's own: none was found by an engine."""
        anchors = self.state.anchors.get(one.id, {}).values()
        if one.static:
            return all(anchor.exact or anchor.is_empty for anchor in anchors)
        run = self._runs.all().get(one.given)
        is_brought = run is not None and run.direction == GIVEN
        return is_brought and all(anchor.kind is not Kind.PROMPT for anchor in anchors)

    def is_constant(self) -> bool:
        """Whether one mask serves the whole span."""
        start, stop = self.state.span
        return len({self.key(frame) for frame in range(start, stop)}) == 1

    def is_followed(self, object_id: int) -> bool:
        """Whether something is known of the object in each frame of the span."""
        start, stop = self.state.span
        return not (self.shown[object_id].codes[start:stop] == _NONE).any()

    def is_shown(self, object_id: int) -> bool:
        """Whether the object has a mask anywhere in the span."""
        start, stop = self.state.span
        shown = self.shown[object_id]
        anchors = self.state.anchors.get(object_id, {})
        return any(not anchor.is_empty for anchor in anchors.values()) or bool(
            (shown.areas[start:stop] > 0).any()
        )


def _tight(box: Box, bits: np.ndarray) -> Stamp | None:
    stamp = Stamp.of(bits)
    if stamp is None:
        return None
    return Stamp(shifted(stamp.box, box.x0, box.y0), stamp.bits)


def _stretches(flags: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last place of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    for first, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield first, stop - 1


def _lane(shown: Shown) -> Iterator[tuple[int, int, str, float]]:
    edges = [0, *(np.flatnonzero(np.diff(shown.codes)) + 1).tolist(), len(shown.codes)]
    for first, stop in itertools.pairwise(edges):
        least = float(shown.confidences[first:stop].min())
        yield first, stop - 1, WORDS[shown.codes[first]], round(least, 3)


def _binned(shown: Shown) -> list[float]:
    values = np.where(shown.codes == _NONE, -1.0, shown.confidences)
    bins = np.array_split(values, min(_BINS, len(values)))
    return [round(float(one.min()), 3) for one in bins]
