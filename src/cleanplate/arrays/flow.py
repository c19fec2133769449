"""Dense optical flow between two pictures, completed where it cannot be known.

A flow is (H, W, 2) float32: the pixel at (x, y) of the first picture stands at
(x + flow[y, x, 0], y + flow[y, x, 1]) in the second.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from cleanplate.arrays.harmonic import harmonic_fill
from cleanplate.arrays.masks import grow

_LEAST = 16  # px: DIS works on patches of 8 px at several sizes; less is padded
_LIT = 12  # grey levels below which a ratio says nothing
_STEADY = 0.02
_SAMPLES = 2000  # pixels of which a shared motion is found
_AGREES = 0.5  # px within which a pixel shares a motion
_BLURRED = 3  # px around a moving thing that motion has blurred
_COARSE = 4  # times smaller: the size at which a common displacement is found
Precision = Literal["fine", "finest"]


def dense_flow(first: np.ndarray, second: np.ndarray, precision: Precision = "fine") -> np.ndarray:
    """Flow from ``first`` to ``second``, (H, W) uint8 grey pictures of one size.

    Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016. ``fine`` is
    OpenCV's medium preset, searched down to half size; ``finest`` goes on to full size and takes
    four times as long.
    """
    height, width = first.shape
    down, right = max(_LEAST - height, 0), max(_LEAST - width, 0)
    first, second = (
        cv2.copyMakeBorder(p, 0, down, 0, right, cv2.BORDER_REPLICATE) for p in (first, second)
    )
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if precision == "finest":
        search.setFinestScale(0)
    flow = search.calc(first, second, None)  # pyright: ignore
    return flow[:height, :width]


def common_shift(first: np.ndarray, second: np.ndarray, near: np.ndarray) -> tuple[int, int]:
    """The whole-pixel (dx, dy) by which most of ``near`` (bool) moves from first to second."""
    height, width = first.shape
    size = (max(width // _COARSE, 1), max(height // _COARSE, 1))
    small = [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in (first, second)]
    where = cv2.resize(near.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if not where.any():
        return 0, 0
    dx, dy = np.median(dense_flow(small[0], small[1])[where], axis=0) * _COARSE
    return round(float(dx)), round(float(dy))


def complete_flow(flow: np.ndarray, untrusted: np.ndarray) -> np.ndarray:
    """``flow`` with ``untrusted`` (bool) pixels filled in smoothly; 0 where nothing is trusted."""
    return harmonic_fill(flow, untrusted)


def stiff_flow(flow: np.ndarray, trusted: np.ndarray) -> np.ndarray | None:
    """The affine flow that most of the ``trusted`` (bool) pixels share; None if they are too few.

    Fischler and Bolles, "Random Sample Consensus", 1981. Unlike smooth completion it does not mix
    the motions of what lies before and behind.
    """
    ys, xs = np.nonzero(trusted)
    if len(ys) < _LEAST**2:
        return None
    chosen = np.linspace(0, len(ys) - 1, min(len(ys), _SAMPLES)).astype(int)
    source = np.stack([xs[chosen], ys[chosen]], axis=1).astype(np.float32)
    target = source + flow[ys[chosen], xs[chosen]]
    motion, _ = cv2.estimateAffine2D(source, target, ransacReprojThreshold=_AGREES, maxIters=500)
    if motion is None:
        return None
    grid = pixel_grid(*trusted.shape)
    return (cv2.transform(grid, motion) - grid).astype(np.float32)


def apart(flow: np.ndarray, stiff: np.ndarray, known: np.ndarray, least: float) -> np.ndarray:
    """Where ``flow``, if ``known`` (bool), differs by ``least`` px from ``stiff``: (H, W) bool.

    Specks are dropped; a little of what is around each is taken with it.
    """
    off = known & (np.hypot(*np.moveaxis(flow - stiff, 2, 0)) > least)
    pieces = cv2.morphologyEx(off.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return grow(np.asarray(pieces), _BLURRED) > 0


def landing(flow: np.ndarray, area: np.ndarray) -> np.ndarray:
    """The pixels that ``flow`` leads into ``area`` (bool) of the second picture: (H, W) bool."""
    places = flow + pixel_grid(*area.shape)
    return cv2.remap(area.astype(np.uint8), places[..., 0], places[..., 1], cv2.INTER_NEAREST) > 0


def round_trip(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """How far one lands from where one set out, |dx| + |dy| in px: (H, W) float32.

    Beyond the picture's border ``back`` continues as at the border.
    """
    height, width = there.shape[:2]
    places = there + pixel_grid(height, width)
    returned = cv2.remap(
        back,
        places[..., 0],
        places[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    off = np.abs(there + returned)
    return off[..., 0] + off[..., 1]


def pixel_grid(height: int, width: int) -> np.ndarray:
    """(H, W, 2) float32: each pixel's own (x, y)."""
    grid = np.empty((height, width, 2), np.float32)
    grid[..., 0] = np.arange(width, dtype=np.float32)
    grid[..., 1] = np.arange(height, dtype=np.float32)[:, None]
    return grid


def shifted(picture: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """``picture`` seen through a window moved by (dx, dy); its border goes on beyond it."""
    if dx == 0 and dy == 0:
        return picture
    height, width = picture.shape[:2]
    rows = np.clip(np.arange(height) + dy, 0, height - 1)
    columns = np.clip(np.arange(width) + dx, 0, width - 1)
    return np.ascontiguousarray(picture[rows[:, None], columns])


def brightening(
    first: np.ndarray, second: np.ndarray, flow: np.ndarray, trusted: np.ndarray
) -> float:
    """By what factor ``second`` is brighter than ``first`` at the same things.

    The median over the ``trusted`` (bool) pixels that are not black; 1 within 2 %, so that noise
    does not add up over a shot.
    """
    places = flow + pixel_grid(*trusted.shape)
    there = cv2.remap(second, places[..., 0], places[..., 1], cv2.INTER_LINEAR)
    lit = trusted & (first >= _LIT) & (there >= _LIT)
    if np.count_nonzero(lit) < _LEAST**2:
        return 1.0
    ratio = float(np.median(there[lit].astype(np.float32) / first[lit]))
    return ratio if abs(ratio - 1) > _STEADY else 1.0
