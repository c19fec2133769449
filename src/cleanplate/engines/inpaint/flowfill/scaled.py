"""Fills worked out on smaller pictures and raised to full size.

Joint upsampling in the sense of Kopf et al., SIGGRAPH 2007, with the known ring as the guide: what
the enlarged picture misses there, light and blur's leftovers, is carried smoothly into the hole, so
that the fill meets the frame without a seam. Detail finer than the small picture's is not brought
back.
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays.harmonic import harmonic_fill
from cleanplate.arrays.masks import bounding_box, grow

_LEAST = 48  # px: no side of a smaller picture is made shorter than this
_RIM = 2  # px around a hole whose small pixels may be half hole
_RING = 8  # px around it that say what the enlarged picture misses
_SMOOTH = 2.0  # px: single pixels' detail is not carried on


def fitting(scale: float, size: tuple[int, int]) -> float:
    """``scale``, or 1 for pictures of ``size``, (H, W), that it would make too small."""
    return scale if min(size) * scale >= _LEAST else 1.0


def raised(image: np.ndarray, small: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """``image`` with its ``hole`` filled from ``small``.

    Args:
        image: (H, W, 3) uint8 RGB.
        small: (h, w, 3) uint8 RGB: all of it, filled, of a smaller size.
        hole: (H, W) bool.
    """
    box = bounding_box(hole.astype(np.uint8))
    if box is None:
        return image
    height, width = hole.shape
    room = _RIM + _RING
    part = (
        slice(max(box.y0 - room, 0), min(box.y1 + room, height)),
        slice(max(box.x0 - room, 0), min(box.x1 + room, width)),
    )
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)[part]
    large = large.astype(np.float32)
    unknown = grow(hole[part].astype(np.uint8), _RIM) > 0
    known = (~unknown).astype(np.float32)[..., None]
    missed = cv2.GaussianBlur((image[part] - large) * known, (0, 0), _SMOOTH)
    missed /= np.maximum(cv2.GaussianBlur(known, (0, 0), _SMOOTH), 1e-3)[..., None]
    fill = np.clip(np.rint(large + harmonic_fill(missed, unknown)), 0, 255).astype(np.uint8)
    picture = image.copy()
    picture[part] = np.where(hole[part][..., None], fill, image[part])
    return picture
