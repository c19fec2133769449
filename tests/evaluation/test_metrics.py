"""Measures of a fill."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cleanplate.evaluation.metrics import hole_psnr, warping_error


def pan(count: int) -> list[np.ndarray]:
    noise = np.random.default_rng(8).integers(0, 256, (80, 140, 3), np.uint8)
    wide = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    return [np.ascontiguousarray(wide[:, 2 * n : 2 * n + 100]) for n in range(count)]


def centre() -> np.ndarray:
    mask = np.zeros((80, 100), np.uint8)
    mask[30:50, 40:60] = 1
    return mask


def test_psnr_counts_the_hole_alone() -> None:
    truth, mask = np.full((80, 100, 3), 100, np.uint8), centre()
    filled = np.where(mask[..., None] > 0, 110, 0).astype(np.uint8)
    assert hole_psnr([truth], [filled], [mask]) == pytest.approx(20 * np.log10(25.5))


def test_psnr_of_the_truth_is_infinite_and_of_no_hole_an_error() -> None:
    truth = [np.zeros((80, 100, 3), np.uint8)]
    assert hole_psnr(truth, truth, [centre()]) == float("inf")
    with pytest.raises(ValueError, match="needs a hole"):
        hole_psnr(truth, truth, [np.zeros((80, 100), np.uint8)])


def test_the_truth_is_steady_and_a_flickering_fill_is_not() -> None:
    truth, masks = pan(5), [centre()] * 5
    flicker = [image.copy() for image in truth]
    for n, image in enumerate(flicker):
        image[masks[n] > 0] = 100 + 20 * (n % 2)
    assert warping_error(truth, truth, masks) < 10
    assert warping_error(truth, flicker, masks) == pytest.approx(400, rel=0.3)


def test_a_pair_across_a_cut_does_not_count() -> None:
    truth, masks = pan(4), [centre()] * 4
    jump = [image.copy() for image in truth]
    for image in jump[2:]:
        image[centre() > 0] //= 2
    whole, cut = (warping_error(truth, jump, masks, shots) for shots in (None, [0, 0, 1, 1]))
    assert cut < 0.2 * whole
