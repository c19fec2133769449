"""Pass 1: prompts become masks for every frame.

Each object is followed forward from its first prompt and backward from its last; every prompt on
the way corrects it. Where both directions know an object, the surer one is believed. Both passes
are kept in pieces, with the tracker's state at the end of the last one, so that an interrupted job
goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cleanplate.jobs.progress import Progress
from cleanplate.jobs.records import Record, load_piece, load_state, save_piece, save_state
from cleanplate.types import Frame, ObjectState, TrackedMask, Visibility

if TYPE_CHECKING:
    from cleanplate.media.read import Clip
    from cleanplate.protocols import Tracker, Tracking

PIECE = 32  # frames between two points from which an interrupted pass can go on

_SEEN = (Visibility.VISIBLE, Visibility.PARTLY_HIDDEN)


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Frames of a clip, and the shot that each belongs to."""

    start: int
    stop: int
    shots: np.ndarray


@dataclass(frozen=True, slots=True)
class Pass:
    """One direction of time."""

    name: str
    first: int
    last: int
    """The last frame, included; before ``first`` when the pass goes backward."""

    @property
    def step(self) -> int:
        return 1 if self.last >= self.first else -1

    @property
    def count(self) -> int:
        return abs(self.last - self.first) + 1

    def frames(self, clip: Clip, start: int, shots: np.ndarray) -> Iterator[Frame]:
        if self.step > 0:
            pictures = clip.pictures(start, self.last + 1)
        else:
            pictures = clip.pictures_backward(start, self.last)
        for picture in pictures:
            yield Frame(picture.index, picture.time, picture.rgb(), int(shots[picture.index]))


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
    wanted = passes(keys, span)
    ready = {one: sorted(folder.glob(f"{one.name}-*.npz")) for one in wanted}
    done = sum(min(len(pieces) * PIECE, one.count) for one, pieces in ready.items())
    progress.start("track", sum(one.count for one in wanted), done)
    for one, pieces in ready.items():
        _run(clip, keys, one, span.shots, tracker, folder, pieces, progress)
    progress.finish()


def _run(
    clip: Clip,
    keys: Mapping[int, np.ndarray],
    one: Pass,
    shots: np.ndarray,
    tracker: Tracker,
    folder: Path,
    pieces: list[Path],
    progress: Progress,
) -> None:
    finished = min(len(pieces) * PIECE, one.count)
    if finished == one.count:
        return
    tracking = tracker.resume(load_state(_state_of(pieces[-1]))) if pieces else None
    frames = one.frames(clip, one.first + one.step * finished, shots)
    for number in range(len(pieces), -(-one.count // PIECE)):
        records: list[Record] = []
        for frame in islice(frames, PIECE):
            tracking, tracked = _advance(tracker, tracking, frame, keys.get(frame.index))
            records.append(Record.pack(frame.index, tracked))
            progress.advance()
        assert tracking is not None  # a piece has a frame
        path = folder / f"{one.name}-{number:06d}.npz"
        save_state(_state_of(path), tracking.state())
        save_piece(path, records)
        # A tracker may remember much: only what the last whole piece ended with is wanted again.
        for old in folder.glob(f"state-{one.name}-*.npz"):
            if old != _state_of(path):
                old.unlink()


def _state_of(piece: Path) -> Path:
    """Where the tracker's state at the end of a piece lies."""
    return piece.with_name(f"state-{piece.name}")


def _advance(
    tracker: Tracker, tracking: Tracking | None, frame: Frame, key: np.ndarray | None
) -> tuple[Tracking, TrackedMask]:
    """One frame on; a prompted frame starts or corrects the tracking and is believed as it is."""
    if tracking is None:
        assert key is not None  # a pass begins at a prompt
        return tracker.start(frame, key), _prompted(key)
    tracked = tracking.step(frame)
    if key is None:
        return tracking, tracked
    tracking.correct(frame, key)
    given = _prompted(key)
    ids = {state.object_id for state in given.objects}
    mask = np.where(np.isin(tracked.mask, list(ids)), 0, tracked.mask)
    others = tuple(state for state in tracked.objects if state.object_id not in ids)
    return tracking, TrackedMask(np.where(key > 0, key, mask), given.objects + others)


def _prompted(key: np.ndarray) -> TrackedMask:
    ids = np.flatnonzero(np.bincount(key.ravel(), minlength=256))
    states = tuple(ObjectState(int(i), 1.0, Visibility.VISIBLE) for i in ids if i)
    return TrackedMask(key, states)


def merged(span: Span, folder: Path) -> Iterator[TrackedMask]:
    """The mask of each frame of ``span``, from whichever pass is surer of each object."""
    directions = [_Ahead(_forward(folder)), _Ahead(_backward(folder))]
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


def _forward(folder: Path) -> Iterator[Record]:
    for piece in sorted(folder.glob("forward-*.npz")):
        yield from load_piece(piece)


def _backward(folder: Path) -> Iterator[Record]:
    for piece in sorted(folder.glob("backward-*.npz"), reverse=True):
        yield from reversed(list(load_piece(piece)))


def _merge(records: list[Record]) -> TrackedMask:
    if len(records) == 1:
        return TrackedMask(records[0].mask, records[0].objects)
    masks = [record.mask for record in records]
    best: dict[int, tuple[ObjectState, int]] = {}
    for source, record in enumerate(records):
        for state in record.objects:
            known = best.get(state.object_id)
            if known is None or _sureness(state) > _sureness(known[0]):
                best[state.object_id] = state, source
    mask = np.zeros(records[0].shape, np.uint8)
    for object_id, (_, source) in sorted(best.items()):
        mask[masks[source] == object_id] = object_id
    return TrackedMask(mask, tuple(state for _, (state, _) in sorted(best.items())))


def _sureness(state: ObjectState) -> tuple[bool, float]:
    return state.visibility in _SEEN, state.confidence


def reported(index: int, time: Any, tracked: TrackedMask) -> dict[str, Any]:
    """What a report says of one tracked frame."""
    objects = [
        {"object": s.object_id, "confidence": round(s.confidence, 3), "state": s.visibility.value}
        for s in tracked.objects
    ]
    return {"frame": index, "time": float(time), "objects": objects}
