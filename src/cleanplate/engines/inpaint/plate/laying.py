"""Lays guesses into a hole so that they meet its ring, each as far as the ring believes it.

What ``arrays.blending`` does, but thought through at half the size: only the colours are read and
mixed at the full one. There is no time for more between two frames of a live picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.harmonic import harmonic_fill
from cleanplate.arrays.kriging import kriged_fill
from cleanplate.arrays.masks import bounding_box

_SMALLER = 2  # times: the size at which guesses are judged
_LEAST_SIDE = 24  # px that the small picture keeps at least, where it can
_RING_BLUR, _SPREAD_BLUR, _DEBATE_BLUR, _POOR_BLUR = 1.25, 4.0, 1.0, 0.5  # px of the small picture
_LEAST_ANSWER = 0.02  # of a pixel of the small picture
_UNASKED = 1000.0  # the squared error of a guess of which the ring says nothing
_LEAST_VARIANCE = 20.0  # grey levels squared: no guess is better than the noise
_DEEP = 8.0  # px from the rim, where a smooth fill is as wrong as the surroundings vary
_DEBATES = 2  # rounds in which guesses far from the mean of all lose weight
_CONTRADICTED = 0.3  # of the squared distance from the guesses counts against the smooth fill,
_MISFIT = 0.2  # where their error in the ring is less than this share of how the ring varies
_NOISE = 10.0  # grey levels squared
_OBSTINATE = 0.6  # of the squared distance from the mean counts against a guess
_POOR = 0.3  # of the smooth fill's variance, above which the guesses show nothing to go on from
_WORST = 1e4  # grey levels squared: the variance of what no guess shows
_KRIGED = 400  # px of what no guess shows that directions are carried on into, at the small size
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


@dataclass(slots=True, eq=False)
class _Judged:
    """A guess in the small picture."""

    guess: Guess
    seen: np.ndarray
    """(h, w) float32: 1 where it shows something."""
    offset: np.ndarray
    """(h, w, 3) float32: what makes it meet the ring."""
    shown: np.ndarray
    """(h, w, 3) float32: its colours, the offset added."""
    variance: np.ndarray
    """(h, w) float32, grey levels squared."""
    error: np.ndarray
    """(h, w) float32, grey levels squared: the ring's part of it."""


def laid(
    smooth: np.ndarray, hole: np.ndarray, ring: np.ndarray, guesses: list[Guess], directed: bool
) -> np.ndarray:
    """The picture with its hole filled, (h, w, 3) uint8; meaningful inside the hole.

    See ``arrays.blending.blend``.

    Args:
        smooth: (h, w, 3) uint8: the picture, its hole filled smoothly.
        hole: (h, w) bool.
        ring: (h, w) bool: known pixels around it.
        guesses: one or more.
        directed: carry the directions of the surroundings on into what no guess shows.
    """
    height, width = hole.shape
    step = min(_SMALLER, max(1, min(height, width) // _LEAST_SIDE))
    small = slice(None, None, step), slice(None, None, step)
    inside = np.ascontiguousarray(hole[small])
    plain = smooth[small].astype(np.float32)
    spread, judged = _judged(plain, inside, ring[small], guesses, small)
    doubt = _LEAST_VARIANCE + spread * _depth(inside, step)
    # What the guesses agree on, and the surroundings do not show, speaks against going on smoothly.
    doubt = doubt + _CONTRADICTED * _contradicted(plain, judged, spread)
    variances = [one.variance for one in judged]
    result = _mean(plain, doubt, judged, variances)
    for _ in range(_DEBATES):
        variances = [one.variance + _disagreement(one, result) for one in judged]
        result = _mean(plain, doubt, judged, variances)

    shown = 1 / np.maximum(sum(1 / variance for variance in variances), 1 / _WORST)
    poor = inside & (_within(shown, inside) > _POOR * doubt)
    change = np.zeros_like(plain)
    if poor.any():
        layers = np.dstack([np.where(inside[..., None], result, plain), np.where(inside, shown, 0)])
        further = harmonic_fill(layers, poor)
        further_doubt = _LEAST_VARIANCE + further[..., 3] + spread * _depth(poor, step)
        further = further[..., :3]
        if directed:
            further = kriged_fill(further, poor, 1, _KRIGED)
        change = np.where(poor[..., None], further - plain, 0)
        doubt = np.where(poor, further_doubt, doubt)
    return _mixed(smooth, hole, step, (change, doubt), judged, variances)


def _mixed(
    smooth: np.ndarray,
    hole: np.ndarray,
    step: int,
    further: tuple[np.ndarray, np.ndarray],
    judged: list[_Judged],
    variances: list[np.ndarray],
) -> np.ndarray:
    """The colours at the full size, (h, w, 3) uint8: only the hole's box is worked out.

    Args:
        further: what the smooth fill differs from ``smooth``, and its variance, in small pixels.
    """
    box = bounding_box(hole)
    assert box is not None  # it was asked for
    x0, y0 = box.x0 // step, box.y0 // step
    inner = slice(y0, -(-box.y1 // step)), slice(x0, -(-box.x1 // step))
    part = slice(y0 * step, inner[0].stop * step), slice(x0 * step, inner[1].stop * step)
    height, width = smooth[part].shape[:2]
    size = (inner[1].stop - x0) * step, (inner[0].stop - y0) * step

    def enlarged(values: np.ndarray) -> np.ndarray:
        part = np.ascontiguousarray(values[inner], np.float32)
        return cv2.resize(part, size)[:height, :width]

    weights = enlarged(_weight(further[1]))
    total = (smooth[part] + enlarged(further[0])) * weights[..., None]
    for one, variance in zip(judged, variances, strict=True):
        weight = enlarged(_weight(variance)) * one.guess.seen[part]
        total += (one.guess.colours[part] + enlarged(one.offset)) * weight[..., None]
        weights = weights + weight
    filled = smooth.copy()
    filled[part] = cv2.divide(total, cv2.merge([weights] * 3), dtype=cv2.CV_8U)
    return filled


def _depth(area: np.ndarray, step: int) -> np.ndarray:
    """How deep in ``area`` a small pixel lies: 0 outside, 1 at ``_DEEP`` and beyond."""
    depth = cv2.distanceTransform(area.view(np.uint8), cv2.DIST_L2, 3)
    return np.minimum(depth * (step / _DEEP), 1)


def _judged(
    plain: np.ndarray,
    inside: np.ndarray,
    ring: np.ndarray,
    guesses: list[Guess],
    small: tuple[slice, slice],
) -> tuple[np.ndarray, list[_Judged]]:
    """How much the surroundings vary, (h, w), and the guesses as the ring has them."""
    shown = [
        (guess.colours[small].astype(np.float32), guess.seen[small], guess.against[small])
        for guess in guesses
    ]
    answers = [_asked(plain, ring & seen, colours) for colours, seen, _ in shown]
    solved = harmonic_fill(np.dstack([*answers, _spread(plain, ~inside)]), ~ring)
    judged = []
    for i, (guess, (colours, seen, against)) in enumerate(zip(guesses, shown, strict=True)):
        offset, square = solved[..., 4 * i : 4 * i + 3], solved[..., 4 * i + 3]
        error = np.maximum(square - np.mean(offset**2, axis=2), 0)
        variance = np.where(seen, _LEAST_VARIANCE + error + against, np.inf)
        share = seen.astype(np.float32)
        judged.append(_Judged(guess, share, offset, colours + offset, variance, error))
    return solved[..., -1], judged


def _mean(
    plain: np.ndarray, doubt: np.ndarray, judged: list[_Judged], variances: list[np.ndarray]
) -> np.ndarray:
    weights = _weight(doubt)
    total = plain * weights[..., None]
    for one, variance in zip(judged, variances, strict=True):
        weight = _weight(variance)
        total += one.shown * weight[..., None]
        weights = weights + weight
    return total / weights[..., None]


def _contradicted(plain: np.ndarray, judged: list[_Judged], spread: np.ndarray) -> np.ndarray:
    """What the guesses say against the smooth fill: (h, w) grey levels squared."""
    total, weights = np.zeros_like(plain), np.zeros_like(spread)
    least = np.full_like(spread, np.inf)
    for one in judged:
        weight = _weight(one.variance)
        total += one.shown * weight[..., None]
        weights += weight
        least = np.minimum(least, np.where(one.seen > 0, one.error, np.inf))
    seen = (weights > 0).astype(np.float32)
    mean = total / np.maximum(weights, 1e-9)[..., None]
    square = cv2.transform((mean - plain) ** 2, _MEAN)
    square *= np.maximum(1 - least / (spread + _NOISE) / _MISFIT, 0) ** 2
    square *= seen
    sums = cv2.GaussianBlur(np.dstack([square, seen]), (0, 0), _DEBATE_BLUR)
    return np.where(seen > 0, sums[..., 0] / np.maximum(sums[..., 1], 1e-3), 0)


def _disagreement(one: _Judged, result: np.ndarray) -> np.ndarray:
    """What the opinion of all says against it: (h, w) grey levels squared."""
    square = cv2.transform((one.shown - result) ** 2, _MEAN) * one.seen
    sums = cv2.GaussianBlur(np.dstack([square, one.seen]), (0, 0), _DEBATE_BLUR)
    return _OBSTINATE * sums[..., 0] / np.maximum(sums[..., 1], 1e-3)


def _within(values: np.ndarray, area: np.ndarray) -> np.ndarray:
    """``values`` (h, w) blurred a little inside ``area`` (bool)."""
    inside = area.astype(np.float32)
    sums = cv2.GaussianBlur(np.dstack([values * inside, inside]), (0, 0), _POOR_BLUR)
    return sums[..., 0] / np.maximum(sums[..., 1], 1e-3)


def _weight(variance: np.ndarray) -> np.ndarray:
    """What counts with so much variance: (h, w) float32."""
    variance = variance / np.float32(_LEAST_VARIANCE)
    return (1 / (variance * np.sqrt(variance))).astype(np.float32)


def _asked(plain: np.ndarray, asked: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """(h, w, 4): what ``colours`` miss where they are ``asked``, and their squared error."""
    share = asked.astype(np.float32)
    missed = (plain - colours) * share[..., None]
    square = cv2.transform(missed * missed, _MEAN)
    sums = cv2.GaussianBlur(np.dstack([missed, square, share]), (0, 0), _RING_BLUR)
    share = sums[..., 4:]
    means = sums[..., :4] / np.maximum(share, _LEAST_ANSWER)
    return np.where(share > _LEAST_ANSWER, means, np.array([0, 0, 0, _UNASKED], np.float32))


def _spread(plain: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """(h, w): how much what is known varies near by, grey levels squared."""
    known = is_known.astype(np.float32)
    layers = np.dstack([plain * known[..., None], plain**2 * known[..., None], known])
    sums = cv2.GaussianBlur(layers, (0, 0), _SPREAD_BLUR)
    means = sums / np.maximum(sums[..., 6:], 1e-6)
    return np.maximum(np.mean(means[..., 3:6] - means[..., :3] ** 2, axis=2), 0)
