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
    """The picture with its hole filled, (h, w, 3) uint8; meaningful inside the hole.

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
    layers = np.dstack([*answers, _contrast(smooth, hole, size)])
    solved = harmonic_fill(layers, _small(ring, size) <= _LEAST_ANSWER)
    depth = cv2.distanceTransform(hole.view(np.uint8), cv2.DIST_L2, 3)
    depth = np.minimum(cv2.resize(depth, size, interpolation=cv2.INTER_AREA) / _DEEP, 1)
    weights = _enlarged(
        _weight(np.maximum(solved[..., -1], 0) * depth.reshape(size[::-1])), (width, height)
    )
    total = smooth * weights[..., None]
    for i, guess in enumerate(guesses):
        offset, square = solved[..., 4 * i : 4 * i + 3], solved[..., 4 * i + 3]
        error = np.maximum(square - np.mean(offset**2, axis=2), 0)
        against = cv2.resize(guess.against, size, interpolation=cv2.INTER_AREA)
        weight = _weight(error + against.reshape(size[::-1]))
        weight = _enlarged(weight, (width, height)) * guess.seen
        shown = cv2.add(guess.colours, _enlarged(offset, (width, height)), dtype=cv2.CV_32F)
        total += shown.reshape(total.shape) * weight[..., None]
        weights = weights + weight
    return cv2.divide(total, cv2.merge([weights] * 3), dtype=cv2.CV_8U)


def _weight(variance: np.ndarray) -> np.ndarray:
    """What counts with so much variance: (h, w) float32."""
    variance = (_LEAST_VARIANCE + variance) / np.float32(_LEAST_VARIANCE)
    return (1 / (variance * np.sqrt(variance))).astype(np.float32)


def _enlarged(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(np.ascontiguousarray(values, np.float32), size)


def _small(area: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(area.astype(np.float32), size, interpolation=cv2.INTER_AREA)


def _asked(
    picture: np.ndarray, ring: np.ndarray, guess: Guess, size: tuple[int, int]
) -> np.ndarray:
    """(h, w, 4) of the small picture: what the guess misses in the ring, and its squared error."""
    asked = ring & guess.seen
    missed = cv2.subtract(picture, guess.colours, mask=asked.view(np.uint8), dtype=cv2.CV_32F)
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
