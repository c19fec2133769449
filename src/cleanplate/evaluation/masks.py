"""Test masks made from a seed, the same on every machine.

Shapes are polygons of whole pixels: the random numbers are NumPy's PCG64, whose stream is fixed,
and every corner is rounded to a pixel before it is drawn, so that no machine's last digit matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Literal

import cv2
import numpy as np

Kind = Literal["stationary", "moving"]
KINDS: tuple[Kind, ...] = ("stationary", "moving")
_CORNERS = 48
_WAVES = 4
_PERIOD = 16  # frames of a stride


def hole_masks(
    kind: Kind, width: int, height: int, seed: int = 0, share: float = 0.05
) -> Iterator[np.ndarray]:
    """Endless masks, (H, W) uint8, 1 in the hole, 0 elsewhere.

    ``stationary``: one blob that stays in the middle of the picture: a circle whose radius is
    modulated by four waves. ``moving``: an upright figure (head, trunk, two arms, two legs that
    swing with a period of 16 frames) that walks 3 px a frame along and 1 px up or down, turned
    back at the picture's borders. At 432x240; other sizes in proportion to the picture's side.

    Args:
        share: how much of the picture the hole covers; a figure in stride a quarter more or less.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    area = share * width * height
    if kind == "stationary":
        blob = _blob(random, width, height, area)
        while True:
            yield blob.copy()
    yield from _walker(random, width, height, area)


def _blob(random: np.random.Generator, width: int, height: int, area: float) -> np.ndarray:
    angles = 2 * np.pi * np.arange(_CORNERS) / _CORNERS
    radii = np.ones(_CORNERS)
    for wave in range(2, 2 + _WAVES):
        size, phase = 0.35 * random.random() / wave, 2 * np.pi * random.random()
        radii += size * np.cos(wave * angles + phase)
    radii *= np.sqrt(area / (np.pi * np.mean(radii**2)))
    rim = np.stack([np.cos(angles) * radii, np.sin(angles) * radii], axis=1)
    return _drawn([rim + np.array([width / 2, height / 2])], width, height)


def _walker(
    random: np.random.Generator, width: int, height: int, area: float
) -> Iterator[np.ndarray]:
    turns = 2 * np.pi * np.arange(_PERIOD) / _PERIOD
    covered = [_drawn([p * 100 + 200 for p in _figure(turn)], 400, 400).sum() for turn in turns]
    unit = np.sqrt(area / np.mean(covered)) * 100  # px: the figure is about two units tall
    pace = np.array([3, 1]) * np.sqrt(width * height / (432 * 240))
    margin = unit * np.array([0.7, 1.15])
    room = np.maximum(np.array([width, height]) - 2 * margin, 1)
    start, turn = random.random(2) * room, 2 * np.pi * random.random()
    for frame in count():
        steps = start + frame * pace
        place = margin + room - np.abs(steps % (2 * room) - room)  # turned back at the borders
        figure = _figure(turn + 2 * np.pi * frame / _PERIOD)
        yield _drawn([part * unit + place for part in figure], width, height)


def _figure(phase: float) -> list[np.ndarray]:
    """Corners (n, 2) of head, trunk, arms and legs around (0, 0), about two units tall."""
    swing = np.sin(phase)
    angles = 2 * np.pi * np.arange(_CORNERS) / _CORNERS
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    parts = [circle * 0.21 + (0, -0.84), circle * (0.3, 0.47) + (0, -0.25)]
    for side in (-1, 1):
        hand, foot = (-0.5 * side * swing, 0.1), (0.4 * side * swing, 1.05)
        parts.append(_limb((0, -0.55), hand, 0.08))
        parts.append(_limb((0, 0.1), foot, 0.13))
    return parts


def _limb(start: tuple[float, float], end: tuple[float, float], radius: float) -> np.ndarray:
    along = np.subtract(end, start)
    across = np.array([-along[1], along[0]]) * radius / np.hypot(*along)
    return np.array([start + across, start - across, end - across, end + across])


def _drawn(parts: list[np.ndarray], width: int, height: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    for part in parts:
        cv2.fillPoly(mask, [np.rint(part).astype(np.int32)], 1)
    return mask
