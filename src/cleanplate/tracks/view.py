"""One moment of the tracks, to be read while edits and tracking go on: masks, lanes, doubts."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from cleanplate.arrays.masks import shifted
from cleanplate.media.survey import Survey
from cleanplate.settings.groups import PRINT
from cleanplate.tracks import doubts
from cleanplate.tracks.doubts import Doubt, Series
from cleanplate.tracks.marks import Anchor, Kind, Marks, TrackedObject
from cleanplate.tracks.mask_store import MaskCrop, MaskStore
from cleanplate.tracks.runs import GIVEN, Runs
from cleanplate.tracks.timeline import (
    NOT_FOLLOWED,
    WORDS,
    ObjectTrack,
    object_tracks,
    static_anchor,
)
from cleanplate.types import Box

_NONE = WORDS.index(NOT_FOLLOWED)
_BINS = 400  # of confidences along a timeline


@dataclass(frozen=True, slots=True)
class ListedDoubt(Doubt):
    """A doubt that a user may settle."""

    id: str
    """Stays the same as long as the doubt and the run that it comes from do."""


class View:
    """What is shown of each object, from one set of marks and what runs had found by then."""

    def __init__(
        self,
        marks: Marks,
        store: MaskStore,
        runs: Runs,
        survey: Survey,
        size: tuple[int, int],
        trackers: Mapping[int, str],
        masks: Mapping[Anchor, str],
        seen: object,
    ) -> None:
        """
        Args:
            marks: the objects and their anchors.
            store: where the anchors' masks are.
            runs: what was found.
            survey: of the clip.
            size: (H, W).
            trackers: by object id, what tells its tracker and settings from others.
            masks: for anchors of still objects that stand for another mask, its hash.
            seen: changes whenever runs have found more.
        """
        self.marks, self.size = marks, size
        self._store, self._runs, self._survey = store, runs, survey
        self._masks, self._seen = masks, (sorted(set(trackers.values())), seen)
        self.tracks: dict[int, ObjectTrack] = object_tracks(marks, runs, trackers, survey.count)

    # --- masks ---

    def crop(self, object_id: int, frame: int) -> MaskCrop | None:
        """One object in one frame; None where it is not, or is not known to be."""
        tracked = self.marks.object(object_id)
        anchored = self._anchored(tracked, frame)
        if anchored is not None:
            return self._store.crop(anchored)
        run = self.tracks[object_id].run(frame)
        part = None if run is None else self._runs.record(run, frame).part
        if run is None or part is None:
            return None
        box, ids = part
        return _tight(box, ids == (tracked.given_id if run.name == tracked.given else object_id))

    def _anchored(self, tracked: TrackedObject, frame: int) -> str | None:
        """The hash of the mask that an anchor gives the object in ``frame``; None: none does."""
        anchors = self.marks.anchors.get(tracked.id, {})
        if not tracked.static:
            anchor = anchors.get(frame)
            return None if anchor is None else anchor.mask
        anchor = static_anchor(anchors, frame)
        return None if anchor is None else self._masks.get(anchor, anchor.mask)

    def mask(self, frame: int) -> np.ndarray:
        """(H, W) uint8, value = object id; where objects overlap the higher id is on top."""
        mask = np.zeros(self.size, np.uint8)
        for tracked in self.marks.objects:
            crop = self.crop(tracked.id, frame)
            if crop is not None:
                mask[crop.box.slices][crop.bits] = tracked.id
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
        sources: list[str] = []
        for tracked in self.marks.objects:
            anchored = self._anchored(tracked, frame)
            if anchored is not None:
                sources.append(f"{tracked.id}={anchored}")
            elif (run := self.tracks[tracked.id].run(frame)) is not None:
                sources.append(f"{tracked.id}={run.name}:{frame}")
        return hashlib.sha256(" ".join(sources).encode()).hexdigest()[:16]

    @cached_property
    def key_of_all(self) -> str:
        """Equal keys, equal masks in all frames; the same in every process."""
        objects = [
            (tracked.id, tracked.static, tracked.given, tracked.given_id)
            for tracked in self.marks.objects
        ]
        anchors = [
            (number, frame, anchor.kind, self._masks.get(anchor, anchor.mask), anchor.passing)
            for number, by_frame in self.marks.anchors.items()
            for frame, anchor in by_frame.items()
        ]
        return hashlib.sha256(repr((objects, anchors, self._seen)).encode()).hexdigest()[:16]

    # --- what a person is told ---

    def lanes(self) -> dict[int, list[tuple[int, int, str, float]]]:
        """For each object its states along time: (first, last, state, least confidence)."""
        return {object_id: list(_lane(track)) for object_id, track in self.tracks.items()}

    def confidences(self) -> dict[int, list[float]]:
        """For each object the least confidence in each of at most 400 equal parts of the clip.

        -1 where nothing was followed.
        """
        return {object_id: _binned(track) for object_id, track in self.tracks.items()}

    def stale(self) -> list[tuple[int, int, int]]:
        """(object, first, last) of what was followed before a change."""
        return [
            (object_id, first, last)
            for object_id, track in self.tracks.items()
            for first, last in _stretches(track.stale)
        ]

    @cached_property
    def doubtful(self) -> list[ListedDoubt]:
        """What a person should look at, worst first; not what was approved or dismissed."""
        start, stop = self.marks.span
        doubtful: list[Doubt] = []
        for tracked in self.marks.objects:
            track = self.tracks[tracked.id]
            words = [WORDS[int(code)] for code in track.codes[start:stop]]
            series = Series(
                *(tracked.id, start, words),
                *(track.confidences[start:stop].tolist(), track.areas[start:stop].tolist()),
            )
            doubtful += doubts.doubts(series, [int(cut) for cut in self._survey.cuts])
        rows = [self._row(doubt) for doubt in doubts.worst_first(doubtful)]
        return [row for row in rows if not self._is_settled(row)]

    def _row(self, doubt: Doubt) -> ListedDoubt:
        track = self.tracks[doubt.object_id]
        run = track.run(doubt.frame)
        key = f"{doubt} {'' if run is None else run.name}"
        name = hashlib.sha256(key.encode()).hexdigest()[:12]
        return ListedDoubt(**asdict(doubt), id=name)

    def _is_settled(self, row: ListedDoubt) -> bool:
        """Whether the user has found it right, or a frame of it as the same run shows it."""
        if row.id in self.marks.dismissed:
            return True
        run = self.tracks[row.object_id].run(row.frame)
        return run is not None and any(
            run.name in anchor.passing and row.first - 1 <= frame <= row.last + 1
            for frame, anchor in self.marks.anchors.get(row.object_id, {}).items()
        )

    def is_exact(self, tracked: TrackedObject) -> bool:
        """Whether all masks of the object are the user's own: none was found by an engine."""
        anchors = self.marks.anchors.get(tracked.id, {}).values()
        if tracked.static:
            return all(anchor.exact or anchor.is_empty for anchor in anchors)
        run = self._runs.all().get(tracked.given)
        is_brought = run is not None and run.direction == GIVEN
        return is_brought and all(anchor.kind is not Kind.PROMPT for anchor in anchors)

    def is_print(self, tracked: TrackedObject) -> bool:
        """Whether all that an engine outlined of the object was outlined as a print's letters."""
        anchors = self.marks.anchors.get(tracked.id, {}).values()
        outliners = {anchor.outliner for anchor in anchors if anchor.outliner}
        return outliners == {PRINT}

    def is_constant(self) -> bool:
        """Whether one mask serves the whole span."""
        start, stop = self.marks.span
        return len({self.key(frame) for frame in range(start, stop)}) == 1

    def is_followed(self, object_id: int) -> bool:
        """Whether something is known of the object in each frame of the span."""
        start, stop = self.marks.span
        return not (self.tracks[object_id].codes[start:stop] == _NONE).any()

    def is_shown(self, object_id: int) -> bool:
        """Whether the object has a mask anywhere in the span."""
        start, stop = self.marks.span
        track = self.tracks[object_id]
        anchors = self.marks.anchors.get(object_id, {})
        return any(not anchor.is_empty for anchor in anchors.values()) or bool(
            (track.areas[start:stop] > 0).any()
        )


def _tight(box: Box, bits: np.ndarray) -> MaskCrop | None:
    crop = MaskCrop.of(bits)
    if crop is None:
        return None
    return MaskCrop(shifted(crop.box, box.x0, box.y0), crop.bits)


def _stretches(flags: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last place of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    for first, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield first, stop - 1


def _lane(track: ObjectTrack) -> Iterator[tuple[int, int, str, float]]:
    edges = [0, *(np.flatnonzero(np.diff(track.codes)) + 1).tolist(), len(track.codes)]
    for first, stop in itertools.pairwise(edges):
        least = float(track.confidences[first:stop].min())
        yield first, stop - 1, WORDS[track.codes[first]], round(least, 3)


def _binned(track: ObjectTrack) -> list[float]:
    values = np.where(track.codes == _NONE, -1.0, track.confidences)
    bins = np.array_split(values, min(_BINS, len(values)))
    return [round(float(part.min()), 3) for part in bins]
