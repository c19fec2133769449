"""Smooth filling: Laplace's equation in a hole, its rim as the boundary.

Solved from coarse to fine: the known pixels are averaged down until the hole is gone, and on the
way back each size starts from the coarser solution and is relaxed with the nine-point Laplacian,
whose plain Jacobi sweeps damp every short wave (Trottenberg, Oosterlee, Schueller, "Multigrid",
section 5.1.1, full multigrid without the correction cycles: a fill needs to be smooth and right
to a few hundredths of the rim's range, not to machine precision). The cost is linear in the pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays.masks import bounding_box

_SWEEPS = 8
NINE_POINT = np.array([[1, 4, 1], [4, 0, 4], [1, 4, 1]], np.float32) / 20


def harmonic_fill(values: np.ndarray, hole: np.ndarray, empty: float = 0.0) -> np.ndarray:
    """Fill ``hole`` smoothly from what surrounds it.

    Args:
        values: (H, W) or (H, W, C), any C; what stands in the hole is not read.
        hole: (H, W) bool.
        empty: the value everywhere when nothing is known.

    Returns:
        float32 array of the shape of ``values``: equal to it outside the hole. The picture's own
        border is free (no flow across it), so a hole may touch it.
    """
    filled = np.array(values, np.float32)
    if not hole.any():
        return filled
    box = bounding_box(hole)
    assert box is not None  # there is a hole
    box = (slice(max(box.y0 - 2, 0), box.y1 + 2), slice(max(box.x0 - 2, 0), box.x1 + 2))
    inner = hole[box]
    if inner.all():
        filled[box] = empty
        return filled
    part = filled[box] if filled.ndim == 3 else filled[box][..., None]
    solved = _solve(np.where(inner[..., None], np.float32(0), part), ~inner)
    filled[box] = solved if filled.ndim == 3 else solved[..., 0]
    return filled


def _solve(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """``values`` (h, w, C) float32 are 0 where not ``known``; some pixel is known."""
    hole = ~known
    if not hole.any():
        return values
    height, width = known.shape
    weights = halve(known.astype(np.float32)[..., None])
    means = halve(values) / np.maximum(weights, 1e-6)
    coarse = _solve(means, weights[..., 0] > 0)
    start = cv2.resize(coarse, (coarse.shape[1] * 2, coarse.shape[0] * 2))[:height, :width]
    start = start.reshape(values.shape)
    mask = hole.astype(np.uint8)
    solved = cv2.copyTo(start, mask, values).reshape(values.shape)
    for _ in range(_SWEEPS):
        mean = cv2.filter2D(solved, -1, NINE_POINT, borderType=cv2.BORDER_REPLICATE)
        solved = cv2.copyTo(mean, mask, solved).reshape(values.shape)
    return solved


def halve(values: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 blocks; pixels beyond an odd border count as 0."""
    height, width = values.shape[:2]
    columns = values[:, 0::2].copy()
    columns[:, : width // 2] += values[:, 1::2]
    means = columns[0::2].copy()
    means[: height // 2] += columns[1::2]
    means /= 4
    return means
