"""Where the camera of a frame looks, as a homography to the frame that a shot begins with."""

from __future__ import annotations

import cv2
import numpy as np

_CORNERS, _QUALITY, _APART = 400, 0.01, 8  # features that are followed, and px between them
_LEAST = 12  # of them that must agree
_AGREEING = 0.3  # share of those followed
_WITHIN = 1.5  # px
_STILL, _MOST = 0.4, 0.6  # px that a feature moves where nothing does; share of them that must
_ALIKE = 6.0  # grey levels by which nearly all of two frames of a standing camera differ


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
        return _standing(grey, before, ~covered)
    followed, seen, _ = cv2.calcOpticalFlowPyrLK(grey, before, corners, corners.copy())
    known = seen.ravel() > 0
    if np.count_nonzero(known) < _LEAST:
        return _standing(grey, before, ~covered)
    moved = np.abs(followed - corners).max(axis=(1, 2))[known]
    if (moved < _STILL).mean() > _MOST:
        return np.eye(3)  # exactly: small errors of many frames add up
    way, agree = cv2.findHomography(corners[known], followed[known], cv2.RANSAC, _WITHIN)
    if way is None or np.count_nonzero(agree) < max(_LEAST, _AGREEING * len(agree)):
        return _standing(grey, before, ~covered)
    return np.asarray(way)


def _standing(grey: np.ndarray, before: np.ndarray, free: np.ndarray) -> np.ndarray | None:
    """No motion where both frames look alike; None elsewhere.

    On ground without a mark nothing can be followed, and nothing is lost by a small move unseen.
    """
    if not free.any():
        return None
    first, second = (
        cv2.GaussianBlur(g, (0, 0), 1.5).astype(np.float32)[free] for g in (grey, before)
    )
    lighter = np.median(first + 1) / np.median(second + 1)
    alike = np.percentile(np.abs(first - lighter * second), 95) <= _ALIKE
    return np.eye(3) if alike else None
