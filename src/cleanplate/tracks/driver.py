"""Makes the runs that are lacking, or lengthens them: the only place that leads a tracker.

Objects that are anchored in the same frame share a run. Works on a snapshot of the marks: edits
made meanwhile only make what comes out stale.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from cleanplate.errors import InputError
from cleanplate.progress import Progress
from cleanplate.runtime import MakeEngine, make_engine
from cleanplate.settings.groups import Settings
from cleanplate.tracks import passes
from cleanplate.tracks.choice import ChosenTracker
from cleanplate.tracks.marks import NEVER, DiscoveredObject, Marks
from cleanplate.tracks.mask_store import MaskStore
from cleanplate.tracks.passes import Pass
from cleanplate.tracks.runs import FORWARD, UNPOINTED, FollowedFrom, Run, Runs
from cleanplate.tracks.timeline import MissingRun, ObjectTrack

if TYPE_CHECKING:
    from cleanplate.media.read import Clip

Direction = Literal["both", "forward", "backward"]


@dataclass(slots=True)
class PlannedRun:
    """One run to be made or lengthened."""

    direction: str
    frame: int
    """Of the anchors that it begins at."""
    tracker: ChosenTracker
    run: Run | None
    """The run to lengthen; None: a new one is needed."""
    followed: dict[int, FollowedFrom] = field(default_factory=dict[int, FollowedFrom])
    """By object id."""
    last: int = 0
    """The frame to come to, included."""

    @property
    def stretch(self) -> Pass:
        """The frames that it leads through."""
        return Pass(self.direction, self.frame, self.last)


def missing_runs(
    tracks: Mapping[int, ObjectTrack],
    direction: Direction = "both",
    frame: int | None = None,
    objects: Collection[int] | None = None,
    stop: int | None = None,
) -> list[MissingRun]:
    """The runs that are lacking, as far as they are asked for.

    Args:
        tracks: of all objects, by id.
        direction: of time.
        frame: only what begins at an anchor in this frame; where an object has none there, what
            leads through the frame.
        objects: only these.
        stop: no further than this frame.
    """
    asked: list[MissingRun] = []
    for object_id, track in tracks.items():
        if objects is not None and object_id not in objects:
            continue
        lacking = [run for run in track.missing if direction in ("both", run.direction)]
        if frame is not None:
            lacking = _at(lacking, frame)
        for run in lacking:
            ahead = run.direction == FORWARD
            until = run.limit
            if stop is not None:
                until = min(until, stop) if ahead else max(until, stop)
            if (until > run.frame) if ahead else (until < run.frame):
                asked.append(replace(run, until=until))
    return asked


def _at(lacking: list[MissingRun], frame: int) -> list[MissingRun]:
    beginning = [run for run in lacking if run.frame == frame]
    through = [r for r in lacking if min(r.frame, r.limit) <= frame <= max(r.frame, r.limit)]
    return beginning or through


def planned(
    lacking: Iterable[MissingRun],
    marks: Marks,
    runs: Runs,
    trackers: Mapping[int, ChosenTracker],
) -> list[PlannedRun]:
    """What brings the runs that are lacking, forward ones first.

    Args:
        lacking: from ``missing_runs``.
        marks: the objects and their anchors.
        runs: all that there are.
        trackers: of each object, by id.
    """
    known = sorted(runs.all().values(), key=lambda run: -run.order)
    plans: dict[tuple[str, int, str, str], PlannedRun] = {}
    for wanted in lacking:
        anchor = marks.anchors[wanted.object_id][wanted.frame]
        source = FollowedFrom(anchor.mask, marks.object(wanted.object_id).born, wanted.limit)
        tracker = trackers[wanted.object_id]
        run = next((r for r in known if _carries(r, wanted, anchor.mask, tracker.key)), None)
        key = (wanted.direction, wanted.frame, tracker.key, "" if run is None else run.name)
        plan = plans.setdefault(
            key, PlannedRun(wanted.direction, wanted.frame, tracker, run, {}, wanted.frame)
        )
        plan.followed[wanted.object_id] = source
        farther = max if wanted.direction == FORWARD else min
        plan.last = farther(plan.last, wanted.until)
    return sorted(plans.values(), key=lambda plan: (plan.direction != FORWARD, plan.frame))


def _carries(run: Run, wanted: MissingRun, mask: str, tracker: str) -> bool:
    source = run.objects.get(wanted.object_id)
    return (
        source is not None
        and source.anchor == mask
        and (run.direction, run.frame, run.tracker) == (wanted.direction, wanted.frame, tracker)
    )


class RunDriver:
    """Leads trackers through runs."""

    def __init__(
        self,
        clip: Clip,
        store: MaskStore,
        runs: Runs,
        shots: np.ndarray,
        settings: Settings,
        make: MakeEngine = make_engine,
    ) -> None:
        """
        Args:
            clip: the clip.
            store: where the anchors' masks are.
            runs: where runs are kept.
            shots: (N,) shot number of each frame.
            settings: how the trackers are set.
            make: makes them.
        """
        self._clip, self._store, self._runs = clip, store, runs
        self._shots, self._settings, self._make = shots, settings, make

    def drive(self, plans: list[PlannedRun], progress: Progress) -> list[DiscoveredObject]:
        """Make or lengthen the runs; what is done is kept when ``progress`` stops it.

        Returns:
            What the tracker found by itself.
        """
        names = {plan.tracker.name for plan in plans}
        engines = {name: self._make("track", name, self._settings)[0] for name in sorted(names)}
        done = sum(self._done(plan) for plan in plans)
        progress.start("track", sum(plan.stretch.count for plan in plans), done)
        discovered: list[DiscoveredObject] = []
        for plan in plans:
            run = self._run_of(plan)
            keys = {plan.frame: self._key_mask(run)}
            pieces = self._runs.pieces(run)
            passes.run(
                *(self._clip, keys, plan.stretch, self._shots),
                *(engines[plan.tracker.name], pieces, progress),
                progress.at,
            )
            if all(plan.last == source.limit for source in plan.followed.values()):
                pieces.drop_large_state()
            discovered += self._discovered(run)
        progress.finish()
        return discovered

    def _discovered(self, run: Run) -> list[DiscoveredObject]:
        fresh = self._runs.discovered(run)
        if fresh:  # noted, so that they are told once
            last = self._runs.last(run)
            noted = {object_id: FollowedFrom(NEVER, UNPOINTED, last) for object_id in fresh}
            self._runs.meant_for(run, {**run.objects, **noted})
        return [DiscoveredObject(run.name, object_id) for object_id in fresh]

    def _done(self, plan: PlannedRun) -> int:
        if plan.run is None:
            return 0
        pieces = self._runs.pieces(plan.run)
        done = pieces.count()
        return plan.stretch.count if done >= plan.stretch.count else pieces.resumable()

    def _run_of(self, plan: PlannedRun) -> Run:
        if plan.run is not None:
            return self._runs.meant_for(plan.run, plan.followed)
        return self._runs.begin(plan.direction, plan.frame, plan.tracker.key, plan.followed)

    def _key_mask(self, run: Run) -> np.ndarray:
        """(H, W) uint8 ids: the anchors that ``run`` begins with; the higher id is on top."""
        info = self._clip.info
        mask = np.zeros((info.height, info.width), np.uint8)
        for object_id, source in sorted(run.objects.items()):
            if source.anchor == NEVER:
                continue  # the tracker found it later
            crop = self._store.crop(source.anchor)
            if crop is None:
                raise InputError(f"Object {object_id} has no mask in frame {run.frame}; mark it.")
            mask[crop.box.slices][crop.bits] = object_id
        return mask
