"""What matters in a clip: boxes in its frames, each with the price of losing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cleanplate.arrays.regions import NONE
from cleanplate.files.publish import publishing

# The price of one length of the crop lost for a second; of moving by one length it is 1.
OBJECT = 1000.0  # of the first object; each further one has a part of the price of the one before
_NEXT = 1 / 6
_LEAST_OBJECT = 60.0
TEXT = 30.0
MOTION = 4.0  # of the most that moves
LOOK = 1.5  # of what only stands out

TEXT_KEY, MOTION_KEY, LOOK_KEY = 1000, -1, -1000  # objects have their ids
SAFE = 1.0  # px around an object that may be lost to rounding


@dataclass(frozen=True, slots=True, eq=False)
class Foci:
    """A row for each focus in each frame, sorted by frame."""

    frames: np.ndarray
    """(M,) int, of the clip."""
    boxes: np.ndarray
    """(M, 4) float64 x0, y0, x1, y1."""
    keys: np.ndarray
    """(M,) int: rows of one key are of one thing. An object's is its id."""
    weights: np.ndarray
    """(M,) float64: price of one length of the crop lost for a second."""

    @classmethod
    def joined(cls, parts: Sequence[Foci]) -> Foci:
        """All of ``parts`` together."""
        frames = np.concatenate([np.zeros(0, int), *(part.frames for part in parts)])
        order = np.argsort(frames, kind="stable")
        return cls(
            frames[order],
            np.concatenate([np.zeros((0, 4)), *(part.boxes for part in parts)])[order],
            np.concatenate([np.zeros(0, int), *(part.keys for part in parts)])[order],
            np.concatenate([np.zeros(0), *(part.weights for part in parts)])[order],
        )

    def within(self, start: int, stop: int) -> Foci:
        """Those of the frames [start, stop)."""
        rows = slice(*np.searchsorted(self.frames, [start, stop]).tolist())
        return Foci(self.frames[rows], self.boxes[rows], self.keys[rows], self.weights[rows])

    def where(self, kept: np.ndarray) -> Foci:
        """The rows that are ``kept`` ((M,) bool)."""
        return Foci(self.frames[kept], self.boxes[kept], self.keys[kept], self.weights[kept])

    def save(self, path: Path) -> None:
        """Write them to ``path``, an .npz."""
        with publishing(path) as draft, draft.open("wb") as file:
            np.savez_compressed(
                file, frames=self.frames, boxes=self.boxes, keys=self.keys, weights=self.weights
            )

    @classmethod
    def load(cls, path: Path) -> Foci:
        """What ``save`` wrote."""
        with np.load(path, allow_pickle=False) as archive:
            return cls(*(archive[name] for name in ("frames", "boxes", "keys", "weights")))


def of_objects(boxes: dict[int, np.ndarray], first: Sequence[int] = ()) -> Foci:
    """The objects of a clip: one is kept whole before the next counts.

    Args:
        boxes: for each id (N, 4) x0, y0, x1, y1 in each frame, ``NONE`` where it is not.
        first: ids that come before all others, in their order; others follow by number.
    """
    ranked = [*first, *(number for number in sorted(boxes) if number not in first)]
    parts = []
    for rank, number in enumerate(n for n in ranked if n in boxes):
        frames = np.flatnonzero(boxes[number][:, 0] != NONE)
        price = max(OBJECT * _NEXT**rank, _LEAST_OBJECT)
        wide = boxes[number][frames] + np.array([-SAFE, -SAFE, SAFE, SAFE])
        count = len(frames)
        parts.append(Foci(frames, wide, np.full(count, number), np.full(count, price)))
    return Foci.joined(parts)


def of_stretch(box: np.ndarray, start: int, stop: int, key: int, weight: float) -> Foci:
    """One box ((4,)) in all frames [start, stop)."""
    count = stop - start
    return Foci(
        np.arange(start, stop),
        np.tile(np.asarray(box, float), (count, 1)),
        np.full(count, key),
        np.full(count, weight),
    )
