"""Where objects go in a picture of another shape: at their own proportions, on their own ground.

An object's place between both sides of the picture, 0 at the left one and 1 at the right one, stays
what it was; so does its place between top and bottom. What touches a side of the picture, and may
be cut off there, touches it in the new one. (Retargeting after Kim et al., "Deep Video Inpainting",
CVPR 2019, section 5: the object is taken out, the background resized, the object put back.)
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from cleanplate.arrays.masks import widened
from cleanplate.arrays.regions import NONE
from cleanplate.media.paste import Placement
from cleanplate.types import Box

_SMOOTH = 0.4  # s: a swinging arm does not move its owner
_TOUCHES = 1  # px from a side of the picture
_MOST = 0.9  # of the new picture that an object may fill
_SOFT = 2  # px inwards over which an object's edge fades


def placements(
    boxes: np.ndarray, shots: np.ndarray, size: tuple[int, int], new: tuple[int, int],
    zoom: float, rate: float,
) -> dict[int, Placement]:  # fmt: skip
    """Where one object goes in each frame that it is in.

    Args:
        boxes: (N, 4) of the object in the old picture, ``NONE`` where it is not.
        shots: (N,) shot number of each frame.
        size: (width, height) of the old picture.
        new: (width, height) of the new one.
        zoom: px of the new picture to one of the old, where nothing has to be made smaller.
        rate: frames a second.
    """
    made: dict[int, Placement] = {}
    there = boxes[:, 0] != NONE
    for stretch in _stretches(there, shots):
        inside = boxes[stretch].astype(float)
        largest = (inside[:, 2:] - inside[:, :2]).max(axis=0)
        scale = min(zoom, *(_MOST * np.array(new) / largest))
        shifts = [
            _shifts(inside[:, axis], inside[:, axis + 2], size[axis], new[axis], scale, rate)
            for axis in (0, 1)
        ]
        for frame, dx, dy in zip(stretch.tolist(), *shifts, strict=True):
            made[frame] = Placement(float(scale), float(dx), float(dy))
    return made


def _stretches(there: np.ndarray, shots: np.ndarray) -> Iterator[np.ndarray]:
    """The frames of each shot in which an object is."""
    for shot in np.unique(shots):
        frames = np.flatnonzero(there & (shots == shot))
        if len(frames):
            yield frames


def _shifts(
    lows: np.ndarray, highs: np.ndarray, room: int, new: int, scale: float, rate: float
) -> np.ndarray:
    """px by which the object, scaled about 0, is moved along one coordinate in each frame."""
    low, high = (_smoothed(ends, _SMOOTH * rate) for ends in (lows, highs))
    free = np.maximum(room - (high - low), 1e-6)
    share = np.where(free > 1, np.clip(low / free, 0, 1), 0.5)
    shifts = share * (new - scale * (high - low)) - scale * low
    first, last = lows <= _TOUCHES, highs >= room - _TOUCHES
    if (scale * (highs - lows) <= new).all():
        shifts = np.clip(shifts, -scale * lows, new - scale * highs)
    # At a side of the picture what may be cut off there stays cut off there.
    shifts = np.where(first & ~last, np.minimum(shifts, -scale * lows), shifts)
    return np.where(last & ~first, np.maximum(shifts, new - scale * highs), shifts)


def _smoothed(values: np.ndarray, sigma: float) -> np.ndarray:
    reach = max(1, round(3 * sigma))
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * max(sigma, 0.1) ** 2))
    # Odd reflection: what moves evenly at the ends goes on moving evenly.
    padded = np.pad(values, reach, mode="reflect", reflect_type="odd")
    return np.convolve(padded, kernel / kernel.sum(), "valid")


def matte(mask: np.ndarray, object_id: int, box: Box) -> tuple[np.ndarray, Box]:
    """How much of each pixel is the object's, (h, w) float32 0 to 1, and the box that it is of.

    It fades inwards from the rim, so that nothing of the old background comes along; not at the
    sides of the picture.
    """
    height, width = mask.shape
    wide = widened(box, 1, width, height)
    own = np.asarray(mask[wide.slices] == object_id, np.uint8)
    # What leaves the picture is not faded where it leaves.
    sides = (wide.y0 == 0, wide.y1 == height, wide.x0 == 0, wide.x1 == width)
    up, down, left, right = (_SOFT + 1 if side else 0 for side in sides)
    padded = cv2.copyMakeBorder(own, up, down, left, right, cv2.BORDER_REPLICATE)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)
    inner = depth[up : up + wide.height, left : left + wide.width]
    return np.clip((inner - 0.5) / _SOFT, 0, 1).astype(np.float32), wide
