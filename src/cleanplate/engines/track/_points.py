"""Where the points of a plane went from one frame to the next: pyramidal Lucas-Kanade."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.engines.track._pictures import Picture
from cleanplate.ops import planes

POINTS = 300
WINDOW = 15  # px
LEVELS = 3  # halvings
ROUND_TRIP = 1.0  # px, the most that a point may miss its start by on the way back
CROP_SIZE = 960  # px, long side of the crop beyond which a halved picture is used
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 20, 0.03)


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
    x0, y0, x1, y1 = _crop(quad, velocity, picture.size)
    nothing = np.zeros((0, 2))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return nothing, nothing
    number = int(max(0, np.ceil(np.log2(max(x1 - x0, y1 - y0) / CROP_SIZE))))
    step = 2**number
    window = (slice(y0 // step, -(-y1 // step)), slice(x0 // step, -(-x1 // step)))
    origin = np.array([x0 // step, y0 // step], np.float64)
    before = np.ascontiguousarray(previous.level(number)[window])
    after = np.ascontiguousarray(picture.level(number)[window])
    to_crop = planes.translation(-origin[0], -origin[1]) @ np.diag([1 / step, 1 / step, 1.0])
    allowed = cv2.warpPerspective(
        mask, to_crop @ pose @ to_plane, (before.shape[1], before.shape[0])
    )
    starts = _corners(before, allowed, planes.area(quad) / step**2)
    if starts is None:
        return nothing, nothing
    ends, kept = _flow(before, after, starts, velocity / step)
    if kept.mean() < 0.4 and np.abs(velocity).max() > 1:
        again = _flow(before, after, starts, np.zeros(2))
        if again[1].sum() > kept.sum():
            ends, kept = again
    return (starts[kept] + origin) * step, (ends[kept] + origin) * step


def _crop(quad: np.ndarray, velocity: np.ndarray, size: tuple[int, int]) -> tuple[int, ...]:
    ends = np.concatenate([quad, quad + velocity])
    low, high = ends.min(axis=0), ends.max(axis=0)
    room = max(0.5 * float((quad.max(axis=0) - quad.min(axis=0)).max()), 48.0)
    room = min(room, 256.0)
    x0, y0 = (int(v) for v in np.clip(np.floor(low - room), 0, size))
    x1, y1 = (int(v) for v in np.clip(np.ceil(high + room), 0, size))
    return x0, y0, x1, y1


def _corners(grey: np.ndarray, allowed: np.ndarray, area: float) -> np.ndarray | None:
    spacing = max(2.0, 0.7 * np.sqrt(area / POINTS))
    found = cv2.goodFeaturesToTrack(grey, POINTS, 0.003, spacing, mask=allowed, blockSize=3)
    return None if found is None else found[:, 0].astype(np.float64)


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
