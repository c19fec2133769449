"""One pass: a tracker led through frames in one direction of time, kept in pieces.

A pass that was interrupted goes on from its last saved state and gives what an undisturbed one
gives. What it has found so far can be read while it runs, from another process too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.arrays.streams import prefetch
from cleanplate.errors import CancelledError
from cleanplate.progress import Progress
from cleanplate.tracks.records import Record, load_piece, load_state, save_piece, save_state
from cleanplate.types import Frame, ObjectState, TrackedMask, Visibility

if TYPE_CHECKING:
    from cleanplate.media.read import Clip
    from cleanplate.protocols import Tracker, Tracking

PIECE = 32  # frames in a file, and between two states from which a pass can go on
_PATIENCE = 1.0  # seconds that a tracked frame waits at most before others can see it
_LARGE = 16 << 20  # bytes

SEEN = (Visibility.VISIBLE, Visibility.PARTLY_HIDDEN)


@dataclass(frozen=True, slots=True)
class Pass:
    """Frames in one direction of time."""

    name: str
    first: int
    last: int
    """The last frame, included; before ``first`` when the pass goes backward."""

    @property
    def step(self) -> int:
        """1 forward in time, -1 backward."""
        return 1 if self.last >= self.first else -1

    @property
    def count(self) -> int:
        """How many frames there are."""
        return abs(self.last - self.first) + 1

    def frames(self, clip: Clip, done: int, shots: np.ndarray) -> Iterator[Frame]:
        """The frames after the first ``done`` ones."""
        start = self.first + self.step * done
        if self.step > 0:
            pictures = clip.pictures(start, self.last + 1)
        else:
            pictures = clip.pictures_backward(start, self.last)
        for picture in pictures:
            yield Frame(picture.index, picture.time, picture.rgb(), int(shots[picture.index]))


class Pieces:
    """What a pass has found, in files of ``PIECE`` frames in the order of the pass."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def paths(self) -> list[Path]:
        """The files, in the order of the pass."""
        return sorted(self.folder.glob("[0-9]*.npz"))

    def path(self, position: int) -> Path:
        """The file of the frame at ``position`` of the pass."""
        return self.folder / f"{position // PIECE:06d}.npz"

    def records(self, backward: bool = False) -> Iterator[Record]:
        """All records, in the order of the pass or against it."""
        for path in reversed(self.paths()) if backward else self.paths():
            records = list(load_piece(path))
            yield from reversed(records) if backward else records

    def count(self) -> int:
        """How many frames have been tracked."""
        paths = self.paths()
        return (len(paths) - 1) * PIECE + len(list(load_piece(paths[-1], False))) if paths else 0

    def resumable(self) -> int:
        """How many frames an interrupted pass need not track again."""
        if not self._state.exists():
            return 0
        with np.load(self._state, allow_pickle=False) as archive:  # a state may be large
            return int(archive["@done"])

    def state(self) -> tuple[int, dict[str, np.ndarray]]:
        """How many frames were done, and the tracker's state after them."""
        state = load_state(self._state)
        return int(state.pop("@done")), state

    def drop_large_state(self) -> None:
        """Forget the state of a pass that will hardly be lengthened, if it takes much room.

        Without it a pass that is lengthened after all begins anew, and finds the same.
        """
        if self._state.exists() and self._state.stat().st_size > _LARGE:
            self._state.unlink()

    def save_state(self, done: int, state: dict[str, np.ndarray]) -> None:
        """Keep the tracker's state after ``done`` frames."""
        save_state(self._state, state | {"@done": np.array(done)})

    @property
    def _state(self) -> Path:
        return self.folder / "state.npz"


class _Writer:
    """Adds records to the pieces of a pass of which ``done`` frames are good."""

    def __init__(self, pieces: Pieces, done: int) -> None:
        self._pieces, self.done = pieces, done
        self._open: list[Record] = []
        self._written, self._latest = 0, time.monotonic()
        # What lies beyond is tracked again: between old and new records there must be no gap.
        for path in [later for later in pieces.paths() if later > pieces.path(done)]:
            path.unlink()
        if done == 0:
            pieces.path(0).unlink(missing_ok=True)
        if done % PIECE:
            self._open = list(load_piece(pieces.path(done)))[: done % PIECE]
            self._written = len(self._open)

    def add(self, record: Record) -> None:
        self._open.append(record)
        self.done += 1
        if time.monotonic() - self._latest > _PATIENCE:
            self.flush()

    def flush(self) -> None:
        """Write what is not written; close the piece when it is full."""
        if len(self._open) > self._written:
            save_piece(self._pieces.path(self.done - 1), self._open)
            self._written, self._latest = len(self._open), time.monotonic()
        if len(self._open) == PIECE:
            self._open, self._written = [], 0


def run(
    clip: Clip,
    keys: Mapping[int, np.ndarray],
    stretch: Pass,
    shots: np.ndarray,
    tracker: Tracker,
    pieces: Pieces,
    progress: Progress,
    seen: Callable[[int], None] = lambda frame: None,
) -> None:
    """Lead ``tracker`` through a pass, from where an earlier run left it.

    Args:
        clip: the clip.
        keys: (H, W) uint8 masks, value = object id: that of the first frame starts the tracker,
            others correct it.
        stretch: the pass.
        shots: (N,) shot number of each frame.
        tracker: the engine.
        pieces: where records and the tracker's state are kept.
        progress: told about every frame; when it raises CancelledError all that is done is kept.
        seen: told about every frame too, by its index.
    """
    pieces.folder.mkdir(parents=True, exist_ok=True)
    if pieces.count() >= stretch.count:
        return
    done = pieces.resumable()
    tracking = None
    if done:
        _, state = pieces.state()
        tracking = tracker.resume(state)
    writer = _Writer(pieces, done)
    try:
        with closing(prefetch(stretch.frames(clip, done, shots))) as frames:
            for frame in frames:
                tracking, tracked = _advance(tracker, tracking, frame, keys.get(frame.index))
                writer.add(Record.pack(frame.index, tracked))
                if writer.done % PIECE == 0:
                    _save(writer, pieces, tracking)
                seen(frame.index)
                progress.advance()
    except CancelledError:
        if tracking is not None:
            _save(writer, pieces, tracking)
        raise
    assert tracking is not None  # a pass has a frame
    _save(writer, pieces, tracking)


def _save(writer: _Writer, pieces: Pieces, tracking: Tracking) -> None:
    """Records first: a state must never be ahead of them."""
    writer.flush()
    pieces.save_state(writer.done, tracking.state())


def _advance(
    tracker: Tracker, tracking: Tracking | None, frame: Frame, key: np.ndarray | None
) -> tuple[Tracking, TrackedMask]:
    """One frame on; a prompted frame starts or corrects the tracking and is believed as it is."""
    if tracking is None:
        assert key is not None  # a pass begins at a prompt
        return tracker.start(frame, key), prompted(key)
    tracked = tracking.step(frame)
    if key is None:
        return tracking, tracked
    tracking.correct(frame, key)
    given = prompted(key)
    ids = {state.object_id for state in given.objects}
    mask = np.where(np.isin(tracked.mask, list(ids)), 0, tracked.mask)
    others = tuple(state for state in tracked.objects if state.object_id not in ids)
    return tracking, TrackedMask(np.where(key > 0, key, mask), given.objects + others)


def prompted(key: np.ndarray) -> TrackedMask:
    """What is said of a frame whose mask, (H, W) uint8, the user gave."""
    ids = np.flatnonzero(np.bincount(key.ravel(), minlength=256))
    states = tuple(ObjectState(int(i), 1.0, Visibility.VISIBLE) for i in ids if i)
    return TrackedMask(key, states)
