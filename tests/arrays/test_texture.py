"""Texture from the surroundings."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.arrays.texture import texture_fill


def checks(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    tone = np.where((x // 3 + y // 3) % 2, 210, 50).astype(np.uint8)
    return np.repeat(tone[..., None], 3, axis=2)


def hole(height: int, width: int, *box: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask


@pytest.mark.parametrize("box", [(40, 30, 65, 52), (0, 30, 22, 55), (70, 60, 100, 90)])
def test_a_pattern_is_continued(box: tuple[int, int, int, int]) -> None:
    truth, mask = checks(90, 100), hole(90, 100, *box)
    filled = texture_fill(np.where(mask[..., None], np.uint8(255), truth), mask)
    assert np.array_equal(filled[~mask], truth[~mask])
    assert (np.abs(filled[mask].astype(int) - truth[mask]) > 60).mean() < 0.1


def test_what_stands_in_the_hole_is_not_read() -> None:
    truth, mask = checks(90, 100), hole(90, 100, 40, 30, 65, 52)
    one, other = (texture_fill(np.where(mask[..., None], np.uint8(v), truth), mask) for v in (0, 9))
    assert np.array_equal(one, other)


def test_without_a_hole_or_without_room_the_picture_stays() -> None:
    truth = checks(20, 20)
    assert texture_fill(truth, np.zeros((20, 20), bool)) is truth
    assert texture_fill(truth, hole(20, 20, 3, 3, 17, 17)) is truth
    assert texture_fill(truth[:3, :4], np.ones((3, 4), bool)).shape == (3, 4, 3)
