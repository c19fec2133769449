"""The ground of a shot without its objects, and how each frame sees it.

Frames of a shot are registered by homographies, and their median, objects left out, is the plate.
What does not move, a shadow too, is in the plate; what differs from the plate came with something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

BLACK = 8.0  # grey levels that are added to both sides of a ratio, which says nothing near black
SMOOTH = 1.5  # px of blur before pictures are compared
_LEAST_SEEN = 4  # samples that must show a place for the plate to know it
_LARGEST = 3.0  # areas of a frame that a plate may have
_HIDDEN = 256  # a value that no sample has
_FAR = 4  # px beyond an object from which on the light of a frame is measured
_EXPOSURE = (0.5, 2.0)  # within which a frame may be darker or lighter than the plate
_LEAST_LIT = 100  # px that must tell it


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """The ground of a shot, on a canvas that may be larger than its frames."""

    image: np.ndarray
    """(H, W, 3) float32 RGB."""
    known: np.ndarray
    """(H, W) uint8, 1 where enough frames show it."""
    place: np.ndarray
    """(3, 3) from the shot's first frame to the canvas."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A frame and the ground that it would show without objects."""

    frame: np.ndarray
    """(H, W, 3) float32 RGB."""
    ground: np.ndarray
    """(H, W, 3) float32 RGB, as light as the frame is on the whole."""
    known: np.ndarray
    """(H, W) bool: where the ground is known and no object stands."""
    mask: np.ndarray
    """(H, W) uint8, value = object id."""
    noise: float
    """Grey levels by which frame and ground usually differ where nothing is the matter."""

    def part(self, part: tuple[slice, slice]) -> Sight:
        """The same of a part of the picture."""
        return Sight(
            *(self.frame[part], self.ground[part], self.known[part], self.mask[part], self.noise)
        )


def plate_of(samples: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Plate:
    """The median of registered frames.

    Args:
        samples: image (H, W, 3) uint8, objects (H, W) bool, grown, and (3, 3) to the first frame.
    """
    height, width = samples[0][1].shape
    place, size = _canvas([way for _, _, way in samples], width, height)
    images = np.empty((len(samples), size[1], size[0], 3), np.int16)
    seen = np.zeros((size[1], size[0]), np.int16)
    for number, (image, covered, way) in enumerate(samples):
        free = cv2.warpPerspective((~covered).astype(np.uint8), place @ way, size)
        images[number] = cv2.warpPerspective(image, place @ way, size)
        images[number][free == 0] = _HIDDEN
        seen += free
    images.sort(axis=0)
    middle = (np.maximum(seen - 1, 0) // 2)[None, :, :, None].repeat(3, axis=3)
    low = np.take_along_axis(images, middle.astype(np.intp), axis=0)[0]
    upper = (seen // 2).clip(0, len(samples) - 1)[None, :, :, None].repeat(3, axis=3)
    high = np.take_along_axis(images, upper.astype(np.intp), axis=0)[0]
    known = seen >= min(_LEAST_SEEN, len(samples))
    image = np.where(known[..., None], (low + high) / 2, 0).astype(np.float32)
    return Plate(image, known.astype(np.uint8), place)


def _canvas(
    ways: Sequence[np.ndarray], width: int, height: int
) -> tuple[np.ndarray, tuple[int, int]]:
    """Where the first frame lies on a canvas that holds all frames, or much of them."""
    corners = np.array([[[0, 0]], [[width, 0]], [[width, height]], [[0, height]]], np.float64)
    reached = np.concatenate([cv2.perspectiveTransform(corners, way) for way in ways])[:, 0]
    low, high = np.floor(reached.min(axis=0)), np.ceil(reached.max(axis=0))
    if not np.prod(high - low) <= _LARGEST * width * height:
        low, high = np.zeros(2), np.array([width, height])
    place = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]], np.float64)
    return place, (int(high[0] - low[0]), int(high[1] - low[1]))


def sight_of(image: np.ndarray, mask: np.ndarray, plate: Plate, way: np.ndarray) -> Sight:
    """What a frame shows, beside what it would show.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8, value = object id, grown as it is filled.
        plate: of the shot.
        way: (3, 3) from the image to the shot's first frame.
    """
    size = (mask.shape[1], mask.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    ground = cv2.warpPerspective(plate.image, plate.place @ way, size, flags=flags)
    # A pixel that is mixed from known and unknown ones is not known.
    known = cv2.warpPerspective(plate.known * np.uint8(255), plate.place @ way, size, flags=flags)
    frame = image.astype(np.float32)
    seen = (known == 255) & (mask == 0)
    lit = seen & (cv2.dilate(mask, np.ones((2 * _FAR + 1,) * 2, np.uint8)) == 0)
    noise = 1.0
    if np.count_nonzero(lit) >= _LEAST_LIT:
        exposure = np.median((frame[lit] + BLACK) / (ground[lit] + BLACK), axis=0)
        ground = (ground + BLACK) * exposure.clip(*_EXPOSURE) - BLACK
        noise = max(1.0, float(np.median(np.abs(frame[lit] - ground[lit]))))
    return Sight(frame, ground.astype(np.float32), seen, mask, noise)
