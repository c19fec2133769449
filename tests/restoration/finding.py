"""Clips made from arrays, and what restoration proposes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from cleanplate.media.read import open_clip
from cleanplate.media.survey import Span, survey
from cleanplate.progress import Progress
from cleanplate.restoration.detect import Found, detect
from cleanplate.settings.restoration import RestorationSettings
from tests.scene import texture

WIDTH, HEIGHT = 320, 240


def panned(count: int, step: float = 1.5, seed: int = 0) -> list[np.ndarray]:
    """``count`` pictures of a textured scene that a camera pans over, ``step`` px a frame."""
    wide = texture(WIDTH + round(count * abs(step)) + 2, HEIGHT, seed).astype(np.float32)
    wide += cv2.GaussianBlur(
        np.random.default_rng(seed).normal(0, 30, wide.shape).astype(np.float32), (0, 0), 2
    )
    pictures = []
    for index in range(count):
        move = np.array([[1, 0, -index * step], [0, 1, 0]], np.float32)
        picture = cv2.warpAffine(np.clip(wide, 0, 255), move, (WIDTH, HEIGHT))
        pictures.append(picture.astype(np.uint8))
    return pictures


def write_pictures(folder: Path, images: Sequence[np.ndarray]) -> Path:
    """A folder of PNGs, which loses nothing."""
    folder.mkdir(parents=True)
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"{index:05d}.png"), np.ascontiguousarray(image[..., ::-1]))
    return folder


def found_in(folder: Path, images: Sequence[np.ndarray]) -> Found:
    """What is proposed by default; ``folder`` holds what is needed."""
    frames = write_pictures(folder / "frames", images)
    pieces = folder / "pieces"
    pieces.mkdir()
    with open_clip(frames) as clip:
        surveyed = survey(clip)
        span = Span(0, surveyed.count, surveyed.shots)
        return detect(clip, surveyed, span, RestorationSettings(), pieces, Progress())


def masks_of(found: Found) -> list[np.ndarray]:
    """The masks, copied."""
    return [mask.copy() for mask in found.masks.read(0)]
