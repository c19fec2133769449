"""E_warp, the warping error of Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018.

The occlusion test and the sum are theirs, to the last detail; the flow is given by the caller
(theirs is FlowNet2's on the original frames). Tables report the mean over pairs, times 100.
"""

from __future__ import annotations

import numpy as np

from cleanplate.arrays.flow import dense_flow

NAME = "Lai et al. 2018, times 100; flow: DIS medium on the truth in place of FlowNet2"


def warped(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """``image`` (H, W, C) float read at x + flow, bilinear.

    The four neighbours are clamped to the picture, the weights are those of the unclamped place.
    """
    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width]
    x, y = x + flow[..., 0], y + flow[..., 1]
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right_share, low_share = (x - left)[..., None], (y - top)[..., None]
    columns = [np.clip(left + step, 0, width - 1) for step in (0, 1)]
    rows = [np.clip(top + step, 0, height - 1) for step in (0, 1)]
    upper = (
        image[rows[0], columns[0]] * (1 - right_share) + image[rows[0], columns[1]] * right_share
    )
    lower = (
        image[rows[1], columns[0]] * (1 - right_share) + image[rows[1], columns[1]] * right_share
    )
    return upper * (1 - low_share) + lower * low_share


def occluded(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """(H, W) bool: where the way there and back differs, or at the edges of motion.

    Args:
        forward: (H, W, 2) float32 flow (x, y) from a frame to the next, in px.
        backward: from the next frame back.
    """
    back = warped(backward, forward)
    differs = _squared(back + forward) > 0.01 * (_squared(back) + _squared(forward)) + 0.5
    slope = np.zeros(forward.shape[:2], forward.dtype)
    for axis in (0, 1):
        step = np.diff(forward, axis=axis, append=forward.take([-1], axis=axis))
        slope = slope + _squared(step)
    return differs | (slope > 0.01 * _squared(forward) + 0.002)


def _squared(flow: np.ndarray) -> np.ndarray:
    return flow[..., 0] ** 2 + flow[..., 1] ** 2


def warping_error(
    image: np.ndarray, following: np.ndarray, forward: np.ndarray, hidden: np.ndarray
) -> float:
    """The error of one pair of results, (H, W, 3) float in 0..1, where nothing is occluded."""
    seen = ~hidden
    squares = np.sum((warped(following, forward) - image)[seen] ** 2)
    return float(squares / (3 * (np.count_nonzero(seen) or seen.size)))


class TrueMotion:
    """The flow between two true frames, and what is occluded in it."""

    def __init__(self, grey: np.ndarray, following: np.ndarray) -> None:
        """Estimate it from two (H, W) uint8 frames."""
        self.forward = dense_flow(grey, following)
        self._hidden = occluded(self.forward, dense_flow(following, grey))

    def error(self, image: np.ndarray, following: np.ndarray) -> float:
        """E_warp of a pair of (H, W, 3) uint8 results, times 100."""
        first, second = (frame.astype(np.float32) / 255 for frame in (image, following))
        return 100 * warping_error(first, second, self.forward, self._hidden)
