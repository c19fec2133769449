"""Lines of tape that stay, and drop-outs over several frames: level, where scratches are upright.

Pictures are turned on their side and their lines followed as scratches are. A line that stays must
go over most of the width, and stand on the tape and not in the scene, as a scratch does. A drop-out
of a few frames comes all at once, keeps its row, and is gone all at once.
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.restoration.lines import (
    LineFollower,
    Mark,
    Scratch,
    Track,
    marks_in,
    ridges,
    unit_of,
)

_ACROSS = 0.6  # share of the width that a line which stays goes over
_FEWEST, _MOST = 2, 5  # frames of a drop-out: one alone leaps, and more are a line
_STRONG, _SUDDEN = 6.0, 0.2  # grey levels; the part of it that is seen before it came, and after
_KEEPS = 0.35  # px a frame by which a drop-out's row may seem to move
_STAYS = 0.5  # px by which a line that stays may seem to move
_SURE = 0.7
_BAR, _RIM = 30, 6  # grey levels that a black bar has at most; px from it that nothing is told of


def turned_lines(
    grey: np.ndarray, frame: int, flow: np.ndarray | None
) -> tuple[np.ndarray, list[Mark]]:
    """``ridges`` of a frame on its side, (H, W) uint8, and the marks in it, in px of that.

    Args:
        grey: (H, W) uint8, upright.
        frame: its number.
        flow: (h, w, 2) to the frame before, upright, of any size; None at the start of a shot.
    """
    turned = np.ascontiguousarray(grey.T)
    profile = ridges(turned)
    along = None if flow is None else flow.transpose(1, 0, 2)[..., ::-1]
    marks = marks_in(profile, frame, along, turned.shape)
    rims, reach = _rims(grey), _RIM * unit_of(*grey.shape)
    return profile, [mark for mark in marks if all(abs(mark.x - rim) > reach for rim in rims)]


def _rims(grey: np.ndarray) -> list[float]:
    """The rows in which black bars above and below a picture end: they keep their row, too."""
    lit = (np.percentile(grey, 90, axis=1) > _BAR).astype(np.uint8)[:, None]
    thin = np.ones((2 * round(_RIM * unit_of(*grey.shape)) + 1, 1), np.uint8)
    rows = np.flatnonzero(cv2.morphologyEx(lit, cv2.MORPH_OPEN, thin))  # a lost line in a bar
    if not len(rows):
        return []
    return [float(row) for row in (rows[0], rows[-1]) if 0 < row < len(grey) - 1]


class TapeFollower(LineFollower):
    """Follows lines of frames on their side; its ``scratches`` are those that are the tape's."""

    def _judged(self, track: Track) -> Scratch | None:
        long = np.median([mark.bottom - mark.top for mark in track.marks])
        if len(track.marks) <= _MOST:
            return self._dropout(track)
        moves = float(np.ptp([mark.x for mark in track.marks])) / self._unit
        is_still = long >= _ACROSS * self._size[0] and moves <= _STAYS
        return super()._judged(track) if is_still else None

    def _dropout(self, track: Track) -> Scratch | None:
        marks, after = track.marks, track.weak[0] if track.weak else None
        without_gap = marks[-1].frame - marks[0].frame == len(marks) - 1
        if len(marks) < _FEWEST or not without_gap or track.before is None or after is None:
            return None
        strength = min(mark.strength for mark in marks)
        is_sudden = max(track.before, after) <= _SUDDEN * strength
        rows = np.array([mark.x for mark in marks]) / self._unit
        if strength < _STRONG or not is_sudden or np.abs(np.diff(rows)).max() > _KEEPS:
            return None
        return Scratch(tuple(marks), _SURE)
