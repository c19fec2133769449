"""Where the camera of a frame looks, as a homography to the frame that a shot begins with."""

from __future__ import annotations

import cv2
import numpy as np

_CORNERS, _QUALITY, _APART = 400, 0.01, 8  # features that are followed, and px between them
_LEAST = 12  # of them that must agree
_WITHIN = 1.5  # px


def step(grey: np.ndarray, before: np.ndarray, covered: np.ndarray) -> np.ndarray | None:
    """The homography (3, 3) from a frame to the one before it; None where it cannot be told.

    Corners are followed by Lucas and Kanade's method, and RANSAC leaves out what moves by itself.

    Args:
        grey, before: (H, W) uint8.
        covered: (H, W) bool: the objects, which are not looked at.
    """
    free = np.where(covered, 0, 255).astype(np.uint8)
    corners = cv2.goodFeaturesToTrack(grey, _CORNERS, _QUALITY, _APART, mask=free)
    if corners is None or len(corners) < _LEAST:
        return None
    followed, seen, _ = cv2.calcOpticalFlowPyrLK(grey, before, corners, corners.copy())
    known = seen.ravel() > 0
    if np.count_nonzero(known) < _LEAST:
        return None
    way, agree = cv2.findHomography(corners[known], followed[known], cv2.RANSAC, _WITHIN)
    if way is None or np.count_nonzero(agree) < _LEAST:
        return None
    return np.asarray(way)
