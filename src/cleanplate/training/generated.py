"""Clips without end, rendered from pictures: a camera path over layers, things that move, light,
noise and blur. What is behind everything is known, and every frame is made from the seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cleanplate.evaluation.datasets import IMAGES

_ROOM = 1.6  # of a sample's sides: how large the picture is that a camera moves over
_LAYERS = (0, 3)
_THINGS = (0, 3)


@dataclass(frozen=True, slots=True)
class _Sprite:
    """A piece of a picture before the background, with its way through the clip."""

    image: np.ndarray
    alpha: np.ndarray
    place: np.ndarray
    velocity: np.ndarray
    depth: float
    """How much more than the background it is shifted by the camera; 1 goes with it."""


def photographs(folder: str) -> list[Path]:
    """The pictures in ``folder``, by name; none for an empty text."""
    if not folder:
        return []
    return sorted(f for f in Path(folder).iterdir() if f.suffix.lower() in IMAGES)


def rendered(
    width: int, height: int, count: int, random: np.random.Generator, pictures: list[Path]
) -> np.ndarray:
    """(count, height, width, 3) uint8 RGB.

    Args:
        width, height: px.
        count: frames.
        random: where all chance comes from.
        pictures: image files to render from; textures are made where there are none.
    """
    wide, high = round(width * _ROOM), round(height * _ROOM)
    ground = _picture(wide, high, random, pictures)
    sprites = [
        _sprite(width, height, random, pictures, depth=random.uniform(1.1, 1.8), moves=False)
        for _ in range(random.integers(*_LAYERS))
    ]
    sprites += [
        _sprite(width, height, random, pictures, depth=1.0, moves=True)
        for _ in range(random.integers(*_THINGS))
    ]
    middle = np.array([wide, high]) / 2
    drift = random.uniform(-1.5, 1.5, 2) * width / 432
    sway = random.uniform(0, 3, 2) * width / 432
    phase, period = random.uniform(0, 2 * np.pi, 2), random.uniform(20, 60, 2)
    turn, zoom = random.uniform(-0.002, 0.002), random.uniform(-0.002, 0.002)
    light, beat = random.uniform(0, 0.06), random.uniform(10, 60)
    grain, blur = random.uniform(0, 3), random.uniform(0, 0.8)
    frames = np.empty((count, height, width, 3), np.uint8)
    for n in range(count):
        shift = drift * (n - count / 2) + sway * np.sin(phase + 2 * np.pi * n / period)
        limit = np.array([wide - width, high - height]) / 2 * 0.8
        shift = np.clip(shift, -limit, limit)
        move = cv2.getRotationMatrix2D(tuple(middle.tolist()), np.degrees(turn * n), 1 + zoom * n)
        move[:, 2] -= middle - np.array([width, height]) / 2 + shift
        frame = cv2.warpAffine(
            ground, move, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        ).astype(np.float32)
        for sprite in sprites:
            _paste(frame, sprite, sprite.place + sprite.velocity * n - sprite.depth * shift)
        frame *= 1 + light * np.sin(2 * np.pi * n / beat)
        if blur > 0.3:
            frame = cv2.GaussianBlur(frame, (0, 0), blur)
        frame += random.normal(0, grain, frame.shape).astype(np.float32)
        frames[n] = np.clip(np.rint(frame), 0, 255)
    return frames


def _picture(
    width: int, height: int, random: np.random.Generator, pictures: list[Path]
) -> np.ndarray:
    """(height, width, 3) float32: a part of a photograph, or a made texture."""
    if pictures:
        path = pictures[int(random.integers(len(pictures)))]
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is not None:
            scale = max(width / image.shape[1], height / image.shape[0]) * random.uniform(1, 1.5)
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            y = int(random.integers(max(image.shape[0] - height, 0) + 1))
            x = int(random.integers(max(image.shape[1] - width, 0) + 1))
            part = image[y : y + height, x : x + width, ::-1]
            return cv2.resize(part, (width, height)).astype(np.float32)
    image = np.full((height, width, 3), random.uniform(60, 190, 3), np.float32)
    cells = 2
    while cells < width:
        rows = max(2, round(cells * height / width))
        noise = random.normal(0, 90 / cells**0.6, (rows, cells, 3)).astype(np.float32)
        image += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        cells *= 2
    for _ in range(int(random.integers(3, 12))):  # straight edges: walls, windows, horizons
        corners = (random.uniform(-0.2, 1.2, (4, 2)) * [width, height]).astype(np.int32)
        colour = tuple(float(level) for level in random.uniform(0, 255, 3))
        hull = cv2.convexHull(corners)
        over = image.copy()
        cv2.fillPoly(over, [hull], colour)
        image += (over - image) * random.uniform(0.2, 0.9)
    return image


def _sprite(
    width: int,
    height: int,
    random: np.random.Generator,
    pictures: list[Path],
    depth: float,
    moves: bool,
) -> _Sprite:
    w, h = (max(int(side * random.uniform(0.1, 0.4)), 4) for side in (width, height))
    alpha = np.zeros((h, w), np.float32)
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    radii = random.uniform(0.6, 1, 12)
    rim = np.stack([np.cos(angles) * radii, np.sin(angles) * radii], axis=1)
    cv2.fillPoly(alpha, [np.rint((rim + 1) / 2 * [w, h]).astype(np.int32)], 1.0)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 0.7)
    velocity = random.uniform(-4, 4, 2) * width / 432 if moves else np.zeros(2)
    place = random.uniform(0, 1, 2) * [width - w, height - h]
    return _Sprite(_picture(w, h, random, pictures), alpha[..., None], place, velocity, depth)


def _paste(frame: np.ndarray, sprite: _Sprite, place: np.ndarray) -> None:
    """Lay ``sprite`` over ``frame`` (H, W, 3), to a part of a pixel."""
    h, w = sprite.alpha.shape[:2]
    x, y = np.floor(place).astype(int)
    part = place - [x, y]
    move = np.array([[1, 0, part[0]], [0, 1, part[1]]], np.float32)
    image = cv2.warpAffine(sprite.image, move, (w + 1, h + 1), borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(sprite.alpha, move, (w + 1, h + 1))[..., None]
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + w + 1, frame.shape[1]), min(y + h + 1, frame.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    inside = slice(y0 - y, y1 - y), slice(x0 - x, x1 - x)
    seen = frame[y0:y1, x0:x1]
    seen += alpha[inside] * (image[inside] - seen)
