"""A frame with its masks in colours over it, for a person to look at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from cleanplate.files.publish import publishing
from cleanplate.media.mask_writing import DAVIS_PALETTE

_STRENGTH = 0.5  # of the colour inside an outline
_WHITE = (255, 255, 255)


def tinted(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``image`` ((H, W, 3) uint8 RGB) with each object of ``mask`` ((H, W) uint8) in its colour.

    A thin line of the full colour, with white outside it, runs along each object's edge.
    """
    colours = DAVIS_PALETTE[mask]
    mixed = cv2.addWeighted(image, 1 - _STRENGTH, colours, _STRENGTH, 0)
    shown = np.where(mask[..., None] > 0, mixed, image)
    thickness = max(1, round(max(mask.shape) / 900))
    kernel = np.ones((2 * thickness + 1, 2 * thickness + 1), np.uint8)
    # The edges between objects are where the greatest and the least id around a pixel differ.
    highest, lowest = cv2.dilate(mask, kernel), cv2.erode(mask, kernel)
    edge = highest != lowest
    inside = edge & (mask > 0)
    shown[edge & (mask == 0)] = _WHITE
    shown[inside] = colours[inside]
    return shown


def write_preview(path: Path, image: np.ndarray, mask: np.ndarray) -> None:
    """Write ``tinted`` as a PNG, published by rename."""
    shown = tinted(image, mask)
    with publishing(path) as draft:
        cv2.imwrite(str(draft), cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))
