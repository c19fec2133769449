"""Measures of a filled clip against its truth, frame by frame. Images are (H, W, 3) uint8 RGB."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from cleanplate.arrays.flow import dense_flow, pixel_grid, round_trip
from cleanplate.errors import MissingDependencyError

SSIM_WINDOW = 65  # as the field's tables use
WARPING = "hole_warp-1: DIS medium on the truth, forward-backward within 1 px, hole only"
FLICKER = "flicker-1: DIS medium on the truth, forward-backward within 1 px, hole only"
_RETURNS = 1.0  # px that the way there and back may miss


def psnr(truth: np.ndarray, result: np.ndarray) -> float:
    """PSNR of a whole frame in dB, over all pixels and channels; infinite for equal frames."""
    return decibels(float(np.mean((truth.astype(np.float64) - result) ** 2)))


def decibels(squared_error: float) -> float:
    """A mean squared error of grey levels as PSNR."""
    return float("inf") if squared_error == 0 else float(10 * np.log10(255**2 / squared_error))


def ssim(truth: np.ndarray, result: np.ndarray) -> float:
    """SSIM of a whole frame, uniform window of 65 px, mean over channels and the interior.

    Wang et al., 2004; as the tables of video inpainting compute it.

    Raises:
        MissingDependencyError: scikit-image is not installed.
    """
    try:
        metrics: Any = importlib.import_module("skimage.metrics")
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "SSIM needs scikit-image, which is not installed; install it with: "
            "pip install 'cleanplate[evaluate]'."
        ) from error
    one, other = truth.astype(np.float64), result.astype(np.float64)
    found = metrics.structural_similarity(
        one, other, channel_axis=-1, win_size=SSIM_WINDOW, data_range=255
    )
    return float(found)


def hole_error(truth: np.ndarray, result: np.ndarray, mask: np.ndarray) -> tuple[float, int]:
    """(sum of squared differences, how many samples) inside the mask."""
    difference = truth[mask != 0].astype(np.float64) - result[mask != 0]
    return float(np.sum(difference**2)), difference.size


def seam_error(truth: np.ndarray, result: np.ndarray, mask: np.ndarray) -> float:
    """How wrong the step across the mask's rim is, in grey levels; 0 when there is no rim.

    Mean over all pairs of neighbours of which one is masked, and over channels, of the absolute
    difference between the result's step and the truth's.
    """
    inside = mask != 0
    errors: list[np.ndarray] = []
    for axis in (0, 1):
        across = np.diff(inside.astype(np.int8), axis=axis) != 0
        steps = np.diff(result.astype(np.int16), axis=axis) - np.diff(
            truth.astype(np.int16), axis=axis
        )
        errors.append(np.abs(steps[across]).ravel())
    joined = np.concatenate(errors)
    return float(joined.mean()) if joined.size else 0.0


class Motion:
    """The true motion from one frame to the next, where a hole's pixels can be followed."""

    def __init__(self, truth: np.ndarray, following: np.ndarray, mask: np.ndarray) -> None:
        one, other = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (truth, following))
        there = dense_flow(one, other)
        places = there + pixel_grid(*mask.shape)
        inside = np.all((places >= 0) & (places <= np.array(mask.shape[::-1]) - 1), axis=2)
        self._places = places
        self._seen = (mask != 0) & inside & (round_trip(there, dense_flow(other, one)) <= _RETURNS)

    def change(self, image: np.ndarray, following: np.ndarray) -> np.ndarray:
        """(n, 3): what pixels of the hole lose or gain on their way to the following frame."""
        x, y = self._places[..., 0], self._places[..., 1]
        moved = cv2.remap(following.astype(np.float32), x, y, cv2.INTER_LINEAR)
        return (moved - image)[self._seen]


def warping(change: np.ndarray) -> tuple[float, int]:
    """(sum of squared changes, how many): their quotient is in grey levels squared."""
    return float(np.sum(change.astype(np.float64) ** 2)), change.size


def flicker(change: np.ndarray, true_change: np.ndarray) -> tuple[float, int]:
    """(sum of absolute differences between the fill's change and the truth's, how many)."""
    return float(np.sum(np.abs(change.astype(np.float64) - true_change))), change.size


def hole_psnr(
    truth: Sequence[np.ndarray], results: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> float:
    """PSNR in dB over all masked samples of all frames together."""
    errors = [hole_error(*frame) for frame in zip(truth, results, masks, strict=True)]
    return decibels(sum(total for total, _ in errors) / sum(count for _, count in errors))


def hole_warping(
    truth: Sequence[np.ndarray], results: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> float:
    """Mean squared change of a fill along the true motion, over all pairs of one shot's frames."""
    changes = [
        warping(Motion(truth[t], truth[t + 1], masks[t]).change(results[t], results[t + 1]))
        for t in range(len(truth) - 1)
    ]
    return sum(total for total, _ in changes) / sum(count for _, count in changes)
