"""Where the points of a plane went from one frame to the next: pyramidal Lucas-Kanade."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays import planes
from cleanplate.engines.track.planar.pictures import Box, Picture

POINTS = 60
WINDOW = 13  # px
LEVELS = 3  # halvings
ROUND_TRIP = 1.0  # px, the most that a point may miss its start by on the way back
CROP_SIZE = 320  # px, long side of the crop beyond which a halved picture is used
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.05)


def follow(
    previous: Picture,
    picture: Picture,
    pose: np.ndarray,
    to_plane: np.ndarray,
    mask: np.ndarray,
    velocity: np.ndarray,
    quad: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the plane in ``previous`` and the same in ``picture``.

    Only a crop about twice as large as the plane is looked at, so the cost does not grow with
    the frame.

    Args:
        pose: the plane to pixel centres of ``previous``.
        to_plane: pixel centres of ``mask`` to the plane.
        mask: (h, w) uint8 over the plane: 255 where points may lie.
        velocity: (2,) px a frame, where to look first.
        quad: (4, 2) the plane's corners in ``previous``.

    Returns:
        two (n, 2) float64 arrays of pixel centres; n may be 0.
    """
    nothing = np.zeros((0, 2))
    box = _crop(quad, velocity, picture.size)
    width, height = box[2] - box[0], box[3] - box[1]
    if min(width, height) < 4:
        return nothing, nothing
    number = int(max(0, np.ceil(np.log2(max(width, height) / CROP_SIZE))))
    scale = 0.5**number
    before, (x, y) = previous.part(box, number)
    after, _ = picture.part(box, number)
    origin = np.array([x, y], np.float64)
    to_crop = planes.translation(-x, -y) @ np.diag([scale, scale, 1.0])
    starts = _corners(before, mask, to_crop @ pose @ to_plane, planes.area(quad) * scale**2)
    if not len(starts):
        return nothing, nothing
    ends, kept = _flow(before, after, starts, velocity * scale)
    if kept.mean() < 0.4 and np.abs(velocity).max() > 1:
        again = _flow(before, after, starts, np.zeros(2))
        if again[1].sum() > kept.sum():
            ends, kept = again
    return (starts[kept] + origin) / scale, (ends[kept] + origin) / scale


def _crop(quad: np.ndarray, velocity: np.ndarray, size: tuple[int, int]) -> Box:
    ends = np.concatenate([quad, quad + velocity])
    low, high = ends.min(axis=0), ends.max(axis=0)
    room = max(0.35 * float((quad.max(axis=0) - quad.min(axis=0)).max()), 48.0)
    room = min(room, 256.0)
    x0, y0 = np.clip(np.floor(low - room), 0, size).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(high + room), 0, size).astype(int).tolist()
    return x0, y0, x1, y1


def _corners(grey: np.ndarray, mask: np.ndarray, mapping: np.ndarray, area: float) -> np.ndarray:
    """(n, 2): corners of ``grey`` where ``mask``, moved by ``mapping``, allows them."""
    right, bottom = mask.shape[1] - 1, mask.shape[0] - 1
    ends = planes.apply(mapping, np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]]))
    size = np.array([grey.shape[1], grey.shape[0]])
    low = np.clip(np.floor(ends.min(axis=0)) - 2, 0, size).astype(int)
    high = np.clip(np.ceil(ends.max(axis=0)) + 3, 0, size).astype(int)
    if (high - low).min() < 3:
        return np.zeros((0, 2))
    place = np.ascontiguousarray(grey[low[1] : high[1], low[0] : high[0]])
    width, height = (int(s) for s in high - low)
    allowed = cv2.warpPerspective(mask, planes.translation(*-low) @ mapping, (width, height))
    spacing = max(2.0, 0.7 * np.sqrt(area / POINTS))
    found = cv2.goodFeaturesToTrack(place, POINTS, 0.003, spacing, mask=allowed, blockSize=3)
    return np.zeros((0, 2)) if found is None else found[:, 0].astype(np.float64) + low


def _flow(
    before: np.ndarray, after: np.ndarray, starts: np.ndarray, shift: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    first = starts.astype(np.float32)[:, None]
    ends, there = _lucas_kanade(before, after, first, (starts + shift).astype(np.float32)[:, None])
    back, returned = _lucas_kanade(after, before, ends, first)
    missed = np.linalg.norm(back[:, 0] - first[:, 0], axis=1)
    kept = (there[:, 0] > 0) & (returned[:, 0] > 0) & (missed < ROUND_TRIP)
    return ends[:, 0].astype(np.float64), kept


def _lucas_kanade(
    before: np.ndarray, after: np.ndarray, starts: np.ndarray, guess: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    ends, status, _ = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        starts,
        guess.copy(),
        winSize=(WINDOW, WINDOW),
        maxLevel=LEVELS,
        criteria=_CRITERIA,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return ends, status
