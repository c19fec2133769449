"""What SiamMask does with numbers alone: crops, anchors, the choice of a cell, outlines.

Wang et al., CVPR 2019, as in the published tracker. Places are (x, y) in px of the frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from cleanplate.networks.siammask import EXEMPLAR, FINE, GRID, SEARCH, STRIDE

_RATIOS = (0.33, 0.5, 1.0, 2.0, 3.0)  # height to width of the anchors
_CONTEXT = 0.5  # of the sides' mean, added to each side
_LEAST_SIDE = 10.0  # px, of an object that is followed
_LEAST_AREA = 100.0  # px, of an outline that is believed
OUTSIDE = -1.0  # in a mask of probabilities: beyond what was looked at


@dataclass(frozen=True, slots=True)
class Tuning:
    """Hyper-parameters that were published with a set of weights."""

    threshold: float
    """Of a mask's probability."""
    penalty: float
    """How much a change of size or shape speaks against a box."""
    influence: float
    """How much the middle of the search region is preferred, 0..1."""
    rate: float
    """How fast the size follows, 0..1."""


TUNINGS = {
    "davis": Tuning(0.35, 0.04, 0.40, 1.0),
    "vot": Tuning(0.30, 0.04, 0.42, 0.25),
    "vot_ld": Tuning(0.15, 0.10, 0.41, 0.32),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is: the middle and the sides of its upright box."""

    x: float
    y: float
    width: float
    height: float

    def clamped(self, width: int, height: int) -> Place:
        """Inside a picture, as the published tracker has it after each frame."""
        return Place(
            min(max(self.x, 0), width),
            min(max(self.y, 0), height),
            min(max(self.width, _LEAST_SIDE), width),
            min(max(self.height, _LEAST_SIDE), height),
        )

    @property
    def corners(self) -> np.ndarray:
        """(4, 2) float32, clockwise from the top left."""
        x0, y0 = self.x - self.width / 2, self.y - self.height / 2
        x1, y1 = x0 + self.width, y0 + self.height
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)

    @property
    def extent(self) -> float:
        """Side of the square that shows the object with its context."""
        return float(_extent(self.width, self.height))


@dataclass(frozen=True, slots=True)
class Choice:
    """The best cell and anchor of one search region."""

    place: Place
    score: float
    """0..1, before any penalty."""
    row: int
    column: int


def place_of(mask: np.ndarray) -> Place:
    """The bounding rectangle of a mask (H, W) that is not empty."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return Place(x + width / 2, y + height / 2, width, height)


def crop(
    image: np.ndarray, x: float, y: float, side: int, size: int, fill: np.ndarray
) -> np.ndarray:
    """A square of ``side`` px around (x, y), resized to ``size``: (size, size, 3) uint8.

    ``fill`` (3,) is shown beyond the picture's border, cut off to whole levels.
    """
    height, width = image.shape[:2]
    left, top = round(x - (side + 1) / 2), round(y - (side + 1) / 2)
    x0, x1 = min(max(left, 0), width), min(max(left + side, 0), width)
    y0, y1 = min(max(top, 0), height), min(max(top + side, 0), height)
    if (x1 - x0, y1 - y0) == (side, side):
        square = image[y0:y1, x0:x1]
    else:
        square = np.empty((side, side, 3), np.uint8)
        square[...] = fill.astype(np.uint8)
        square[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    if side == size:
        return square
    return cv2.resize(square, (size, size), interpolation=cv2.INTER_LINEAR)


def exemplar_side(place: Place) -> int:
    return max(round(place.extent), 1)


def search_side(place: Place) -> int:
    scale = EXEMPLAR / place.extent
    return max(round(place.extent + 2 * ((SEARCH - EXEMPLAR) / 2) / scale), 1)


@cache
def anchors() -> np.ndarray:
    """(5, 25, 25, 4) float64: x, y, width, height in px of the crop, from its middle."""
    found = np.zeros((len(_RATIOS), GRID, GRID, 4))
    steps = (np.arange(GRID) - GRID // 2) * STRIDE
    found[..., 0], found[..., 1] = steps[None, None], steps[None, :, None]
    for number, ratio in enumerate(_RATIOS):
        width = int(math.sqrt(STRIDE * STRIDE / ratio))
        found[number, ..., 2:] = width * STRIDE, int(width * ratio) * STRIDE
    return found


@cache
def _window() -> np.ndarray:
    return np.outer(np.hanning(GRID), np.hanning(GRID))


def choose(
    scores: np.ndarray, offsets: np.ndarray, place: Place, tuning: Tuning, anywhere: bool = False
) -> Choice:
    """The cell and anchor that hold the object, and where it then is.

    Args:
        scores: (10, 25, 25) float32, see ``SiamMask.locate``.
        offsets: (20, 25, 25) float32.
        place: middle of the search region, and the object's size before.
        tuning: of the weights.
        anywhere: prefer no place in the region: the object is being searched for.
    """
    count = len(_RATIOS)
    score = 1 / (1 + np.exp(np.clip(scores[:count] - scores[count:], -80, 80).astype(np.float64)))
    anchor = anchors()
    dx, dy, dw, dh = offsets.reshape(4, count, GRID, GRID).astype(np.float64)
    width, height = np.exp(dw) * anchor[..., 2], np.exp(dh) * anchor[..., 3]
    scale = EXEMPLAR / place.extent
    size = _larger(_extent(width, height) / _extent(place.width * scale, place.height * scale))
    shape = _larger((place.width / place.height) / (width / height))
    penalty = np.exp(-(shape * size - 1) * tuning.penalty)
    influence = 0.0 if anywhere else tuning.influence
    preferred = penalty * score * (1 - influence) + _window() * influence
    best = np.unravel_index(int(preferred.argmax()), preferred.shape)
    rate = float(penalty[best] * score[best] * tuning.rate)
    return Choice(
        Place(
            place.x + float(dx[best] * anchor[best][2] + anchor[best][0]) / scale,
            place.y + float(dy[best] * anchor[best][3] + anchor[best][1]) / scale,
            place.width * (1 - rate) + float(width[best]) / scale * rate,
            place.height * (1 - rate) + float(height[best]) / scale * rate,
        ),
        float(score[best]),
        int(best[1]),
        int(best[2]),
    )


def _extent(width: np.ndarray | float, height: np.ndarray | float) -> np.ndarray:
    context = _CONTEXT * (np.asarray(width) + height)
    return np.sqrt((width + context) * (height + context))


def _larger(ratio: np.ndarray) -> np.ndarray:
    return np.maximum(ratio, 1 / ratio)


def spread(
    mask: np.ndarray, looked_at: Place, choice: Choice, height: int, width: int
) -> np.ndarray:
    """The outline of a cell put back into the frame.

    Args:
        mask: (63, 63) or (127, 127) float32 probabilities.
        looked_at: middle of the search region, and the size that it was cut for.
        choice: of the cell.

    Returns:
        (height, width) float32, ``OUTSIDE`` beyond the patch.
    """
    side = search_side(looked_at)
    unit = side / SEARCH
    left = looked_at.x - side / 2 + (choice.column - 4) * STRIDE * unit
    top = looked_at.y - side / 2 + (choice.row - 4) * STRIDE * unit
    pixel = FINE * unit / mask.shape[0]
    # The published tracker draws the picture together by a pixel on its way.
    across, down = (width - 1) / width, (height - 1) / height
    matrix = np.array([[across * pixel, 0, across * left], [0, down * pixel, down * top]])
    return cv2.warpAffine(
        mask,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=OUTSIDE,
    )


def rotated_box(mask: np.ndarray, place: Place) -> np.ndarray:
    """(4, 2) float32: the smallest rectangle around the largest outline of ``mask`` (H, W) bool.

    Where no outline covers 100 px, the corners of ``place``.
    """
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea, default=None)
    if largest is None or cv2.contourArea(largest) <= _LEAST_AREA:
        return place.corners
    return cv2.boxPoints(cv2.minAreaRect(largest))
