"""Blending several guesses of what is behind a hole, each weighed by the error it must be expected
to have. The ring of known pixels around the hole is asked: there every guess can be compared with
the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.harmonic import halve, harmonic_fill
from cleanplate.arrays.kriging import kriged_fill

LEAST_VARIANCE = 20.0  # grey levels squared: no guess is better than the noise
_UNASKED = 1000.0  # the error of a guess of which the ring says nothing
_LEAST_ANSWER = 0.02  # of a full ring, below which a guess counts as not asked
_RING_BLUR = 1.25  # sigma, in pixels of half size
_SPREAD_BLUR = 4.0
_DEBATES = 2  # rounds in which guesses far from the mean of all lose weight
_DEBATE_BLUR = 2.0
_OBSTINATE = 0.6  # of the squared distance from the mean counts as a guess's variance
_POOR = 0.3  # of the smooth fill's variance, above which the guesses show nothing to go on from
_POOR_BLUR = 1.0
_WORST = 1e4  # grey levels squared: the variance of what no guess shows
_MEAN = np.full((1, 3), 1 / 3, np.float32)
_DEEP = 8.0  # px from the rim, where the smooth fill is as wrong as the surroundings vary


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """One guess of the pixels in an area."""

    colours: np.ndarray
    """(H, W, 3) float32."""
    seen: np.ndarray
    """(H, W) bool: where there is a guess."""
    variance: np.ndarray
    """(H, W) float32, grey levels squared: what is known against it beforehand."""


def blend(
    picture: np.ndarray,
    hole: np.ndarray,
    ring: np.ndarray,
    smooth: np.ndarray,
    guesses: list[Guess],
    directed: bool = False,
) -> np.ndarray:
    """Fill ``hole`` from ``guesses`` and the smooth fill, without a seam.

    Each guess is shifted by the smooth offset that makes it meet the ring, and weighed by a power
    of one over its expected squared error: its error in the ring beyond that offset, its own
    ``variance``, and its distance from what all guesses together say. Where they show little, the
    smooth fill goes on from where they show much, rather than from the rim.

    Args:
        picture: (H, W, 3) uint8.
        hole: (H, W) bool.
        ring: (H, W) bool: known pixels near the hole for which there are guesses, too.
        smooth: (H, W, 3) float32: the smooth fill of ``hole``.
        guesses: any number.
        directed: carry the directions of the surroundings on into what no guess shows.

    Returns:
        (H, W, 3) float32; meaningful inside ``hole``.
    """
    if not guesses:
        return kriged_fill(smooth, hole) if directed else smooth
    colours, variances, spread = _asked(picture, hole, ring, smooth, guesses)
    result = _mean(colours, variances)
    judged = variances
    for _ in range(_DEBATES):
        doubts = [
            _disagreement(shifted, result, guess)
            for shifted, guess in zip(colours[1:], guesses, strict=True)
        ]
        judged = [variances[0], *map(np.add, variances[1:], doubts)]
        result = _mean(colours, judged)

    shown = 1 / np.maximum(sum(1 / variance for variance in judged[1:]), 1 / _WORST)
    poor = hole & (_within(shown, hole) > _POOR * variances[0])
    known = np.dstack([np.where(hole[..., None], result, picture), np.where(hole, shown, 0)])
    further = harmonic_fill(known, poor)
    doubt = LEAST_VARIANCE + further[..., 3] + spread * _depth(poor)
    further = further[..., :3]
    if directed:
        further = kriged_fill(further, poor)
    colours[0] = np.where(poor[..., None], further, smooth)
    judged[0] = np.where(poor, doubt, variances[0])
    return _mean(colours, judged)


def _asked(
    picture: np.ndarray,
    hole: np.ndarray,
    ring: np.ndarray,
    smooth: np.ndarray,
    guesses: list[Guess],
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Colours (H, W, 3) and variances (H, W) of the smooth fill and each guess, as the ring has it.

    Besides, how much the surroundings vary: (H, W).
    """
    around = _spread_of_surroundings(picture.astype(np.float32), hole)
    solved = _carried_in(picture, ring, guesses, around)
    spread = solved[..., -1]
    colours, variances = [smooth], [LEAST_VARIANCE + spread * _depth(hole)]
    for i, guess in enumerate(guesses):
        offset, square = solved[..., 4 * i : 4 * i + 3], solved[..., 4 * i + 3]
        error = np.maximum(square - _of_channels(offset**2), 0)
        variances.append(np.where(guess.seen, LEAST_VARIANCE + error + guess.variance, np.inf))
        colours.append(guess.colours + offset)
    return colours, variances, spread


def meeting_ring(picture: np.ndarray, ring: np.ndarray, guesses: list[Guess]) -> list[np.ndarray]:
    """The colours of each guess, (H, W, 3) float32, shifted smoothly so that they meet the ring.

    Offsets within the noise are not made: they would differ from frame to frame.

    Args:
        picture: (H, W, 3) uint8.
        ring: (H, W) bool: known pixels near the hole for which there are guesses, too.
        guesses: one or more.
    """
    solved = _carried_in(picture, ring, guesses)
    met = []
    for i, guess in enumerate(guesses):
        offset = solved[..., 4 * i : 4 * i + 3]
        square = _of_channels(offset**2)[..., None]
        met.append(guess.colours + offset * (square / (square + LEAST_VARIANCE)))
    return met


def _carried_in(
    picture: np.ndarray, ring: np.ndarray, guesses: list[Guess], *fields: np.ndarray
) -> np.ndarray:
    """What each guess misses in the ring, and ``fields``, carried smoothly into the hole.

    (H, W, C) float32: four channels a guess (offset and squared error), then those of the fields.
    """
    truth = picture.astype(np.float32)
    ring_share = halve(ring.astype(np.float32)[..., None])
    missed = [_ask_ring(truth, ring, ring_share, guess) for guess in guesses]
    solved = harmonic_fill(np.concatenate([*missed, *fields], axis=2), ring_share[..., 0] == 0)
    height, width = ring.shape
    solved = cv2.resize(solved, (solved.shape[1] * 2, solved.shape[0] * 2))[:height, :width]
    return solved.reshape(height, width, -1)


def _of_channels(values: np.ndarray) -> np.ndarray:
    """(H, W) mean of the three channels of (H, W, 3); NumPy's own takes many times as long."""
    return (values[..., 0] + values[..., 1] + values[..., 2]) / np.float32(3)


def _depth(area: np.ndarray) -> np.ndarray:
    """How deep in ``area`` (H, W) bool a pixel lies: 0 outside, 1 at ``_DEEP`` and beyond."""
    return np.minimum(cv2.distanceTransform(area.astype(np.uint8), cv2.DIST_L2, 3) / _DEEP, 1)


def _within(values: np.ndarray, area: np.ndarray) -> np.ndarray:
    """``values`` (H, W) blurred a little inside ``area`` (bool)."""
    inside = area.astype(np.float32)
    sums = cv2.GaussianBlur(np.dstack([values * inside, inside]), (0, 0), _POOR_BLUR)
    return sums[..., 0] / np.maximum(sums[..., 1], 1e-3)


def _mean(colours: list[np.ndarray], variances: list[np.ndarray]) -> np.ndarray:
    """Each picture (H, W, 3) weighed by its variance (H, W) to the power of -3/2.

    -1 is best for guesses that err each on its own. These err alike, or show different things,
    of which no mean is right.
    """
    total, weights = np.zeros_like(colours[0]), np.zeros_like(variances[0])
    for picture, variance in zip(colours, variances, strict=True):
        weight = 1 / (variance * np.sqrt(variance))
        total += weight[..., None] * picture
        weights += weight
    return total / weights[..., None]


def _disagreement(colours: np.ndarray, result: np.ndarray, guess: Guess) -> np.ndarray:
    """What the opinion of all says against ``guess``: (H, W) grey levels squared."""
    seen = guess.seen.astype(np.float32)
    square = cv2.transform((colours - result) ** 2, _MEAN) * seen
    sums = cv2.GaussianBlur(np.dstack([square, seen]), (0, 0), _DEBATE_BLUR)
    return _OBSTINATE * sums[..., 0] / np.maximum(sums[..., 1], 1e-3)


def _ask_ring(
    truth: np.ndarray, ring: np.ndarray, ring_share: np.ndarray, guess: Guess
) -> np.ndarray:
    """What ``guess`` misses in the ring, at half size: (h, w, 4), offset and squared error."""
    compared = (ring & guess.seen).astype(np.float32)[..., None]
    missed = (truth - guess.colours) * compared
    square = _of_channels(missed**2)[..., None]
    sums = halve(np.concatenate([missed, square, compared], axis=2))
    sums = cv2.GaussianBlur(sums, (0, 0), _RING_BLUR)
    sure = (sums[..., 4:] > _LEAST_ANSWER) & (ring_share > 0)
    means = sums[..., :4] / np.maximum(sums[..., 4:], _LEAST_ANSWER)
    return np.where(sure, means, np.array([0, 0, 0, _UNASKED], np.float32))


def surrounding_variance(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """How much the known pixels near by vary: the squared error to expect of a smooth fill.

    Args:
        picture: (H, W, 3) uint8.
        hole: (H, W) bool.

    Returns:
        (H, W) float32, grey levels squared, inside ``hole`` carried in from its rim; less close
        to the rim.
    """
    height, width = hole.shape
    known = halve((~hole).astype(np.float32)[..., None])[..., 0] > 0
    spread = _spread_of_surroundings(picture.astype(np.float32), hole)
    spread = harmonic_fill(spread, ~known)
    spread = cv2.resize(spread, (spread.shape[1] * 2, spread.shape[0] * 2))[:height, :width]
    return spread * _depth(hole)


def _spread_of_surroundings(truth: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Local variance of the known pixels, at half size: (h, w, 1)."""
    known = (~hole).astype(np.float32)[..., None]
    parts = np.concatenate([truth * known, truth**2 * known, known], axis=2)
    sums = cv2.GaussianBlur(halve(parts), (0, 0), _SPREAD_BLUR)
    means = sums[..., :6] / np.maximum(sums[..., 6:], 1e-6)
    spread = means[..., 3:] - means[..., :3] ** 2
    return np.maximum(_of_channels(spread)[..., None], 0)
