"""What an operator would see of a target that hides, leaves, grows, or is cut to: never itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.live import scenes
from tests.live.test_line import check_counts, play, sign_prompt
from tests.scene import texture

START = (70, 50)
SIGN = scenes.SIGN


def likeness(image: np.ndarray, scale: float = 1.0) -> float:
    """How much the place of ``image`` that is most like the sign is like it: -1 to 1."""
    size = (round(SIGN.shape[1] * scale), round(SIGN.shape[0] * scale))
    sign = cv2.resize(SIGN, size, interpolation=cv2.INTER_AREA)
    return float(cv2.matchTemplate(image, sign, cv2.TM_CCOEFF_NORMED).max())


def paste(image: np.ndarray, piece: np.ndarray, x: int, y: int) -> None:
    """Lay ``piece`` over ``image`` at (x, y), as far as it is inside."""
    height, width = image.shape[:2]
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + piece.shape[1], width), min(y + piece.shape[0], height)
    if x1 > x0 and y1 > y0:
        image[y0:y1, x0:x1] = piece[y0 - y : y1 - y, x0 - x : x1 - x]


def hides_behind_a_pillar(n: int, image: np.ndarray) -> float:
    paste(image, SIGN, *START)
    pillar = texture(60, scenes.HEIGHT, 5)
    paste(image, pillar, -60 + 5 * n, 0)
    return 1.0


def leaves_and_returns(n: int, image: np.ndarray) -> float:
    away = 70 + round(90 * np.sin(n / 9)) if n else 70
    paste(image, SIGN, away, 50)
    return 1.0


def grows_and_shrinks(n: int, image: np.ndarray) -> float:
    scale = 1.0 + 0.45 * np.sin(n / 7)
    size = (round(SIGN.shape[1] * scale), round(SIGN.shape[0] * scale))
    paste(image, cv2.resize(SIGN, size, interpolation=cv2.INTER_AREA), 92 - size[0] // 2, 40)
    return scale


def is_zoomed_at(n: int, image: np.ndarray) -> float:
    paste(image, SIGN, *START)
    scale = 1.0 + 0.35 * abs(np.sin(n / 5))
    move = cv2.getRotationMatrix2D((96, 64), 0, scale)
    image[...] = cv2.warpAffine(image, move, (scenes.WIDTH, scenes.HEIGHT), flags=cv2.INTER_CUBIC)
    return scale


def is_cut_to(n: int, image: np.ndarray) -> float:
    if n >= 24:
        image[...] = texture(scenes.WIDTH, scenes.HEIGHT, 9)
    paste(image, SIGN, *(START if n < 24 else (20, 80)))
    return 1.0


def stays_through_a_cut(n: int, image: np.ndarray) -> float:
    if n >= 24:
        image[...] = texture(scenes.WIDTH, scenes.HEIGHT, 9)
    paste(image, SIGN, *START)
    return 1.0


@pytest.mark.parametrize(
    "happens",
    [
        hides_behind_a_pillar,
        leaves_and_returns,
        grows_and_shrinks,
        is_zoomed_at,
        is_cut_to,
        stays_through_a_cut,
    ],
)
def test_the_target_never_flashes_when_it(
    happens: Callable[[int, np.ndarray], float], tmp_path: Path
) -> None:
    background = texture(scenes.WIDTH, scenes.HEIGHT, 0)
    images, scales = [], []
    for n in range(48):
        image = background.copy()
        scales.append(happens(n, image))
        images.append(image)
    before = [likeness(image, scale) for image, scale in zip(images, scales, strict=True)]
    assert before[0] > 0.95
    source = scenes.write(tmp_path / "in.mkv", images)
    summary = play(source, tmp_path / "out.mkv", sign_prompt(START))
    check_counts(summary)
    shown = scenes.read(tmp_path / "out.mkv")
    assert len(shown) == len(images)
    after = [likeness(image, scale) for image, scale in zip(shown, scales, strict=True)]
    flashes = [n for n, value in enumerate(after) if value > 0.75]
    assert flashes == []
