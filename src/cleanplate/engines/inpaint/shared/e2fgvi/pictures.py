"""What E2FGVI's networks see of a region, and how their fill comes back to its own resolution."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn import functional

GREY = 128
_MOST_STRETCH = 1.5  # of one side against the other; beyond it the region is mirrored to fit
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A frame as a network sees it."""

    image: np.ndarray
    """(h, w, 3) uint8 RGB; grey under the hole's own pixels."""
    hole: np.ndarray
    """(h, w) bool: what the network has to paint."""


def widened(hole: np.ndarray, by: int) -> np.ndarray:
    """``hole`` (H, W) bool with every pixel within city-block distance ``by``."""
    if by == 0 or not hole.any():
        return hole
    return cv2.dilate(hole.view(np.uint8), _CROSS, iterations=by).view(bool)


class AsItIs:
    """Each pixel of the region is one of the network's."""

    def __init__(self, dilation: int) -> None:
        self._dilation = dilation

    def take(self, image: np.ndarray, hole: np.ndarray) -> Picture:
        return Picture(image, widened(hole, self._dilation))

    def paste(self, image: np.ndarray, hole: np.ndarray, seen: Picture, fill: np.ndarray) -> None:
        """Write into ``image`` under ``hole`` what the network painted: ``fill``, like ``seen``."""
        image[hole] = fill[hole]


class Fitted:
    """The region is scaled to the one size of a network.

    Smaller sides, and one much shorter than the other, are mirrored first, so that nothing is
    enlarged and little distorted. A larger region is shrunk as the published procedure does it,
    so the fill of it, scaled back, is less sharp than its surroundings.
    """

    def __init__(self, width: int, height: int, size: tuple[int, int], dilation: int) -> None:
        self._size, self._dilation = size, dilation
        tall, wide = max(height, size[0]), max(width, size[1])
        down, across = tall / size[0], wide / size[1]
        tall = max(tall, round(across / _MOST_STRETCH * size[0]))
        wide = max(wide, round(down / _MOST_STRETCH * size[1]))
        self._padding = (0, tall - height), (0, wide - width)
        self._scaled = (tall, wide) != size

    def _mirrored(self, image: np.ndarray) -> np.ndarray:
        padding = (*self._padding, (0, 0))[: image.ndim]
        return np.pad(image, padding, "symmetric") if any(map(any, padding)) else image

    def take(self, image: np.ndarray, hole: np.ndarray) -> Picture:
        """What the network sees of ``image`` (H, W, 3) with its ``hole`` (H, W) bool."""
        image, hole = self._mirrored(image), self._mirrored(hole)
        if not self._scaled:
            return Picture(image, widened(hole, self._dilation))
        if hole.any():
            image = image.copy()
            image[hole] = GREY  # so that nothing of it bleeds into its surroundings
        shrunk = widened(nearest(hole, self._size), self._dilation)
        return Picture(resized(image, self._size), shrunk | _touched(hole, self._size))

    def paste(self, image: np.ndarray, hole: np.ndarray, seen: Picture, fill: np.ndarray) -> None:
        """Write into ``image`` under ``hole`` what the network painted: ``fill``, like ``seen``."""
        if self._scaled:
            whole = np.where(seen.hole[..., None], fill, seen.image)
            (_, below), (_, right) = self._padding
            size = image.shape[1] + right, image.shape[0] + below
            fill = cv2.resize(whole, size, interpolation=cv2.INTER_CUBIC)
        height, width = hole.shape
        image[hole] = fill[:height, :width][hole]


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``image`` (H, W, 3) uint8 scaled bicubically with antialiasing, as Pillow does it."""
    tensor = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
    scaled = functional.interpolate(tensor, size, mode="bicubic", antialias=True)
    return scaled[0].permute(1, 2, 0).numpy()


def nearest(hole: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``hole`` (H, W) bool scaled by taking, for each pixel, the one that its centre lies in."""
    # Summed up step by step, as Pillow does it: rounding decides where a centre is on an edge.
    rows, columns = (
        np.cumsum(np.r_[old / new / 2, np.full(new - 1, old / new)]).astype(int)
        for old, new in zip(hole.shape, size, strict=True)
    )
    return hole[rows[:, None], columns]


def _touched(hole: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The pixels of ``size`` that any pixel of ``hole`` lies in: thin lines stay."""
    found = np.zeros(size, bool)
    rows, columns = np.nonzero(hole)
    found[rows * size[0] // hole.shape[0], columns * size[1] // hole.shape[1]] = True
    return found
