"""What every tracker does with masks of several objects."""

from __future__ import annotations

import numpy as np

from cleanplate.errors import MaskError


def check_mask(mask: np.ndarray, image: np.ndarray) -> None:
    """Raise MaskError unless ``mask`` is (H, W) uint8 of the size of ``image``."""
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise MaskError(
            f"The mask is {mask.dtype} of shape {mask.shape}; give (H, W) uint8, value = object id."
        )
    if mask.shape != image.shape[:2]:
        raise MaskError(
            f"The mask is {mask.shape[1]}x{mask.shape[0]} and the frame is "
            f"{image.shape[1]}x{image.shape[0]}; give a mask of the frame's size."
        )


def objects_in(mask: np.ndarray) -> list[int]:
    """The object ids in ``mask``, ascending."""
    return [int(i) for i in np.flatnonzero(np.bincount(mask.ravel(), minlength=256)) if i]


def replace_objects(mask: np.ndarray, newer: np.ndarray) -> np.ndarray:
    """``mask`` with the objects of ``newer`` in place of its own of the same ids."""
    kept = np.where(np.isin(mask, objects_in(newer)), 0, mask)
    return np.where(newer != 0, newer, kept).astype(np.uint8)
