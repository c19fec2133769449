"""Lines of tape that stay, and drop-outs over several frames: level, where scratches are upright.

Pictures are turned on their side and their lines followed as scratches are. A line that stays must
go over most of the width, and stand on the tape and not in the scene, as a scratch does. A drop-out
of a few frames comes all at once, keeps its row, and is gone all at once.
"""

from __future__ import annotations

import numpy as np

from cleanplate.restoration.lines import LineFollower, Mark, Scratch, Track, marks_in, ridges

_ACROSS = 0.6  # share of the width that a line which stays goes over
_FEWEST, _MOST = 2, 5  # frames of a drop-out: one alone leaps, and more are a line
_STRONG, _SUDDEN = 6.0, 0.2  # grey levels; the part of it that is seen before it came, and after
_KEEPS = 0.35  # px a frame by which a drop-out's row may seem to move
_SURE = 0.7


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
    return profile, marks_in(profile, frame, along, turned.shape)


class TapeFollower(LineFollower):
    """Follows lines of frames on their side; its ``scratches`` are those that are the tape's."""

    def _judged(self, track: Track) -> Scratch | None:
        long = np.median([mark.bottom - mark.top for mark in track.marks])
        if len(track.marks) <= _MOST:
            return self._dropout(track)
        return super()._judged(track) if long >= _ACROSS * self._size[0] else None

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
