"""Pass 1: prompts become masks for every frame.

Each object is followed forward from its first prompt and backward from its last; every prompt on
the way corrects it. Where both directions know an object, the surer one is believed. Both passes
are kept in pieces, with the tracker's state at the end of the last one, so that an interrupted job
goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cleanplate.tracks.passes import Pass, Pieces, believed, prompted, run
from cleanplate.progress import Progress
from cleanplate.tracks.records import Record
from cleanplate.types import TrackedMask

if TYPE_CHECKING:
    from cleanplate.media.read import Clip
    from cleanplate.media.survey import Survey
    from cleanplate.protocols import Tracker


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Frames of a clip, and the shot that each belongs to."""

    start: int
    stop: int
    shots: np.ndarray


def passes(keys: Iterable[int], span: Span) -> list[Pass]:
    """The passes that lead from the prompted frames ``keys`` to every frame of ``span``."""
    ordered = sorted(keys)
    wanted = []
    if ordered[0] < span.stop:
        wanted.append(Pass("forward", ordered[0], span.stop - 1))
    if ordered[-1] > span.start:
        wanted.append(Pass("backward", ordered[-1], span.start))
    return wanted


def track(
    clip: Clip,
    keys: Mapping[int, np.ndarray],
    span: Span,
    tracker: Tracker,
    folder: Path,
    progress: Progress,
) -> None:
    """Run all passes; what is already in ``folder`` is not done again.

    Args:
        clip: the clip.
        keys: (H, W) uint8 masks, value = object id, of the prompted frames.
        span: the frames to track through.
        tracker: the engine.
        folder: where the pieces are kept.
        progress: told about every frame.
    """
    wanted = {one: Pieces(folder / one.name) for one in passes(keys, span)}
    done = sum(pieces.resumable() for pieces in wanted.values())
    progress.start("track", sum(one.count for one in wanted), done)
    for one, pieces in wanted.items():
        run(clip, keys, one, span.shots, tracker, pieces, progress)
    progress.finish()


def merged(span: Span, folder: Path) -> Iterator[TrackedMask]:
    """The mask of each frame of ``span``, from whichever pass is surer of each object."""
    directions = [
        _Ahead(Pieces(folder / "forward").records()),
        _Ahead(Pieces(folder / "backward").records(backward=True)),
    ]
    for index in range(span.start, span.stop):
        found = [one.at(index) for one in directions]
        yield _merge([record for record in found if record is not None])


class _Ahead:
    """Records in ascending order, one looked at before it is taken."""

    def __init__(self, records: Iterator[Record]) -> None:
        self._records = records
        self._next = next(records, None)

    def at(self, index: int) -> Record | None:
        while self._next is not None and self._next.index < index:
            self._next = next(self._records, None)
        if self._next is None or self._next.index > index:
            return None
        found, self._next = self._next, next(self._records, None)
        return found


def _merge(records: list[Record]) -> TrackedMask:
    if len(records) == 1:
        return TrackedMask(records[0].mask, records[0].objects)
    masks = [record.mask for record in records]
    best = believed(records)
    mask = np.zeros(records[0].shape, np.uint8)
    for object_id, (_, source) in best.items():
        mask[masks[source] == object_id] = object_id
    return TrackedMask(mask, tuple(state for state, _ in best.values()))


def reported(index: int, time: Any, tracked: TrackedMask) -> dict[str, Any]:
    """What a report says of one tracked frame."""
    areas = np.bincount(tracked.mask.ravel(), minlength=256)
    objects = [
        {
            "object": state.object_id,
            "confidence": round(state.confidence, 3),
            "state": state.visibility.value,
            "area": int(areas[state.object_id]),
        }
        for state in tracked.objects
    ]
    return {"frame": index, "time": float(time), "objects": objects}


def reported_still(span: Span, found: Survey, mask: np.ndarray) -> list[dict[str, Any]]:
    """What a report says of each frame of ``span`` where one mask serves them all."""
    one = reported(0, 0, prompted(mask))
    return [
        {"frame": index, "time": float(found.time(index)), "objects": one["objects"]}
        for index in range(span.start, span.stop)
    ]
