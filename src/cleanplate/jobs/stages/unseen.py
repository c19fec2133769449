"""What was filled from nothing, kept with a job's pieces and told in stretches of frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

LEAST = 0.1  # of the hole: less is a rim that nobody sees
_GAP = 2  # frames between two stretches that are told as one


class UnseenStretch(TypedDict):
    """Frames in a row in which some of what was filled is shown by no frame."""

    first: int
    last: int
    share: float
    """Of the hole, 0..1, in the frame in which it is largest."""


class UnseenShares:
    """The share of each frame's hole that was made up; what earlier runs told is known."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shares: dict[int, float] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                frame, share = json.loads(line)
                self._shares[frame] = share

    def tell(self, frame: int, share: float) -> None:
        """In ``frame``, ``share`` (0..1) of a hole was made up; of several holes the largest."""
        if share > self._shares.get(frame, 0.0):
            self._shares[frame] = share
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([frame, round(share, 4)]) + "\n")

    def stretches(self, start: int, stop: int) -> list[UnseenStretch]:
        """Where at least a tenth of a hole was made up, in the frames [start, stop)."""
        stretches: list[UnseenStretch] = []
        for frame, share in sorted(self._shares.items()):
            if share < LEAST or not start <= frame < stop:
                continue
            if stretches and frame - stretches[-1]["last"] <= _GAP:
                stretches[-1]["last"] = frame
                stretches[-1]["share"] = max(stretches[-1]["share"], round(share, 4))
            else:
                stretches.append(UnseenStretch(first=frame, last=frame, share=round(share, 4)))
        return stretches
