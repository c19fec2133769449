"""The one conversion between a source's samples and RGB, the same matrix both ways.

Chroma is repeated over its block on the way to RGB and averaged over it on the way back, so that
a picture that nobody changed returns to the samples it came from, within rounding.
Matrices: ITU-R BT.601, BT.709, BT.2020 (non-constant luminance), SMPTE 240M, FCC, YCgCo; ranges:
ITU-T H.273, section 8.3.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

# Weights of red and blue in luma, by matrix code of ITU-T H.273.
_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
UNSAID = 2
YCGCO = 8
_HD_HEIGHT = 720  # untagged pictures from here on are BT.709, below BT.601, as players take them


def effective_matrix(matrix: int, height: int) -> int:
    """The matrix to convert with where the file says ``matrix``; a guess by size if unsaid."""
    if matrix in _WEIGHTS or matrix == YCGCO:
        return matrix
    if matrix == UNSAID or matrix == 0:
        return 1 if height >= _HD_HEIGHT else 6
    return 9  # the rest (ICtCp, chromaticity-derived) belong to wide-gamut pictures


@cache
def from_rgb(matrix: int, bits: int, full_range: bool) -> np.ndarray:
    """(3, 4) float64: RGB in 0..255, 1 -> Y, Cb, Cr in code values of ``bits``."""
    if matrix == YCGCO:
        rows = np.array([[0.25, 0.5, 0.25], [-0.25, 0.5, -0.25], [0.5, 0.0, -0.5]])
    else:
        kr, kb = _WEIGHTS[matrix]
        luma = np.array([kr, 1 - kr - kb, kb])
        blue = (np.array([0.0, 0.0, 1.0]) - luma) / (2 * (1 - kb))
        red = (np.array([1.0, 0.0, 0.0]) - luma) / (2 * (1 - kr))
        rows = np.stack([luma, blue, red])
    y_span, c_span, y_zero = _span(bits, full_range)
    scale = np.array([y_span, c_span, c_span]) / 255
    offset = np.array([y_zero, 1 << (bits - 1), 1 << (bits - 1)], np.float64)
    return np.hstack([rows * scale[:, None], offset[:, None]])


@cache
def to_rgb(matrix: int, bits: int, full_range: bool) -> np.ndarray:
    """(3, 4) float64: the inverse of ``from_rgb``."""
    forward = from_rgb(matrix, bits, full_range)
    back = np.linalg.inv(forward[:, :3])
    return np.hstack([back, -back @ forward[:, 3:]])


def _span(bits: int, full_range: bool) -> tuple[float, float, float]:
    if full_range:
        return (1 << bits) - 1, (1 << bits) - 1, 0
    unit = 1 << (bits - 8)
    return 219 * unit, 224 * unit, 16 * unit


@cache
def gray_scale(bits: int, full_range: bool) -> tuple[float, float]:
    """(scale, offset): a grey code value times scale plus offset is 0..255."""
    span, _, zero = _span(bits, full_range)
    return 255 / span, -zero * 255 / span


def apply_matrix(samples: np.ndarray, matrix: np.ndarray, depth: int) -> np.ndarray:
    """``samples`` (H, W, 3) uint8 or uint16 as RGB of ``depth`` bits, 8 or 16, by ``to_rgb``."""
    if depth == 16:
        return cv2.transform(samples.astype(np.uint16), matrix * 257)
    mapped = cv2.transform(samples, matrix)
    return mapped if mapped.dtype == np.uint8 else np.minimum(mapped, 255).astype(np.uint8)
