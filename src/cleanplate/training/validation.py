"""How well held-out holes are filled, and how well Telea's method fills the same ones."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from torch import Tensor

from cleanplate.evaluation.measures import decibels, hole_error
from cleanplate.training.recipes import Part, Recipe

_RADIUS = 5  # px of Telea's method


def validated(recipe: Recipe, parts: Sequence[Part]) -> dict[str, float]:
    """``hole_psnr`` of the network's fills, in dB, and ``telea_hole_psnr`` of the same holes."""
    errors = {"hole_psnr": (0.0, 0), "telea_hole_psnr": (0.0, 0)}
    for part in parts:
        for fill, truth, mask in zip(*map(_images, recipe.fill(part)), strict=True):
            hole = (mask[..., 0] > 127).astype(np.uint8)
            if not hole.any():
                continue
            telea = cv2.inpaint(truth * (1 - hole)[..., None], hole, _RADIUS, cv2.INPAINT_TELEA)
            for name, image in zip(errors, (fill, telea), strict=True):
                total, count = hole_error(truth, image, hole)
                errors[name] = errors[name][0] + total, errors[name][1] + count
    return {name: decibels(total / max(count, 1)) for name, (total, count) in errors.items()}


def _images(tensor: Tensor) -> np.ndarray:
    """(n, H, W, C) uint8 of (n, C, H, W): pictures in -1..1, masks in 0..1."""
    values = tensor.float().cpu().permute(0, 2, 3, 1).numpy()
    levels = values * 255 if values.shape[-1] == 1 else (values + 1) * 127.5
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
