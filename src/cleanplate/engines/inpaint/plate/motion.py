"""How the picture as a whole has moved since a key picture: points, and the motion most share.

Measured against one key picture as long as it serves, and not from frame to frame, so that errors
add up once a key and not once a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_SIDE = 360  # px: longest side of the pictures that points are followed in
_POINTS, _QUALITY, _SPACING = 100, 0.01, 7
_WINDOW, _LEVELS = 15, 3  # px; halvings
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 12, 0.03)
_RETURNS = 0.7  # px of the small picture by which a point may miss its start on the way back
_AGREES = 0.8  # px of the small picture within which a point shares the motion
_LEAST = 10  # points that must share it
_WORN = 0.45  # of the key's points: when fewer share the motion, another key is taken
_STILL = 0.12  # px of the small picture: corners that move by less have not moved


@dataclass(frozen=True, slots=True, eq=False)
class _Key:
    grey: np.ndarray
    points: np.ndarray
    """(n, 1, 2) float32, in px of ``grey``."""
    pose: np.ndarray
    """(3, 3): from the key's pixels to the canvas."""
    origin: np.ndarray
    """(2,): of the key's crop in the whole picture."""


class SharedMotion:
    """The poses of one shot's pictures on a canvas."""

    def __init__(self, first_pose: np.ndarray) -> None:
        """``first_pose``: (3, 3), from the first picture's pixels to the canvas."""
        self._first_pose = first_pose
        self._key: _Key | None = None
        self._motion = np.eye(3)
        self._origin = np.zeros(2)

    def pose(
        self, image: np.ndarray, hole: np.ndarray, origin: tuple[int, int]
    ) -> tuple[np.ndarray, bool]:
        """From the next picture's pixels to the canvas, (3, 3), and whether it is believed.

        Args:
            image: (H, W, 3) uint8 RGB, its hole filled in some way.
            hole: (H, W) bool: what is not part of the background.
            origin: (x, y) of the crop in the whole picture.
        """
        grey, scale = _small(image)
        place = np.array(origin, np.float64)
        if self._key is None:
            self._take(grey, scale, hole, self._first_pose, place)
            return self._first_pose, True
        key = self._key
        guess = _moved(self._origin - place) @ self._motion
        motion, share = _followed(key, grey, _scaled(guess, scale), hole, scale)
        believed = motion is not None
        motion = guess if motion is None else _scaled(motion, 1 / scale)
        self._motion, self._origin = motion, place
        pose = key.pose @ np.linalg.inv(motion)
        if share < _WORN:
            self._take(grey, scale, hole, pose, place)
        return pose, believed

    def rebase(self, change: np.ndarray) -> None:
        """The canvas was laid anew: ``change`` (3, 3) leads from the old one to the new one."""
        if self._key is not None:
            key = self._key
            self._key = _Key(key.grey, key.points, change @ key.pose, key.origin)

    def _take(
        self, grey: np.ndarray, scale: float, hole: np.ndarray, pose: np.ndarray, place: np.ndarray
    ) -> None:
        """Measure against this picture from here on."""
        allowed = _allowed(hole, grey.shape, scale)
        points = cv2.goodFeaturesToTrack(grey, _POINTS, _QUALITY, _SPACING, mask=allowed)
        if points is None:
            points = np.zeros((0, 1, 2), np.float32)
        self._key = _Key(grey, points, pose, place)
        self._motion, self._origin = np.eye(3), place


def _followed(
    key: _Key, grey: np.ndarray, guess: np.ndarray, hole: np.ndarray, scale: float
) -> tuple[np.ndarray | None, float]:
    """The motion from the key to ``grey``, in px of the small picture, or None; and the share of
    the key's points that show it."""
    if len(key.points) < _LEAST:
        return None, 0.0
    expected = cv2.perspectiveTransform(key.points, guess).astype(np.float32)
    how = {
        "winSize": (_WINDOW, _WINDOW),
        "maxLevel": _LEVELS,
        "criteria": _CRITERIA,
        "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
    }
    ends, there, _ = cv2.calcOpticalFlowPyrLK(key.grey, grey, key.points, expected.copy(), **how)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(grey, key.grey, ends, key.points.copy(), **how)
    missed = np.abs(back - key.points).sum(axis=(1, 2))
    allowed = _allowed(hole, grey.shape, scale)
    x = np.clip(np.rint(ends[:, 0, 0]), 0, grey.shape[1] - 1).astype(int)
    y = np.clip(np.rint(ends[:, 0, 1]), 0, grey.shape[0] - 1).astype(int)
    kept = (there[:, 0] > 0) & (returned[:, 0] > 0) & (missed < _RETURNS) & (allowed[y, x] > 0)
    if np.count_nonzero(kept) < _LEAST:
        return None, 0.0
    start, end = key.points[kept, 0], ends[kept, 0]
    motion, sharing = cv2.estimateAffine2D(
        start, end, ransacReprojThreshold=_AGREES, maxIters=400, confidence=0.99
    )
    if motion is None or int(sharing.sum()) < _LEAST:
        return None, 0.0
    share = float(sharing.sum()) / len(key.points)
    whole = np.vstack([motion, [0, 0, 1]])
    return _steadied(whole, grey.shape), share


def _steadied(motion: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """No motion at all where it is within the error of measuring: a still camera stays still."""
    height, width = shape[:2]
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float64)
    moved = cv2.perspectiveTransform(corners, motion) - corners
    return np.eye(3) if np.abs(moved).max() < _STILL else motion


def _small(image: np.ndarray) -> tuple[np.ndarray, float]:
    """The picture in grey, no side longer than ``_SIDE``, and how many times smaller it is."""
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if scale < 1:
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return grey, scale


def _allowed(hole: np.ndarray, shape: tuple[int, ...], scale: float) -> np.ndarray:
    """(h, w) uint8: 255 where the small picture shows background."""
    small = hole.astype(np.uint8)
    if scale < 1:
        small = cv2.resize(small * 255, shape[::-1], interpolation=cv2.INTER_AREA)
    near = cv2.dilate((small > 0).astype(np.uint8), np.ones((7, 7), np.uint8))
    return np.where(near > 0, 0, 255).astype(np.uint8)


def _scaled(motion: np.ndarray, scale: float) -> np.ndarray:
    """``motion`` in pixels that are ``scale`` times smaller."""
    out = motion.copy()
    out[:2, 2] *= scale
    return out


def _moved(by: np.ndarray) -> np.ndarray:
    out = np.eye(3)
    out[:2, 2] = by
    return out
