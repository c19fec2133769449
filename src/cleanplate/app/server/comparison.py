"""What was changed, and what flickers: pictures for a person who checks a result."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays.flow import dense_flow

_GAIN = 4  # times the difference is amplified
_FLICKER_GAIN = 6
_DIM = 0.35  # brightness of the picture under a map
_RIM = 9  # px around a fill that are looked at, too: masks grow before they are filled


def difference(source: np.ndarray, result: np.ndarray) -> np.ndarray:
    """(H, W) uint8: the greatest difference of a pixel's channels, four times as strong.

    Args:
        source, result: (H, W, 3) uint8 RGB, the same frame.
    """
    return cv2.convertScaleAbs(_apart(source, result), alpha=_GAIN)


def flicker(before: np.ndarray, now: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB: where the fill changes from a frame to the next without moving.

    The frame before is carried along the motion that the result shows; what differs there is
    painted in warm colours over the dimmed frame, only where something was filled.

    Args:
        before, now: two neighbouring frames of a result, (H, W, 3) uint8 RGB.
        filled: (H, W) bool: what was filled in either.
    """
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (before, now)]
    flow = dense_flow(grey[1], grey[0])
    height, width = grey[1].shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    carried = cv2.remap(before, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
    around = cv2.dilate(filled.astype(np.uint8), np.ones((_RIM, _RIM), np.uint8))
    heat = cv2.convertScaleAbs(_apart(carried, now), alpha=_FLICKER_GAIN)
    colours = cv2.applyColorMap(heat, cv2.COLORMAP_INFERNO)[..., ::-1]
    strength = (heat.astype(np.float32) / 255 * around)[..., None]
    return (now * _DIM * (1 - strength) + colours * strength).astype(np.uint8)


def _apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return cv2.absdiff(first, second).max(axis=2)
