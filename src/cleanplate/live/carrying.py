"""Where a mask goes whose target its tracker has lost: along with what lies around it."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays.masks import clipped, widened
from cleanplate.types import Box

_AROUND = 32  # px around the target in which points are followed
_POINTS, _LEAST = 40, 5
_WINDOW = (13, 13)


def shift_around(before: np.ndarray, after: np.ndarray, place: Box) -> tuple[float, float]:
    """(dx, dy) in px by which what surrounds ``place`` moves; 0 where nothing can be followed.

    Args:
        before, after: (H, W, 3) uint8 RGB, of one size.
        place: of the target in ``before``.
    """
    height, width = before.shape[:2]
    inside = clipped(place, width, height)
    if inside is None or before.shape != after.shape:
        return 0.0, 0.0
    crop = widened(inside, _AROUND, width, height)
    first, second = (
        cv2.cvtColor(np.ascontiguousarray(image[crop.slices]), cv2.COLOR_RGB2GRAY)
        for image in (before, after)
    )
    ring = np.full(first.shape, 255, np.uint8)
    ring[inside.y0 - crop.y0 : inside.y1 - crop.y0, inside.x0 - crop.x0 : inside.x1 - crop.x0] = 0
    points = cv2.goodFeaturesToTrack(first, _POINTS, 0.01, 5, mask=ring)
    if points is None or len(points) < _LEAST:
        return 0.0, 0.0
    ends, is_found, _ = cv2.calcOpticalFlowPyrLK(
        first, second, points, points.copy(), winSize=_WINDOW, maxLevel=2
    )
    moved = (ends - points)[is_found[:, 0] > 0].reshape(-1, 2)
    if len(moved) < _LEAST:
        return 0.0, 0.0
    dx, dy = np.median(moved, axis=0).tolist()
    return dx, dy
