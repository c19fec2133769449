"""Where one shot ends and the next begins.

A hard cut is a change of the whole picture that stands out from the changes just before and after
it. Their median is the measure, not their mean as in PySceneDetect's AdaptiveDetector, whose rule
this otherwise is: with the mean, of two cuts a few frames apart the weaker one is lost, and cuts in
a clip's first and last frames are not looked at.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

# Mean absolute change of grey levels. On the open clips 12 to 18 find all cuts and nothing else.
_LEAST_CHANGE = 12.0
_TIMES_MEDIAN, _ABOVE_MEDIAN = 3.0, 4.0
_NEIGHBOURS = 3  # changes on each side that a change is compared with
# A picture darker than this on average is black; a shot ends in the middle of a run of them.
_BLACK = 8.0

# Of a phase correlation's peak, 0 to 1: cuts of the open clips have at most 0.26, the hardest jerk
# in them 0.8.
_SAME = 0.45

PICTURE_WIDTH = 96  # width of the grey pictures that cuts are looked for in


class ShotDetector:
    """Finds hard cuts, and black between shots, in a stream of small grey pictures."""

    def __init__(self) -> None:
        self._previous: np.ndarray | None = None
        self._changes: list[float] = []
        self._levels: list[float] = []

    def see(self, grey: np.ndarray) -> None:
        """Look at the next frame: (h, w) uint8, about ``PICTURE_WIDTH`` wide."""
        picture = grey.astype(np.float32)
        self._levels.append(float(picture.mean()))
        if self._previous is not None:
            self._changes.append(float(np.abs(picture - self._previous).mean()))
        self._previous = picture

    def finish(self) -> list[int]:
        """The first frame of every shot but the first, ascending."""
        return sorted({*self._hard_cuts(), *self._after_black()})

    def _hard_cuts(self) -> list[int]:
        changes = np.array(self._changes)
        return [
            int(i) + 1
            for i in np.flatnonzero(changes > _LEAST_CHANGE)
            if changes[i] > _TIMES_MEDIAN * _around(changes, int(i)) + _ABOVE_MEDIAN
        ]

    def _after_black(self) -> list[int]:
        black = np.array(self._levels) < _BLACK
        edges = np.flatnonzero(np.diff(np.r_[False, black, False].astype(np.int8)))
        runs = zip(edges[::2], edges[1::2], strict=True)
        return [int(a + b) // 2 for a, b in runs if a > 0 and b < len(black)]


def _around(changes: np.ndarray, place: int) -> float:
    """The median of the changes next to the one at ``place``."""
    before = changes[max(0, place - _NEIGHBOURS) : place]
    after = changes[place + 1 : place + 1 + _NEIGHBOURS]
    neighbours = np.r_[before, after]
    return float(np.median(neighbours)) if len(neighbours) else 0.0


class LiveShotDetector:
    """Finds hard cuts as pictures come, from the changes before alone."""

    def __init__(self) -> None:
        self._previous: np.ndarray | None = None
        self._changes: deque[float] = deque(maxlen=2 * _NEIGHBOURS)

    def see(self, grey: np.ndarray) -> bool:
        """Whether a shot begins with the next frame, (h, w) uint8, ``PICTURE_WIDTH`` wide."""
        picture = grey.astype(np.float32)
        before, self._previous = self._previous, picture
        if before is None or before.shape != picture.shape:
            return False
        change = float(np.abs(picture - before).mean())
        usual = float(np.median(self._changes)) if self._changes else 0.0
        self._changes.append(change)
        stands_out = change > _LEAST_CHANGE and change > _TIMES_MEDIAN * usual + _ABOVE_MEDIAN
        return stands_out and not _is_jerk(before, picture)


def _is_jerk(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether the picture is the same, moved: a camera that was knocked.

    Kuglin and Hines, "The phase correlation image alignment method", 1975. Later frames, which
    would tell a jerk from a cut, are not there yet.
    """
    window = cv2.createHanningWindow((before.shape[1], before.shape[0]), cv2.CV_32F)
    _, response = cv2.phaseCorrelate(before, after, window)
    return response > _SAME
