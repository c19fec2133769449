"""Grain: averaged and smooth fills lack the noise of the picture around them; give it back."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays.masks import bounding_box

_BLOCK = 16  # px: grain is borrowed in squares of this side
_AROUND = 48  # px around the hole from which it is borrowed
_CALM = 0.15  # the share of squares, the calmest, that hold grain and no texture
_CLIP = 2.5  # sigmas beyond which it is no grain but an edge
_SUM = np.ones((1, 3), np.float32)
_DIFFERENCE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def grain_level(picture: np.ndarray, where: np.ndarray) -> float:
    """Standard deviation of the noise in ``picture`` (H, W, C) at ``where`` (bool), grey levels.

    Immerkaer, "Fast Noise Variance Estimation", 1996, in every square of the picture; the calmest
    squares tell, since in the others it would be texture that is measured.
    """
    if not where.any():
        return 0.0
    difference = cv2.filter2D(picture.astype(np.float32), -1, _DIFFERENCE) / 6
    square = cv2.transform(difference**2, _SUM / 3) * where
    share = cv2.blur(where.astype(np.float32), (_BLOCK, _BLOCK))
    local = cv2.blur(square, (_BLOCK, _BLOCK)) / np.maximum(share, 1e-6)
    return float(np.sqrt(np.quantile(local[where & (share > share[where].max() / 2)], _CALM)))


def with_grain(picture: np.ndarray, hole: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """``picture`` (H, W, 3) uint8 with as much grain in ``hole`` (bool) as there is around it.

    The grain is borrowed: squares of what the calmest surroundings have beyond their own blur,
    from random places, so that its size and colour are the picture's own. A fill that is as noisy
    as its surroundings stays as it is.
    """
    box = bounding_box(hole)
    if box is None:
        return picture
    part = (
        slice(max(box.y0 - _AROUND, 0), box.y1 + _AROUND),
        slice(max(box.x0 - _AROUND, 0), box.x1 + _AROUND),
    )
    inner, view = hole[part], picture[part].astype(np.float32)
    missing = grain_level(view, ~inner) ** 2 - grain_level(view, inner) ** 2
    tile = _borrowed(view, inner, random)
    level = 0.0 if tile is None else grain_level(tile, inner)
    if missing <= 0 or tile is None or level == 0:
        return picture
    grainy = view + tile * (missing**0.5 / level)
    result = picture.copy()
    result[part][inner] = np.clip(np.rint(grainy[inner]), 0, 255).astype(np.uint8)
    return result


def _borrowed(view: np.ndarray, hole: np.ndarray, random: np.random.Generator) -> np.ndarray | None:
    """Grain of the surroundings over the whole of ``view``; None where no square fits."""
    height, width = hole.shape
    if min(height, width) < _BLOCK:
        return None
    detail = view - cv2.GaussianBlur(view, (0, 0), 1.5)
    limit = _CLIP * np.median(np.abs(detail[~hole])) * 1.4826 if not hole.all() else 0.0
    np.clip(detail, -limit, limit, out=detail)
    hole_pixels = cv2.boxFilter(
        hole.astype(np.float32), -1, (_BLOCK, _BLOCK), anchor=(0, 0), normalize=False
    )
    energy = cv2.boxFilter(cv2.transform(detail**2, _SUM), -1, (_BLOCK, _BLOCK), anchor=(0, 0))
    fitting = (slice(height - _BLOCK + 1), slice(width - _BLOCK + 1))
    free, energy = hole_pixels[fitting] < 0.5, energy[fitting]
    if not free.any():
        return None
    ys, xs = np.nonzero(free & (energy <= np.quantile(energy[free], _CALM)))
    tile = np.zeros_like(view)
    for y in range(0, height, _BLOCK):
        for x in range(0, width, _BLOCK):
            if hole[y : y + _BLOCK, x : x + _BLOCK].any():
                n = int(random.integers(len(ys)))
                square = detail[ys[n] : ys[n] + _BLOCK, xs[n] : xs[n] + _BLOCK]
                into = tile[y : y + _BLOCK, x : x + _BLOCK]
                into[...] = square[: into.shape[0], : into.shape[1]]
    return tile
