"""Whether shapes look like a line of text."""

from __future__ import annotations

import cv2
import numpy as np

_PIECES = 3  # letters at least
_LEAST_PIECE = 6  # px of a letter
_UNEVEN = 0.8  # of the usual width of a stroke: how far the middle half of widths may spread
_THICK = 0.45  # of a letter's height
_LINE = 0.25  # of a letter's height: how far a letter may stand off its baseline
_ON_LINES = 0.6  # share of the letters, by area, that stand on a baseline
_ALIKE = (0.4, 2.2)  # of the usual height: how high letters are
_COVERED = (0.06, 0.7)  # part of its box


def is_text(shapes: np.ndarray) -> bool:
    """Whether ``shapes`` ((H, W) bool, strokes filled) are letters on lines.

    Letters have strokes of even width, thin against their height; their heights are alike, and they
    stand on common baselines.
    """
    count, _, table, _ = cv2.connectedComponentsWithStats(shapes.astype(np.uint8), connectivity=8)
    stats: np.ndarray = np.asarray(table)
    pieces = stats[1:][stats[1:, cv2.CC_STAT_AREA] >= _LEAST_PIECE]
    if count < 2 or len(pieces) < _PIECES:
        return False
    rows, columns = np.flatnonzero(shapes.any(axis=1)), np.flatnonzero(shapes.any(axis=0))
    size = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    if not _COVERED[0] < np.count_nonzero(shapes) / size < _COVERED[1]:
        return False
    heights, areas = pieces[:, cv2.CC_STAT_HEIGHT], pieces[:, cv2.CC_STAT_AREA]
    height = float(np.median(np.repeat(heights, areas)))
    if height < 2 * _PIECES:
        return False
    widths = _strokes(shapes)
    low, usual, high = np.percentile(widths, (25, 50, 75))
    if high - low > max(_UNEVEN * usual, 1.5) or usual > _THICK * height:
        return False
    letter = (heights > _ALIKE[0] * height) & (heights < _ALIKE[1] * height)
    if np.count_nonzero(letter) < _PIECES or areas[letter].sum() < _ON_LINES * areas.sum():
        return False
    return _on_lines(pieces[letter], height) >= _ON_LINES


def _strokes(shapes: np.ndarray) -> np.ndarray:
    """The width of the strokes along their middle, in px."""
    padded = np.pad(shapes.astype(np.uint8), 1)
    inside = cv2.distanceTransform(padded, cv2.DIST_L2, 5)
    middle = (inside > 0) & (inside >= cv2.dilate(inside, np.ones((3, 3), np.uint8)))
    return 2 * inside[middle]


def _on_lines(letters: np.ndarray, height: float) -> float:
    """The share of the letters, by area, that stand on a line with others."""
    feet = letters[:, cv2.CC_STAT_TOP] + letters[:, cv2.CC_STAT_HEIGHT]
    areas = letters[:, cv2.CC_STAT_AREA].astype(float)
    near = np.abs(feet[:, None] - feet[None]) <= max(_LINE * height, 1)
    return float(areas[near.sum(axis=1) >= _PIECES].sum() / areas.sum())
