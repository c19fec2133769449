"""Lays guesses into a hole so that they meet its ring, each as far as the ring believes it.

What ``arrays.blending`` does with care, at a quarter of the size and without debate: there is no
time for more between two frames of a live picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.harmonic import harmonic_fill

_SMALLER = 4  # times: the size at which the ring is asked
_LEAST_SIDE = 24  # px that the small picture keeps at least, where it can
_BLUR = 1.0  # px of the small picture
_LEAST_ANSWER = 0.02  # of a pixel of the small picture
_UNASKED = 1000.0  # the squared error of a guess of which the ring says nothing
_LEAST_VARIANCE = 20.0  # grey levels squared: no guess is better than the noise
_DEEP = 8.0  # px from the rim, where a smooth fill is as wrong as the surroundings vary
_MEAN = np.full((1, 3), 1 / 3, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """A guess of what a hole hides."""

    colours: np.ndarray
    """(h, w, 3) uint8."""
    seen: np.ndarray
    """(h, w) bool."""
    against: np.ndarray
    """(h, w) float32, grey levels squared: what is known against it beforehand."""


def laid(
    smooth: np.ndarray, hole: np.ndarray, ring: np.ndarray, guesses: list[Guess]
) -> np.ndarray:
    """The pixels of the hole, (N, 3) uint8, in the order of ``smooth[hole]``.

    Args:
        smooth: (h, w, 3) uint8: the picture, its hole filled smoothly.
        hole: (h, w) bool.
        ring: (h, w) bool: known pixels around it.
        guesses: one or more.
    """
    height, width = hole.shape
    smaller = min(_SMALLER, max(1, min(height, width) // _LEAST_SIDE))
    size = max(1, width // smaller), max(1, height // smaller)
    answers = [_asked(smooth, ring, guess, size) for guess in guesses]
    contrast = _contrast(smooth, hole, size)
    solved = harmonic_fill(np.dstack([*answers, contrast]), _small(ring, size) <= _LEAST_ANSWER)
    fields = cv2.resize(solved, (width, height)).reshape(height, width, -1)[hole]
    depth = np.minimum(cv2.distanceTransform(hole.view(np.uint8), cv2.DIST_L2, 3)[hole] / _DEEP, 1)
    weight = (_LEAST_VARIANCE + np.maximum(fields[:, -1], 0) * depth) ** -1.5
    total, weights = smooth[hole] * weight[:, None], weight
    for i, guess in enumerate(guesses):
        offset, square = fields[:, 4 * i : 4 * i + 3], fields[:, 4 * i + 3]
        error = np.maximum(square - np.mean(offset**2, axis=1), 0)
        variance = _LEAST_VARIANCE + error + guess.against[hole]
        weight = np.where(guess.seen[hole], variance**-1.5, 0)
        total = total + weight[:, None] * (guess.colours[hole] + offset)
        weights = weights + weight
    return np.clip(np.rint(total / weights[:, None]), 0, 255).astype(np.uint8)


def _small(area: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(area.astype(np.float32), size, interpolation=cv2.INTER_AREA)


def _asked(
    picture: np.ndarray, ring: np.ndarray, guess: Guess, size: tuple[int, int]
) -> np.ndarray:
    """(h, w, 4) of the small picture: what the guess misses in the ring, and its squared error."""
    asked = ring & guess.seen
    missed = cv2.subtract(picture, guess.colours, dtype=cv2.CV_32F)
    missed = np.where(asked[..., None], missed, np.float32(0))
    square = cv2.transform(missed * missed, _MEAN)
    sums = cv2.resize(np.dstack([missed, square]), size, interpolation=cv2.INTER_AREA)
    sums = cv2.GaussianBlur(sums.reshape(size[1], size[0], 4), (0, 0), _BLUR)
    share = cv2.GaussianBlur(_small(asked, size), (0, 0), _BLUR)[..., None]
    means = sums / np.maximum(share, _LEAST_ANSWER)
    return np.where(share > _LEAST_ANSWER, means, np.array([0, 0, 0, _UNASKED], np.float32))


def _contrast(picture: np.ndarray, hole: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) of the small picture: how much what is known varies near by, grey levels squared."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    known = (~hole).astype(np.float32)
    layers = np.dstack([grey * known, grey * grey * known, known])
    sums = cv2.resize(layers, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], 3)
    sums = cv2.GaussianBlur(sums, (0, 0), 2 * _BLUR)
    mean = sums / np.maximum(sums[..., 2:], _LEAST_ANSWER)
    return np.maximum(mean[..., 1] - mean[..., 0] ** 2, 0)
