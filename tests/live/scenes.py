"""Small composed footage for live tests: a sign over a background, and whether it is seen."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from cleanplate.media.new_clip import write_clip
from cleanplate.types import Box
from tests.scene import sign, texture

WIDTH, HEIGHT, RATE = 192, 128, Fraction(25)
SIGN = sign()
Place = Callable[[int], tuple[int, int] | None]


def still(_: int) -> tuple[int, int] | None:
    """The sign does not move."""
    return 70, 50


def compose(
    count: int, place: Place = still, seed: Callable[[int], int] = lambda _: 0
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(images with the sign, images without), (H, W, 3) uint8 each.

    Args:
        count: frames.
        place: (x, y) of the sign in a frame; None: it is not there.
        seed: of the background in a frame; another one is a cut.
    """
    backgrounds: dict[int, np.ndarray] = {}
    images, truths = [], []
    for n in range(count):
        truth = backgrounds.setdefault(seed(n), texture(WIDTH, HEIGHT, seed(n)))
        image, where = truth.copy(), place(n)
        if where is not None:
            x, y = where
            image[y : y + SIGN.shape[0], x : x + SIGN.shape[1]] = SIGN
        images.append(image)
        truths.append(truth)
    return images, truths


def box_at(where: tuple[int, int] | None) -> Box:
    """The sign's box at a place."""
    assert where is not None
    return Box(where[0], where[1], where[0] + SIGN.shape[1], where[1] + SIGN.shape[0])


def write(path: Path, images: list[np.ndarray], sound: bool = False) -> Path:
    """Write images as a clip, all but without loss."""
    tone = None
    if sound:
        seconds = np.arange(int(len(images) / RATE * 48000)) / 48000
        tone = np.sin(2 * np.pi * 330 * seconds).astype(np.float32)[None] * 0.1
    write_clip(path, images, RATE, tone, crf=4)
    return path


def read(path: Path) -> list[np.ndarray]:
    """All pictures of a file, (H, W, 3) uint8 RGB."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def is_shown(image: np.ndarray, where: tuple[int, int] | None) -> bool:
    """Whether the sign can be seen at a place: the picture there is like it."""
    if where is None:
        return False
    there = image[box_at(where).slices].astype(float)
    return bool(np.abs(there - SIGN).mean() < 30)
