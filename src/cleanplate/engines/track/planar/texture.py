"""What of a patch takes part in a local correlation: its blurred values, their means and variances.

The share of camera noise is taken out of the variances, so that a faint emblem in noise still
counts as seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

BLUR = 1.2  # px, before anything is compared
LEAST_VARIANCE = 3.0  # grey levels squared, of texture
LEAST_SHARE = 0.03  # of the largest variance, of texture
NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


@dataclass(slots=True, eq=False)
class Texture:
    """A patch, prepared; the maps are half as large as the patch."""

    values: np.ndarray
    """(h, w) float32, blurred, their mean taken out: squares of values near 0 lose no digits."""
    mean: np.ndarray
    """(h / 2, w / 2) float32, of the values in the window around each place."""
    variance: np.ndarray
    """(h / 2, w / 2) float32, of the values there, less noise."""


@dataclass(slots=True, eq=False)
class Weight:
    """Which pixels of a patch are looked at."""

    pixels: np.ndarray
    """(h, w) float32 0 or 1."""
    share: np.ndarray
    """(h / 2, w / 2) float32 0..1, of the window around each place, never quite 0."""
    known: np.ndarray
    """(h / 2, w / 2) bool."""


def weigh(pixels: np.ndarray) -> Weight:
    """``pixels``: (h, w) bool, those to look at."""
    weight = pixels.astype(np.float32)
    half = _half(weight)
    return Weight(weight, np.maximum(_blocks(half, weight.shape), 1e-6), half > 0.5)


def prepare(patch: np.ndarray, weight: Weight) -> Texture:
    """``patch``: (h, w) float32 grey levels."""
    values = cv2.GaussianBlur(patch, (0, 0), BLUR)
    values -= cv2.mean(values)[0]
    weighted = weight.pixels * values
    mean = local_mean(weighted, weight)
    variance = local_mean(weighted * values, weight) - mean * mean
    noise = 0.9 * _noise(patch) ** 2 / (4 * np.pi * BLUR**2)
    variance = np.maximum(variance - noise, 0.35 * np.maximum(variance, 0))
    return Texture(values, mean, variance)


def textured(texture: Texture, weight: Weight) -> np.ndarray:
    """(h / 2, w / 2) bool: where there is texture to judge by."""
    known = weight.known
    most = float(texture.variance[known].max()) if known.any() else 0.0
    return known & (texture.variance > max(LEAST_VARIANCE, LEAST_SHARE * most))


def correlate(one: Texture, other: Texture, weight: Weight) -> np.ndarray:
    """(h / 2, w / 2) float32 -1..1: the local correlation of two patches."""
    together = local_mean(weight.pixels * one.values * other.values, weight)
    together -= one.mean * other.mean
    correlation = together / np.sqrt(np.maximum(one.variance * other.variance, 1e-3))
    return np.clip(correlation, -1, 1)


def local_mean(weighted: np.ndarray, weight: Weight) -> np.ndarray:
    """(h / 2, w / 2): the mean of already ``weighted`` values around each place."""
    return _blocks(_half(weighted), weighted.shape) / weight.share


def _half(values: np.ndarray) -> np.ndarray:
    height, width = values.shape
    return cv2.resize(values, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)


def _blocks(half: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The means of windows of a third of the patch's shorter side."""
    window = max(3, min(shape) // 6) | 1
    return cv2.boxFilter(half, -1, (window, window), borderType=cv2.BORDER_REPLICATE)


def _noise(patch: np.ndarray) -> float:
    """The strength of white noise in ``patch``: a quarter of the pixels tell it as well as all."""
    bent = np.abs(cv2.filter2D(patch, -1, NOISE_KERNEL)[::2, ::2]).ravel()
    return 1.4826 * float(np.partition(bent, len(bent) // 2)[len(bent) // 2]) / 6
