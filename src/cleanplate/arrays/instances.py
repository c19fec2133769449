"""Objects outlined in a picture (COCO: instances), their masks kept as run lengths.

Runs go column by column and begin with background, as COCO writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


def run_lengths(mask: np.ndarray) -> list[int]:
    """The lengths of the runs of an (H, W) bool mask, column by column.

    The first run is background; it is 0 when the first pixel is set.
    """
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], ends, [flat.size]])).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def mask_of(runs: Sequence[int], height: int, width: int) -> np.ndarray:
    """The (H, W) bool mask that ``run_lengths`` took apart."""
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def ranked(instances: Sequence[Instance], size: tuple[int, ...]) -> np.ndarray:
    """(H, W) uint8: each instance's number from 1, largest first, small ones on top; 255 at
    most."""
    mask = np.zeros(size, np.uint8)
    for number, instance in enumerate(
        sorted(instances, key=lambda instance: -instance.area)[:255], start=1
    ):
        mask[instance.mask] = number
    return mask


def coco_text(runs: Sequence[int]) -> str:
    """Run lengths as the ``counts`` of a compressed COCO mask.

    From the fourth on each is the difference to the one before the last; every number is written
    in groups of five bits, low ones first, the sixth saying that more follow.
    """
    letters = []
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            letters.append(chr((bits | 32 if more else bits) + 48))
    return "".join(letters)


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One object outlined in a picture, whatever it is."""

    runs: list[int]
    """Its mask, as ``run_lengths``."""
    size: tuple[int, int]
    """(H, W) of the picture."""
    box: tuple[float, float, float, float]
    """x0, y0, x1, y1; the last pixel included, so that one pixel has no width."""
    quality: float
    """The network's own estimate of the mask's IoU, 0 to about 1."""
    stability: float
    """0..1: how little the mask depends on the threshold."""
    point: tuple[float, float]
    """The click that found it."""
    crop: tuple[int, int, int, int]
    """x0, y0, x1, y1 of the crop in which it was found."""

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool, made anew at each call."""
        return mask_of(self.runs, *self.size)

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return sum(self.runs[1::2])

    def record(self) -> dict[str, Any]:
        """Plain numbers in COCO's terms; boxes are x, y, width, height."""
        x0, y0, x1, y1 = self.box
        left, top, right, bottom = self.crop
        return {
            "segmentation": {"size": list(self.size), "counts": coco_text(self.runs)},
            "area": self.area,
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "predicted_iou": self.quality,
            "stability_score": self.stability,
            "point_coords": [list(self.point)],
            "crop_box": [left, top, right - left, bottom - top],
        }
