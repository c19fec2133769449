"""Shadows: ground near an object that is darker, of the same hue, than other frames show it.

After Horprasert et al., "A Statistical Approach for Real-time Robust Background Subtraction and
Shadow Detection", 1999: a shadow changes brightness and keeps chromaticity.
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.attached.ground import BLACK, SMOOTH, Sight

_DARKEST, _LIGHTEST = 0.25, 0.9  # ratio to the plate of what may be in a shadow
_HUE = 0.2  # by which the ratios of the three colours may differ
_NEAR = 0.35  # of the object's size: a shadow begins so near to it
_SMALLEST, _LARGEST = 0.04, 4.0  # of the object's area
_RIM = 2  # px that a shadow goes on beyond what is surely dark
_EDGE, _TELLING = 3, 30  # px from a hard shadow's edge; px that tell anything
_ALIKE = 0.35  # correlation of the ground's texture in and out of the shadow


def shaded(sight: Sight) -> np.ndarray:
    """Where each object's shadow may lie: (H, W) uint8, value = object id."""
    mask = sight.mask
    ratios = (cv2.GaussianBlur(sight.frame, (0, 0), SMOOTH) + BLACK) / (
        cv2.GaussianBlur(sight.ground, (0, 0), SMOOTH) + BLACK
    )
    mean = ratios.mean(axis=2)
    hue = ratios.max(axis=2) - ratios.min(axis=2)
    dark = (mean < _LIGHTEST) & (mean > _DARKEST) & (hue < _HUE) & sight.known
    dark = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    dark = np.asarray(dark)
    found = np.zeros_like(mask)
    if not dark.any():
        return found
    _, labels = cv2.connectedComponents(dark, connectivity=8)
    for object_id in np.unique(mask[mask > 0]).tolist():
        inside = (mask == object_id).astype(np.uint8)
        area = int(np.count_nonzero(inside))
        reach = max(3, round(_NEAR * area**0.5))
        near = cv2.dilate(inside, np.ones((2 * reach + 1,) * 2, np.uint8)) > 0
        for label in np.unique(labels[near & (labels > 0)]).tolist():
            part = labels == label
            pixels = np.count_nonzero(part)
            if not _SMALLEST * area <= pixels <= _LARGEST * area:
                continue
            if not _same_ground(sight.frame, sight.ground, part):
                continue
            wide = cv2.dilate(part.astype(np.uint8), np.ones((2 * _RIM + 1,) * 2, np.uint8)) > 0
            # Between it and the object nothing of it is left over.
            bridge = cv2.morphologyEx(
                (wide | (inside > 0)).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)
            )
            found[(bridge > 0) & (mask == 0) & near | wide & (mask == 0)] = object_id
    return found


def _same_ground(frame: np.ndarray, ground: np.ndarray, part: np.ndarray) -> bool:
    """Whether the frame shows the plate's texture at ``part``, if the plate has any there."""
    core = cv2.erode(part.astype(np.uint8), np.ones((2 * _EDGE + 1,) * 2, np.uint8)) > 0
    details: list[np.ndarray] = []
    for picture in (frame, ground):
        grey = np.log(picture.mean(axis=2) + BLACK)
        details.append((grey - cv2.GaussianBlur(grey, (0, 0), 2))[core])
    if len(details[0]) < _TELLING or details[1].std() < 0.02:
        return True
    return float(np.corrcoef(details[0], details[1])[0, 1]) >= _ALIKE
