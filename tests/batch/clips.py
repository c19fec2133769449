"""Small clips for batches: noise that pans under a mark that stays."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from cleanplate.media.new_clip import write_clip

WIDTH, HEIGHT = 64, 48
BOX = (8, 8, 24, 20)


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
