"""Dense optical flow between two pictures, completed where it cannot be known.

A flow is (H, W, 2) float32: the pixel at (x, y) of the first picture stands at
(x + flow[y, x, 0], y + flow[y, x, 1]) in the second.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from cleanplate.ops.harmonic import harmonic_fill
from cleanplate.ops.masks import grow

_LEAST = 16  # px: DIS works on patches of 8 px at several sizes; less is padded
_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
Preset = Literal["ultrafast", "fast", "medium"]


def dense_flow(first: np.ndarray, second: np.ndarray, preset: Preset = "medium") -> np.ndarray:
    """Flow from ``first`` to ``second``, (H, W) uint8 grey pictures of one size.

    Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016.
    """
    height, width = first.shape
    down, right = max(_LEAST - height, 0), max(_LEAST - width, 0)
    if down or right:
        first, second = (
            cv2.copyMakeBorder(p, 0, down, 0, right, cv2.BORDER_REPLICATE) for p in (first, second)
        )
    search = cv2.DISOpticalFlow.create(_PRESETS[preset])
    flow = search.calc(first, second, None)  # pyright: ignore[reportArgumentType]
    return flow[:height, :width]


def complete_flow(flow: np.ndarray, hole: np.ndarray, band: int) -> np.ndarray:
    """Throw ``flow`` away in ``hole`` and ``band`` px around it, and fill it in smoothly.

    The hole spoils what the search finds well beyond its rim. Where nothing is left, 0.
    """
    return harmonic_fill(flow, grow(hole.astype(np.uint8), band) > 0)


def round_trip(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """How far one lands from where one set out, |dx| + |dy| in px: (H, W) float32.

    Beyond the picture's border ``back`` continues as at the border.
    """
    height, width = there.shape[:2]
    places = there + pixel_grid(height, width)
    returned = cv2.remap(
        back, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.abs(there + returned).sum(axis=2)


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
