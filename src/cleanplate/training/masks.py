"""Holes for training, made from a seed: free-form shapes that stay or move, and walking figures.

The shapes and their motion are those that STTN, FuseFormer and E2FGVI train with: a closed path of
cubic curves through points on a ragged ring, in a box of a third of the picture's sides at least,
that stays in every other clip and else wanders. They are drawn by OpenCV and not by matplotlib, so
rims differ by a pixel from those of the published program.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np

from cleanplate.evaluation.masks import hole_masks

_RAGGED = (0.6, 0.7, 0.8)
_EDGES = (6, 7, 8)
_FINE = 24  # points drawn of each curve
_SHAKEN_SPEED, _SHAKEN_ANGLE = 1.5, 0.25  # standard deviations from frame to frame
_FIGURE = (0.03, 0.15)  # share of the picture that a figure covers


def holes(
    kind: str, width: int, height: int, count: int, random: np.random.Generator
) -> Iterator[np.ndarray]:
    """(height, width) uint8, 1 in the hole, ``count`` times.

    Args:
        kind: ``stationary``, ``moving`` or ``figure``, an upright figure that walks.
        width, height: px.
        count: frames.
        random: where all chance comes from.
    """
    if kind == "figure":
        figures = hole_masks(
            "moving", width, height, int(random.integers(2**31)), random.uniform(*_FIGURE)
        )
        yield from (mask for mask, _ in zip(figures, range(count), strict=False))
        return
    shape = _shape(
        int(random.integers(width // 3, width)), int(random.integers(height // 3, height)), random
    )
    room = np.array([height - shape.shape[0], width - shape.shape[1]])
    place = np.array([random.integers(0, room[0] + 1), random.integers(0, room[1] + 1)])
    speed, angle = random.uniform(1, 3), random.uniform(0, 2 * math.pi)
    for _ in range(count):
        mask = np.zeros((height, width), np.uint8)
        y, x = (int(side) for side in place)
        mask[y : y + shape.shape[0], x : x + shape.shape[1]] = shape
        yield mask
        if kind == "moving":
            place += np.array([int(speed * math.cos(angle)), int(speed * math.sin(angle))])
            speed += random.normal(0, _SHAKEN_SPEED)
            angle += random.normal(0, _SHAKEN_ANGLE)
            if (place < 0).any() or (place > room).any():
                speed, angle = abs(random.normal(0, _SHAKEN_SPEED)), random.uniform(0, 2 * math.pi)
                place = np.clip(place, 0, room)


def _shape(width: int, height: int, random: np.random.Generator) -> np.ndarray:
    """(h, w) uint8, cut to what it covers: at most ``width`` and ``height``, which are 5 at least
    in any picture of 16 px."""
    edges, ragged = int(random.choice(_EDGES)), float(random.choice(_RAGGED))
    angles = np.linspace(0, 2 * math.pi, 3 * edges + 1)
    radii = 2 * ragged * random.random(3 * edges + 1) + 1 - ragged
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
    points[-1] = points[0]
    t = np.linspace(0, 1, _FINE, endpoint=False)[:, None]
    path = np.concatenate(
        [
            (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
            for a, b, c, d in (points[i : i + 4] for i in range(0, 3 * edges, 3))
        ]
    )
    low, high = points.min(axis=0), points.max(axis=0)
    scaled = (path - 1.1 * low) / (1.1 * (high - low)) * np.array([width, height])
    drawn = np.zeros((height, width), np.uint8)
    cv2.fillPoly(drawn, [np.rint(scaled).astype(np.int32)], 1)
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    if not len(rows):
        return np.ones((1, 1), np.uint8)
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
