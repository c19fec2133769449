"""Filling from what surrounds a hole, with its directions."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.arrays.harmonic import harmonic_fill
from cleanplate.arrays.kriging import kriged_fill


def disc(height: int, width: int, radius: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return (y - height / 2) ** 2 + (x - width / 2) ** 2 < radius**2


def stripes(height: int, width: int, turn: float) -> np.ndarray:
    """Soft stripes of 40 px, turned by ``turn`` degrees, in three colours, with a little noise."""
    y, x = np.mgrid[:height, :width]
    along = np.cos(np.deg2rad(turn)) * x + np.sin(np.deg2rad(turn)) * y
    waves = np.stack([np.sin(2 * np.pi * along / 40 + shift) for shift in (0, 1, 2)], axis=2)
    noise = np.random.default_rng(0).normal(0, 3, waves.shape)
    return (128 + 60 * waves + noise).astype(np.float32)


def error(filled: np.ndarray, truth: np.ndarray, hole: np.ndarray) -> float:
    return float(np.sqrt(np.mean((filled[hole] - truth[hole]) ** 2)))


@pytest.mark.parametrize("turn", [0, 30, 90, 135])
def test_stripes_go_on_where_a_smooth_fill_fades(turn: float) -> None:
    truth, hole = stripes(90, 100, turn), disc(90, 100, 28)
    smooth = harmonic_fill(truth, hole)
    assert error(kriged_fill(smooth, hole), truth, hole) < 0.5 * error(smooth, truth, hole)


def test_noise_without_direction_is_filled_no_worse_than_smoothly() -> None:
    truth = np.random.default_rng(1).normal(128, 30, (90, 100, 3)).astype(np.float32)
    hole = disc(90, 100, 28)
    smooth = harmonic_fill(truth, hole)
    assert error(kriged_fill(smooth, hole), truth, hole) < 1.02 * error(smooth, truth, hole)


def test_a_plain_picture_stays_plain_and_what_is_known_stays_as_it_is() -> None:
    plain, hole = np.full((80, 90, 3), 77, np.float32), disc(80, 90, 25)
    assert np.allclose(kriged_fill(plain, hole), 77, atol=1e-3)
    smooth = harmonic_fill(stripes(80, 90, 20), hole)
    assert np.array_equal(kriged_fill(smooth, hole)[~hole], smooth[~hole])


def test_a_hole_that_touches_an_odd_border_stays_within_the_range_of_what_is_around() -> None:
    truth = np.full((83, 97, 3), 50, np.float32)
    truth[:40] = 60
    hole = np.zeros((83, 97), bool)
    hole[20:, 50:] = True
    filled = kriged_fill(harmonic_fill(truth, hole), hole)
    assert filled.min() > 48
    assert filled.max() < 62


def test_a_small_hole_and_one_without_surroundings_keep_the_smooth_fill() -> None:
    picture = stripes(80, 90, 20)
    for hole in (disc(80, 90, 5), np.ones((80, 90), bool)):
        assert np.array_equal(kriged_fill(picture, hole), picture)


@pytest.mark.parametrize("shape", [(241, 303), (400, 37)])
def test_large_and_scattered_holes_are_filled_no_worse_than_smoothly(
    shape: tuple[int, int],
) -> None:
    truth = stripes(*shape, 60)
    for hole in (
        disc(*shape, min(shape) // 2 - 4),
        np.random.default_rng(2).random(shape) < 0.5,
        np.indices(shape).sum(axis=0) // 9 % 2 == 0,
    ):
        smooth = harmonic_fill(truth, hole)
        filled = kriged_fill(smooth, hole)
        assert np.isfinite(filled).all()
        assert error(filled, truth, hole) < 1.02 * error(smooth, truth, hole)
