"""Runs: what trackers returned, or what was imported. A run is never changed, only lengthened.

A run leads one way from a frame whose anchors it started from, so that it can be told later whether
it still follows from what the user says.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from cleanplate.files.publish import write_text
from cleanplate.tracks.passes import SEEN, Pieces
from cleanplate.tracks.records import Record, load_piece
from cleanplate.types import Visibility

FORWARD, BACKWARD, GIVEN = "forward", "backward", "given"
UNPOINTED = -1  # in place of a version: the tracker found the object by itself
_META = "run.json"
_KEPT_PIECES = 48

VISIBILITIES = tuple(Visibility)
ABSENT = len(VISIBILITIES)  # the code of an object of which a record says nothing


@dataclass(frozen=True, slots=True)
class FollowedFrom:
    """What a run followed of one object."""

    anchor: str
    """Hash of the mask that it started from; empty where the tracker found it by itself."""
    born: int
    """The version in which the object was added, or ``UNPOINTED``."""
    limit: int
    """The last frame that it was meant for: beyond lies what the user had fixed."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is, without what it found."""

    name: str
    order: int
    direction: str
    frame: int
    """Where it begins."""
    tracker: str
    """What tells the tracker and its settings from others."""
    objects: Mapping[int, FollowedFrom] = field(default_factory=dict[int, FollowedFrom])

    @property
    def step(self) -> int:
        """1 forward in time, -1 backward."""
        return -1 if self.direction == BACKWARD else 1


@dataclass(frozen=True, slots=True, eq=False)
class RunSummary:
    """What a run says of one object, by frame of the clip."""

    first: int
    """The least frame that it has come to; the one that it began with is left out."""
    stop: int
    codes: np.ndarray
    """(stop - first,) uint8: place in ``VISIBILITIES``, or ``ABSENT``."""
    confidences: np.ndarray
    """(stop - first,) float32."""
    areas: np.ndarray
    """(stop - first,) int32, px."""


class Runs:
    """All runs of a project. Reads what another process adds meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known: dict[str, tuple[tuple[int, ...], Run]] = {}
        self._summaries: dict[Path, tuple[int, _PieceSummary]] = {}
        self._pieces: OrderedDict[Path, tuple[int, dict[int, Record]]] = OrderedDict()

    # --- what there is ---

    def all(self) -> dict[str, Run]:
        """All runs by name, oldest first."""
        runs: dict[str, Run] = {}
        for path in sorted(self._folder.glob("[0-9]*")):
            meta = path / _META
            if not meta.exists():
                continue  # being made, or being taken away
            stamp = (meta.stat().st_mtime_ns, meta.stat().st_ino)
            with self._lock:
                known = self._known.get(path.name)
            if known is None or known[0] != stamp:
                known = stamp, _parse(path.name, meta.read_text(encoding="utf-8"))
                with self._lock:
                    self._known[path.name] = known
            runs[path.name] = known[1]
        return runs

    def signature(self) -> tuple[tuple[str, int], ...]:
        """Changes whenever a run is added or comes further."""
        folders = sorted(self._folder.glob("[0-9]*"))
        return tuple((path.name, path.stat().st_mtime_ns) for path in folders)

    def pieces(self, run: Run) -> Pieces:
        """The files of a run."""
        return Pieces(self._folder / run.name)

    # --- making ---

    def begin(
        self, direction: str, frame: int, tracker: str, objects: dict[int, FollowedFrom]
    ) -> Run:
        """A new run, empty."""
        names = [path.name for path in self._folder.glob("[0-9]*")]
        order = 1 + max((int(name.split("-")[0]) for name in names), default=0)
        name = f"{order:05d}-{direction}-{frame}"
        run = Run(name, order, direction, frame, tracker, objects)
        (self._folder / name).mkdir(parents=True)
        self._write(run)
        return run

    def meant_for(self, run: Run, objects: dict[int, FollowedFrom]) -> Run:
        """The same run, to be lengthened for ``objects``; its others are done with it."""
        last = self.last(run)
        nearer = max if run.direction == BACKWARD else min
        others = {
            object_id: replace(source, limit=nearer(source.limit, last))
            for object_id, source in run.objects.items()
        }
        changed = replace(run, objects={**others, **objects})
        self._write(changed)
        return changed

    def _write(self, run: Run) -> None:
        plain = asdict(run)
        del plain["name"]
        write_text(self._folder / run.name / _META, json.dumps(plain, indent=1, sort_keys=True))

    # --- reading ---

    def last(self, run: Run) -> int:
        """The frame that the run has come to; the one it began with when it has none."""
        paths = self.pieces(run).paths()
        return int(self._piece_summary(paths[-1]).indexes[-1]) if paths else run.frame

    def summary(self, run: Run, object_id: int) -> RunSummary:
        """What ``run`` says of one object."""
        pieces = [self._piece_summary(path) for path in self.pieces(run).paths()]
        said = [piece.said(object_id) for piece in pieces] or [_nothing(0)]
        columns = [np.concatenate(column) for column in zip(*said, strict=True)]
        indexes = (
            np.concatenate([piece.indexes for piece in pieces]) if pieces else np.zeros(0, int)
        )
        kept = slice(0 if run.direction == GIVEN else 1, None)
        indexes, columns = (
            indexes[kept][:: run.step],
            [column[kept][:: run.step] for column in columns],
        )
        first = int(indexes[0]) if len(indexes) else run.frame
        return RunSummary(first, first + len(indexes), *columns)

    def discovered(self, run: Run) -> list[int]:
        """The ids of objects that a tracker saw though nobody had pointed at them."""
        pieces = [self._piece_summary(path) for path in self.pieces(run).paths()]
        return sorted({number for piece in pieces for number in piece.objects} - set(run.objects))

    def record(self, run: Run, frame: int) -> Record:
        """What ``run`` found in ``frame``, which it has come to."""
        path = self.pieces(run).path(abs(frame - run.frame))
        modified = path.stat().st_mtime_ns
        with self._lock:
            known = self._pieces.get(path)
            if known is not None:
                self._pieces.move_to_end(path)
        if known is None or frame not in known[1]:
            known = modified, {record.index: record for record in load_piece(path)}
            with self._lock:
                self._pieces[path] = known
                while len(self._pieces) > _KEPT_PIECES:
                    self._pieces.popitem(last=False)
        return known[1][frame]

    def _piece_summary(self, path: Path) -> _PieceSummary:
        modified = path.stat().st_mtime_ns
        with self._lock:
            known = self._summaries.get(path)
        if known is None or known[0] != modified:
            known = modified, _PieceSummary.of(list(load_piece(path, masks=False)))
            with self._lock:
                self._summaries[path] = known
        return known[1]


@dataclass(frozen=True, slots=True, eq=False)
class _PieceSummary:
    """What a piece says of its objects, without their masks."""

    indexes: np.ndarray
    objects: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, records: list[Record]) -> _PieceSummary:
        objects: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        for place, record in enumerate(records):
            for state in record.objects:
                said = objects.setdefault(state.object_id, _nothing(len(records)))
                said[0][place] = VISIBILITIES.index(state.visibility)
                said[1][place] = state.confidence
                said[2][place] = record.areas.get(state.object_id, 0)
        return cls(np.array([record.index for record in records]), objects)

    def said(self, object_id: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.objects.get(object_id) or _nothing(len(self.indexes))


def _nothing(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    codes = np.full(count, ABSENT, np.uint8)
    return codes, np.zeros(count, np.float32), np.zeros(count, np.int32)


def sure(codes: np.ndarray, confidences: np.ndarray) -> np.ndarray:
    """By this the surer of two runs is told, seen, then confidence."""
    seen = np.isin(codes, [VISIBILITIES.index(visibility) for visibility in SEEN])
    return np.where(codes == ABSENT, -1.0, 2.0 * seen + confidences)


def _parse(name: str, text: str) -> Run:
    plain = json.loads(text)
    plain["objects"] = {
        int(number): FollowedFrom(**plain_source)
        for number, plain_source in plain["objects"].items()
    }
    return Run(name, **plain)
