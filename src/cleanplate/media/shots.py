"""Where one shot ends and the next begins. PySceneDetect's detectors, fed with our frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    import numpy as np

# A hard cut is a jump of brightness at least this large (mean absolute difference of grey levels)
# and this many times the mean of its neighbours. Measured on the open clips: 10 and 3 find all
# cuts and nothing else; from 6 to 15 nothing changes.
_LEAST_JUMP = 10.0
_TIMES_NEIGHBOURS = 3.0
_NEIGHBOURS = 3
# A picture whose mean is darker than this (of 255) is black: what comes after is a new shot.
_BLACK = 8
_ANY_RATE = 25.0  # the detectors want a rate for their clock; we count frames

PICTURE_WIDTH = 96  # width of the grey pictures that cuts are looked for in


class ShotDetector:
    """Finds hard cuts and black between shots in a stream of small grey pictures."""

    def __init__(self) -> None:
        from scenedetect.detectors import AdaptiveDetector, ThresholdDetector

        self._jumps = AdaptiveDetector(
            adaptive_threshold=_TIMES_NEIGHBOURS,
            min_scene_len=1,
            window_width=_NEIGHBOURS,
            min_content_val=_LEAST_JUMP,
            luma_only=True,
        )
        self._fades = ThresholdDetector(threshold=_BLACK, min_scene_len=1)
        self._count = 0
        self._cuts: set[int] = set()

    def see(self, grey: np.ndarray) -> None:
        """Look at the next frame: (h, w) uint8, about ``PICTURE_WIDTH`` wide."""
        picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
        for detector in (self._jumps, self._fades):
            self._note(detector.process_frame(self._clock(), picture))
        self._count += 1

    def finish(self) -> list[int]:
        """The first frame of every shot but the first, ascending."""
        if self._count:
            for detector in (self._jumps, self._fades):
                self._note(detector.post_process(self._clock()))
        return sorted(cut for cut in self._cuts if 0 < cut < self._count)

    def _clock(self):
        from scenedetect import FrameTimecode

        return FrameTimecode(self._count, _ANY_RATE)

    def _note(self, cuts) -> None:
        self._cuts.update(cut.frame_num for cut in cuts)
