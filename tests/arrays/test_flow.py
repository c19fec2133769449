"""Optical flow and its completion."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cleanplate.arrays.flow import (
    apart,
    common_shift,
    dense_flow,
    landing,
    pixel_grid,
    round_trip,
    shifted,
    stiff_flow,
)


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 256, (140, 200), np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 3)
    return cv2.equalizeHist(blurred)


def test_a_pan_is_found_to_a_tenth_of_a_pixel(scene: np.ndarray) -> None:
    flow = dense_flow(scene[10:110, 10:160], scene[12:112, 7:157], "finest")
    inner = flow[20:-20, 20:-20]
    assert np.abs(np.median(inner, axis=(0, 1)) - (3, -2)).max() < 0.1


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (15, 15)])
def test_tiny_pictures_have_a_flow(size: tuple[int, int]) -> None:
    assert dense_flow(np.zeros(size, np.uint8), np.zeros(size, np.uint8)).shape == (*size, 2)


def test_the_shift_common_to_a_large_motion_is_found(scene: np.ndarray) -> None:
    large = cv2.resize(scene, None, fx=2, fy=2)
    near = np.zeros((240, 300), bool)
    near[80:160, 100:200] = True
    dx, dy = common_shift(large[20:260, 60:360], large[20:260, 40:340], near)
    assert abs(dx - 20) <= 2
    assert abs(dy) <= 2


def test_opposite_flows_return_to_the_start() -> None:
    there = np.full((20, 30, 2), 1.5, np.float32)
    assert np.allclose(round_trip(there, -there), 0)
    assert np.allclose(round_trip(there, there), 6)


def test_landing_names_the_pixels_that_are_led_into_an_area() -> None:
    flow = np.zeros((10, 10, 2), np.float32)
    flow[..., 0] = 3
    area = np.zeros((10, 10), bool)
    area[5, 5] = True
    assert np.argwhere(landing(flow, area)).tolist() == [[5, 2]]


def test_the_motion_that_most_share_is_told_from_that_of_a_thing_before_it() -> None:
    flow = np.tile(np.array([2.0, 0.5], np.float32), (60, 80, 1))
    flow[20:40, 10:30] = -3.0
    everywhere = np.ones((60, 80), bool)
    stiff = stiff_flow(flow, everywhere)
    assert stiff is not None
    assert np.allclose(stiff, [2.0, 0.5], atol=0.05)
    beside = apart(flow, stiff, everywhere, 1.0)
    assert beside[20:40, 10:30].all()
    assert not beside[:16].any()
    assert not beside[:, 34:].any()


def test_too_few_pixels_share_no_motion() -> None:
    few = np.zeros((60, 80), bool)
    few[:5, :5] = True
    assert stiff_flow(np.zeros((60, 80, 2), np.float32), few) is None


def test_a_shifted_picture_is_read_from_there(scene: np.ndarray) -> None:
    moved = shifted(scene, 4, -3)
    assert np.array_equal(moved[3:, :-4], scene[:-3, 4:])
    assert np.array_equal(moved[:3, :-4], np.repeat(scene[:1, 4:], 3, axis=0))


def test_the_grid_holds_x_then_y() -> None:
    assert pixel_grid(3, 5)[2, 4].tolist() == [4, 2]
