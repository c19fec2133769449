"""A picture cut into about a thousand small patches of one colour each, and how they touch.

The patches are SLIC superpixels (Achanta et al., 2012), written for NumPy: each pixel looks at the
nine nearest seeds only.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

COMPACTNESS = 12.0
ROUNDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Superpixels:
    """Patches 0..n-1 of a picture and the pairs of them that touch."""

    labels: np.ndarray
    """(H, W) int32, the patch of each pixel."""
    colours: np.ndarray
    """(n, 3) float32 mean CIE Lab, L in 0..100."""
    centres: np.ndarray
    """(n, 2) float32 (x, y) px."""
    areas: np.ndarray
    """(n,) float32 px."""
    pairs: np.ndarray
    """(m, 2) int32, patches that touch, each pair once."""
    lengths: np.ndarray
    """(m,) float32 px, of the common border."""
    edges: np.ndarray
    """(m,) float32 mean gradient of Lab along the common border, in Lab units a px."""

    @property
    def count(self) -> int:
        return len(self.areas)


def cut(lab: np.ndarray, count: int) -> Superpixels:
    """About ``count`` superpixels of ``lab`` ((H, W, 3) float32 CIE Lab)."""
    labels = _slic(lab, count)
    areas = np.bincount(labels.ravel()).astype(np.float32)
    y, x = np.mgrid[: lab.shape[0], : lab.shape[1]]
    centres = np.stack([_mean(labels, v, areas) for v in (x, y)], axis=1)
    colours = np.stack([_mean(labels, lab[..., c], areas) for c in range(3)], axis=1)
    pairs, lengths, edges = _touching(labels, lab)
    return Superpixels(labels, colours, centres, areas, pairs, lengths, edges)


def _slic(lab: np.ndarray, count: int) -> np.ndarray:
    height, width = lab.shape[:2]
    spacing = max(1.0, np.sqrt(height * width / count))
    rows, columns = max(1, round(height / spacing)), max(1, round(width / spacing))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    row = np.minimum((y * rows / height).astype(np.int32), rows - 1)
    column = np.minimum((x * columns / width).astype(np.int32), columns - 1)
    pull = np.float32(COMPACTNESS / spacing)
    values = np.concatenate([lab, x[..., None] * pull, y[..., None] * pull], axis=2)
    labels = row * columns + column
    for _ in range(ROUNDS):
        areas = np.maximum(np.bincount(labels.ravel(), minlength=rows * columns), 1)
        seeds = np.stack(
            [
                np.bincount(labels.ravel(), values[..., c].ravel(), rows * columns) / areas
                for c in range(5)
            ],
            axis=1,
        ).astype(np.float32)
        nearest = np.full((height, width), np.inf, np.float32)
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                near_row = np.clip(row + down, 0, rows - 1)
                seed = near_row * columns + np.clip(column + right, 0, columns - 1)
                distance = ((values - seeds[seed]) ** 2).sum(axis=2)
                closer = distance < nearest
                labels = np.where(closer, seed, labels)
                nearest = np.minimum(distance, nearest)
    used, packed = np.unique(labels, return_inverse=True)
    del used
    return packed.reshape(height, width).astype(np.int32)


def _mean(labels: np.ndarray, values: np.ndarray, areas: np.ndarray) -> np.ndarray:
    return (np.bincount(labels.ravel(), values.ravel()) / areas).astype(np.float32)


def _touching(labels: np.ndarray, lab: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    steepness = gradient(lab)
    ones, others, slopes = [], [], []
    for first, second in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        a, b = labels[first], labels[second]
        differs = a != b
        ones.append(np.minimum(a, b)[differs])
        others.append(np.maximum(a, b)[differs])
        slopes.append(np.maximum(steepness[first], steepness[second])[differs])
    a, b = np.concatenate(ones), np.concatenate(others)
    key, inverse = np.unique(a.astype(np.int64) * labels.size + b, return_inverse=True)
    lengths = np.bincount(inverse, minlength=len(key)).astype(np.float32)
    summed = np.bincount(inverse, np.concatenate(slopes), len(key))
    pairs = np.stack(np.divmod(key, labels.size), axis=1).astype(np.int32)
    return pairs, lengths, (summed / np.maximum(lengths, 1)).astype(np.float32)


def gradient(lab: np.ndarray) -> np.ndarray:
    """(H, W) float32: how fast the colour changes, in Lab units a px."""
    x = cv2.Sobel(lab, cv2.CV_32F, 1, 0, scale=1 / 8)
    y = cv2.Sobel(lab, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.sqrt((x * x + y * y).sum(axis=2))
