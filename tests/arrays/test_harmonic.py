"""Smooth filling."""

from __future__ import annotations

import numpy as np

from cleanplate.arrays.harmonic import halve, harmonic_fill


def ramp(height: int, width: int) -> np.ndarray:
    """A plane: the exact solution of Laplace's equation from its own values on any rim."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x, 2 * y, 100 + x - y], axis=2)


def test_a_plane_is_continued_to_within_a_twentieth_of_its_range() -> None:
    hole = np.zeros((60, 80), bool)
    hole[15:45, 20:61] = True
    missed = np.abs(harmonic_fill(ramp(60, 80), hole) - ramp(60, 80))[hole]
    assert np.all(missed.max(axis=0) < np.array([40, 60, 70]) / 15)
    assert np.all(np.sqrt(np.mean(missed**2, axis=0)) < np.array([40, 60, 70]) / 30)


def test_no_value_leaves_the_range_of_the_rim() -> None:
    values = np.random.default_rng(0).uniform(10, 20, (40, 50)).astype(np.float32)
    hole = np.zeros((40, 50), bool)
    hole[5:30, 8:44] = True
    filled = harmonic_fill(values, hole)
    assert filled.min() >= 10 - 1e-3
    assert filled.max() <= 20 + 1e-3


def test_what_stands_in_the_hole_is_not_read_and_the_rest_is_kept() -> None:
    values = np.random.default_rng(1).random((31, 27, 5)).astype(np.float32)
    hole = np.zeros((31, 27), bool)
    hole[4:20, 3:11] = True
    spoilt = values.copy()
    spoilt[hole] = np.nan
    filled = harmonic_fill(spoilt, hole)
    assert np.array_equal(filled, harmonic_fill(values, hole))
    assert np.array_equal(filled[~hole], values[~hole])


def test_a_hole_on_the_border_takes_the_values_of_its_other_side() -> None:
    values = np.full((20, 30), 7, np.float32)
    hole = np.zeros((20, 30), bool)
    hole[:, :12] = True
    assert np.allclose(harmonic_fill(values, hole), 7)


def test_where_nothing_is_known_the_empty_value_stands() -> None:
    filled = harmonic_fill(np.zeros((5, 4, 2), np.float32), np.ones((5, 4), bool), empty=128)
    assert np.all(filled == 128)


def test_halving_averages_blocks() -> None:
    values = np.arange(16, dtype=np.float32).reshape(4, 4, 1)
    assert halve(values)[..., 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
