"""Following: the runs that are lacking are made or lengthened, each from its anchors.

Objects that are anchored in the same frame share a run. Works on a snapshot of what was said: edits
made meanwhile only make what comes out stale.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from cleanplate import registry
from cleanplate.errors import InputError
from cleanplate.jobs import job, passes
from cleanplate.tracks.passes import Pass
from cleanplate.progress import Progress
from cleanplate.projects.folder import Folder
from cleanplate.tracks.runs import FORWARD, Run, Runs, Source
from cleanplate.tracks.timeline import Shown, Want
from cleanplate.projects.state import NEVER, State
from cleanplate.settings import parse

if TYPE_CHECKING:
    from cleanplate.media.read import Clip

Direction = Literal["both", "forward", "backward"]


@dataclass(slots=True)
class Errand:
    """One run to be made or lengthened."""

    direction: str
    frame: int
    run: Run | None
    """The run to lengthen; None: a new one is needed."""
    sources: dict[int, Source] = field(default_factory=dict)
    last: int = 0
    """The frame to come to, included."""

    @property
    def one(self) -> Pass:
        return Pass(self.direction, self.frame, self.last)


@dataclass(frozen=True, slots=True)
class Finding:
    """An object that a tracker found by itself."""

    run: str
    object_id: int
    """Its id in the run."""


def tracker_of(settings: job.Settings) -> str:
    """What tells a tracker and its settings from others, wherever it computes.

    Raises:
        InputError: there is no such tracker, or it has no such setting.
    """
    name = settings.engines.tracker_name
    own = parse(registry.find("track", name).Settings, settings.engine_fields.get(name, {}))
    plain = json.dumps([name, asdict(own), settings.engines.seed], sort_keys=True)
    return f"{name}-{hashlib.sha256(plain.encode()).hexdigest()[:12]}"


def wanted(
    shown: dict[int, Shown],
    direction: Direction = "both",
    frame: int | None = None,
    objects: Collection[int] | None = None,
    stop: int | None = None,
) -> list[Want]:
    """What lacks, as far as it is asked for.

    Args:
        shown: all objects.
        direction: of time.
        frame: only what begins at an anchor in this frame; where an object has none there, what
            leads through the frame.
        objects: only these.
        stop: no further than this frame.
    """
    found = []
    for object_id, one in shown.items():
        if objects is not None and object_id not in objects:
            continue
        wants = [want for want in one.wants if direction in ("both", want.direction)]
        if frame is not None:
            wants = _at(wants, frame)
        for want in wants:
            ahead = want.direction == FORWARD
            until = want.limit
            if stop is not None:
                until = min(until, stop) if ahead else max(until, stop)
            if (until > want.frame) if ahead else (until < want.frame):
                found.append(replace(want, until=until))
    return found


def _at(wants: list[Want], frame: int) -> list[Want]:
    beginning = [want for want in wants if want.frame == frame]
    through = [w for w in wants if min(w.frame, w.limit) <= frame <= max(w.frame, w.limit)]
    return beginning or through


def errands(wants: Iterable[Want], state: State, runs: Runs, tracker: str) -> list[Errand]:
    """The runs that bring what is wanted, forward ones first."""
    known = sorted(runs.all().values(), key=lambda run: -run.order)
    found: dict[tuple[str, int, str], Errand] = {}
    for want in wants:
        anchor = state.anchors[want.object_id][want.frame]
        source = Source(anchor.mask, state.object(want.object_id).born, want.limit)
        run = next((run for run in known if _carries(run, want, anchor.mask, tracker)), None)
        key = (want.direction, want.frame, "" if run is None else run.name)
        errand = found.setdefault(key, Errand(want.direction, want.frame, run, {}, want.frame))
        errand.sources[want.object_id] = source
        farther = max if want.direction == FORWARD else min
        errand.last = farther(errand.last, want.until)
    return sorted(found.values(), key=lambda one: (one.direction != FORWARD, one.frame))


def _carries(run: Run, want: Want, mask: str, tracker: str) -> bool:
    source = run.objects.get(want.object_id)
    return (
        source is not None
        and source.anchor == mask
        and (run.direction, run.frame, run.tracker) == (want.direction, want.frame, tracker)
    )


class Follower:
    """Goes on errands."""

    def __init__(
        self, clip: Clip, folder: Folder, runs: Runs, shots: np.ndarray, settings: job.Settings
    ) -> None:
        self._clip, self._folder, self._runs = clip, folder, runs
        self._shots, self._settings = shots, settings

    def follow(self, wanted: list[Errand], progress: Progress) -> list[Finding]:
        """Make or lengthen the runs; what is done is kept when ``progress`` stops it.

        Returns:
            What a tracker found by itself.
        """
        tracker_id = tracker_of(self._settings)
        engine, _ = job.engine("track", self._settings.engines.tracker_name, self._settings)
        done = sum(self._done(errand) for errand in wanted)
        progress.start("track", sum(errand.one.count for errand in wanted), done)
        found: list[Finding] = []
        for errand in wanted:
            run = self._run_of(errand, tracker_id)
            keys = {errand.frame: self._key(run)}
            pieces = self._runs.pieces(run)
            passes.run(
                self._clip, keys, errand.one, self._shots, engine, pieces, progress, progress.at
            )
            if all(errand.last == source.limit for source in errand.sources.values()):
                pieces.drop_large_state()
            found += self._findings(run)
        progress.finish()
        return found

    def _findings(self, run: Run) -> list[Finding]:
        fresh = self._runs.found_by_itself(run)
        if fresh:  # noted, so that they are told once
            known = run.objects
            last = self._runs.last(run)
            self._runs.meant_for(run, {**known, **{one: Source(NEVER, -1, last) for one in fresh}})
        return [Finding(run.name, one) for one in fresh]

    def _done(self, errand: Errand) -> int:
        if errand.run is None:
            return 0
        pieces = self._runs.pieces(errand.run)
        done = pieces.count()
        return errand.one.count if done >= errand.one.count else pieces.resumable()

    def _run_of(self, errand: Errand, tracker: str) -> Run:
        if errand.run is not None:
            return self._runs.meant_for(errand.run, errand.sources)
        return self._runs.begin(errand.direction, errand.frame, tracker, errand.sources)

    def _key(self, run: Run) -> np.ndarray:
        """(H, W) uint8 ids: the anchors that ``run`` begins with; the higher id is on top."""
        info = self._clip.info
        key = np.zeros((info.height, info.width), np.uint8)
        for object_id, source in sorted(run.objects.items()):
            if source.anchor == NEVER:
                continue  # the tracker found it later
            stamp = self._folder.stamp(source.anchor)
            if stamp is None:
                raise InputError(f"Object {object_id} has no mask in frame {run.frame}; mark it.")
            key[stamp.box.slices][stamp.bits] = object_id
        return key
