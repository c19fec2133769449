"""Grain."""

from __future__ import annotations

import numpy as np

from cleanplate.arrays.grain import grain_level, with_grain


def noisy(level: float) -> np.ndarray:
    noise = np.random.default_rng(2).normal(120, level, (120, 120, 3))
    return np.clip(np.rint(noise), 0, 255).astype(np.uint8)


def hole() -> np.ndarray:
    mask = np.zeros((120, 120), bool)
    mask[40:80, 45:90] = True
    return mask


def test_the_level_of_white_noise_is_measured() -> None:
    assert abs(grain_level(noisy(6), np.ones((120, 120), bool)) - 6) < 0.4


def test_a_flat_fill_gets_the_grain_of_its_surroundings() -> None:
    picture, mask = noisy(6), hole()
    picture[mask] = 120
    grainy = with_grain(picture, mask, np.random.default_rng(0))
    assert abs(grain_level(grainy, mask) - 6) < 1
    assert abs(float(grainy[mask].mean()) - 120) < 1
    assert np.array_equal(grainy[~mask], picture[~mask])


def test_a_fill_as_noisy_as_its_surroundings_is_left_alone() -> None:
    picture = noisy(6)
    picture[hole()] = np.clip(picture[hole()].astype(int) * 2 - 120, 0, 255).astype(np.uint8)
    assert np.array_equal(with_grain(picture, hole(), np.random.default_rng(0)), picture)


def test_a_picture_without_grain_gets_none() -> None:
    picture = np.full((120, 120, 3), 90, np.uint8)
    assert np.array_equal(with_grain(picture, hole(), np.random.default_rng(0)), picture)


def test_a_hole_without_surroundings_is_left_alone() -> None:
    picture, everything = noisy(6), np.ones((120, 120), bool)
    assert np.array_equal(with_grain(picture, everything, np.random.default_rng(0)), picture)
