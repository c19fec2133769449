"""How good a fill is, where the truth is known: hole PSNR, and E_warp for its steadiness."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from cleanplate.ops.flow import dense_flow, pixel_grid, round_trip

_VISIBLE = 1.0  # px that the way there and back may miss


def hole_psnr(
    truth: Sequence[np.ndarray], filled: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> float:
    """PSNR in dB over all masked samples of all frames together; infinite when they are equal.

    Images are (H, W, 3) uint8, masks (H, W), not 0 in the hole.
    """
    errors, count = 0.0, 0
    for true, fill, mask in zip(truth, filled, masks, strict=True):
        difference = true[mask != 0].astype(np.float64) - fill[mask != 0]
        errors += float(np.sum(difference**2))
        count += difference.size
    if count == 0:
        raise ValueError("No pixel is masked in any frame; a hole PSNR needs a hole.")
    return float("inf") if errors == 0 else float(10 * np.log10(255**2 * count / errors))


def warping_error(
    truth: Sequence[np.ndarray],
    filled: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    shots: Sequence[int] | None = None,
) -> float:
    """E_warp: how much a fill changes along the true motion, in grey levels squared.

    Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018, section 4.2, kept to the
    hole: over the frame pairs (t, t+1) of one shot, the mean squared difference between the
    filled frame t and the filled frame t+1 read along the flow, at the pixels of the hole of t
    whose flow stays in the picture and comes back to within 1 px. The flow is that of the true
    frames, DIS at its medium preset. All pixels of all pairs count alike.
    """
    errors, count = 0.0, 0
    for t in range(len(truth) - 1):
        if shots is not None and shots[t] != shots[t + 1]:
            continue
        hole = masks[t] != 0
        one, other = (cv2.cvtColor(truth[n], cv2.COLOR_RGB2GRAY) for n in (t, t + 1))
        there = dense_flow(one, other)
        places = there + pixel_grid(*hole.shape)
        inside = np.all((places >= 0) & (places <= np.array(hole.shape[::-1]) - 1), axis=2)
        seen = hole & inside & (round_trip(there, dense_flow(other, one)) <= _VISIBLE)
        following = cv2.remap(
            filled[t + 1].astype(np.float32), places[..., 0], places[..., 1], cv2.INTER_LINEAR
        )
        difference = (following - filled[t])[seen]
        errors += float(np.sum(difference.astype(np.float64) ** 2))
        count += difference.size
    return errors / count if count else 0.0
