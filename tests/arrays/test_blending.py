"""Blending guesses by what the ring says of them."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays.blending import Guess, blend, surrounding_variance
from cleanplate.arrays.harmonic import harmonic_fill


def setup() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    noise = np.random.default_rng(5).integers(0, 256, (60, 70, 3), np.uint8)
    truth = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 40, 200, cv2.NORM_MINMAX)
    hole = np.zeros((60, 70), bool)
    hole[20:40, 25:45] = True
    ring = cv2.dilate(hole.astype(np.uint8), np.ones((13, 13), np.uint8)).astype(bool) & ~hole
    return truth, hole, ring, harmonic_fill(truth, hole)


def guess(colours: np.ndarray, area: np.ndarray) -> Guess:
    return Guess(colours.astype(np.float32), area, np.zeros(area.shape, np.float32))


def error(filled: np.ndarray, truth: np.ndarray, hole: np.ndarray) -> float:
    return float(np.sqrt(np.mean((filled[hole] - truth[hole].astype(np.float32)) ** 2)))


def test_without_guesses_the_smooth_fill_stands() -> None:
    truth, hole, ring, smooth = setup()
    assert np.allclose(blend(truth, hole, ring, smooth, [])[hole], smooth[hole], atol=1e-3)


def test_a_true_guess_is_taken() -> None:
    truth, hole, ring, smooth = setup()
    filled = blend(truth, hole, ring, smooth, [guess(truth, hole | ring)])
    assert error(filled, truth, hole) < 0.3 * error(smooth, truth, hole)


def test_a_change_of_brightness_is_taken_back() -> None:
    truth, hole, ring, smooth = setup()
    slope = np.linspace(-25, 25, 70, dtype=np.float32)[None, :, None]
    filled = blend(truth, hole, ring, smooth, [guess(truth + 30 + slope, hole | ring)])
    assert error(filled, truth, hole) < 0.4 * error(smooth, truth, hole)


def test_a_guess_that_the_ring_contradicts_loses_against_a_true_one() -> None:
    truth, hole, ring, smooth = setup()
    wrong = guess(truth[::-1, ::-1], hole | ring)
    right = guess(truth, hole | ring)
    both = error(blend(truth, hole, ring, smooth, [wrong, right]), truth, hole)
    alone = error(blend(truth, hole, ring, smooth, [right]), truth, hole)
    assert both < alone + 2


def test_a_guess_that_contradicts_all_others_far_from_the_ring_loses_weight() -> None:
    truth, hole, ring, smooth = setup()
    stray = truth.astype(np.float32)
    stray[26:34, 31:39] += 120
    area = hole | ring
    guesses = [guess(stray, area), guess(truth, area), guess(truth, area)]
    filled = blend(truth, hole, ring, smooth, guesses)
    middle = (slice(28, 32), slice(33, 37))
    assert np.abs(filled[middle] - truth[middle]).mean() < 20  # a plain mean is 40 off


def test_what_a_guess_does_not_show_comes_from_elsewhere() -> None:
    truth, hole, ring, smooth = setup()
    half = (hole | ring) & (np.arange(70) < 35)
    colours = np.where(half[..., None], truth, 0)
    filled = blend(truth, hole, ring, smooth, [guess(colours, half)])
    unseen = hole & ~half
    assert np.abs(filled[unseen] - smooth[unseen]).max() < 30


def test_what_no_guess_shows_goes_on_from_what_they_show_rather_than_from_the_rim() -> None:
    truth, hole, ring, _ = setup()
    truth[24:36, 29:41] = 250  # a thing that the rim does not tell of
    unseen = np.zeros_like(hole)
    unseen[26:34, 33:37] = True
    smooth = harmonic_fill(truth, hole)
    filled = blend(truth, hole, ring, smooth, [guess(truth, (hole | ring) & ~unseen)])
    assert smooth[unseen].mean() < 150
    assert filled[unseen].mean() > 180


def test_a_plain_surface_has_no_variance_and_a_rough_one_has_its_own() -> None:
    truth, hole, _, _ = setup()
    plain = np.where(hole[..., None], truth, np.uint8(77))
    assert surrounding_variance(plain, hole)[hole].max() < 1e-2
    deep = surrounding_variance(truth, hole)[28:32, 33:37].mean()
    assert 0.4 < deep / truth[~hole].var(axis=0).mean() < 2.5
