"""Small made-up clips for tests: a textured background that pans, a sign that moves over it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from cleanplate.media.new_clip import write_clip
from cleanplate.types import Box

WIDTH, HEIGHT = 192, 128
RATE = Fraction(30000, 1001)


def texture(width: int, height: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8: smooth colours with detail at several sizes."""
    generator = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for size, strength in ((4, 60), (12, 40), (40, 20)):
        noise = generator.normal(0, strength, (size, size * 2, 3)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture + 128, 0, 255).astype(np.uint8)


def sign() -> np.ndarray:
    """(28, 44, 3) uint8: a sign with enough on it to hold on to."""
    picture = np.full((28, 44, 3), 240, np.uint8)
    cv2.rectangle(picture, (0, 0), (43, 27), (20, 20, 120), 2)
    cv2.putText(picture, "ABC", (5, 20), cv2.FONT_HERSHEY_DUPLEX, 0.55, (160, 20, 20), 1)
    return picture


def sign_box(index: int) -> Box:
    """Where the sign is in frame ``index``: to and fro, so that it never leaves the picture."""
    x = 40 + round(40 * np.sin(index / 12))
    y = 50 + round(10 * np.cos(index / 9))
    return Box(x, y, x + 44, y + 28)


def frames(count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(image with the sign, truth without it), (H, W, 3) uint8 RGB, ``count`` times."""
    wide, painted = texture(WIDTH + 120, HEIGHT + 20), sign()
    for index in range(count):
        x, y = 60 + round(50 * np.sin(index / 30)), 10 + round(6 * np.sin(index / 17))
        truth = wide[y : y + HEIGHT, x : x + WIDTH].copy()
        image = truth.copy()
        image[sign_box(index).slices] = painted
        yield image, truth


def write_scene(path: Path, count: int, sound: bool = True) -> Path:
    """Write the scene as a clip."""
    tone = None
    if sound:
        seconds = np.arange(int(count / RATE * 48000)) / 48000
        tone = np.sin(2 * np.pi * 330 * seconds).astype(np.float32)[None] * 0.1
    write_clip(path, (image for image, _ in frames(count)), RATE, tone, crf=12)
    return path


def sign_masks(count: int) -> np.ndarray:
    """(count, H, W) uint8: the sign's pixels."""
    masks = np.zeros((count, HEIGHT, WIDTH), np.uint8)
    for index in range(count):
        masks[index][sign_box(index).slices] = 1
    return masks
