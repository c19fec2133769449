"""Small clips for batches: noise that pans under a mark that stays."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from cleanplate.media.new_clip import write_clip
from tests.scene import texture

WIDTH, HEIGHT = 64, 48
BOX = (8, 8, 24, 20)
_DRAWN = np.zeros((180, 320), np.uint8)
cv2.putText(_DRAWN, "LOGO", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 255, 2, cv2.LINE_AA)
LETTERS = _DRAWN.astype(np.float32)[..., None] / 255


def write_marked(path: Path, count: int, seed: int = 0) -> Path:
    """A clip of ``count`` frames, 64x48, with a white box in the top left corner."""
    random = np.random.default_rng(seed)
    wide = cv2.resize(random.integers(0, 255, (12, 60, 3), np.uint8), (WIDTH * 5, HEIGHT))

    def images():
        for index in range(count):
            x = round((np.sin(index / 40) + 1) / 2 * (WIDTH * 4 - 1))
            image = wide[:, x : x + WIDTH].copy()
            image[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 250
            yield image

    path.parent.mkdir(parents=True, exist_ok=True)
    write_clip(path, images(), Fraction(25), crf=20)
    return path


def write_scene(path: Path, logo: bool, count: int = 90) -> Path:
    """A pan with a cut in its middle, 320x180, perhaps with a logo over all of it."""
    shots = [texture(320 + count * 6, 180, seed) for seed in (2, 9)]

    def images():
        for n in range(count):
            image = shots[2 * n // count][:, n * 6 : n * 6 + 320].astype(np.float32)
            image += logo * 0.8 * LETTERS * (250 - image)
            yield np.rint(image).astype(np.uint8)

    path.parent.mkdir(parents=True, exist_ok=True)
    write_clip(path, images(), Fraction(25), crf=14)
    return path
