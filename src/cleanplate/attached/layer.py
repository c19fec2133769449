"""A shadow as a multiplicative layer: what is below it is in the picture, only darker.

A frame shows J = s G of the ground G. Around each pixel s is the least-squares slope of J over G:
far from edges from many pixels, so that noise and texture stay in the picture; where the shadow
begins, from few. Divided by s, the frame shows the ground with all the detail that it recorded.
Where s cannot be told well enough the layer is doubtful, and an inpainter fills.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.masks import bounding_box
from cleanplate.attached.ground import Sight

_WIDE, _NARROW = 3.0, 1.0  # px: sigma of the window that s is told from, inside and at edges
_STEADY, _STEEP = 0.012, 0.036  # difference of both from which on the narrow one is taken, in part
FADE = 24  # px beyond a shadow's mask in which its penumbra ends
_LOST = 0.22  # what is darker shows too little of the ground
_EDGE = 0.1  # change of s in a px that no enlargement keeps in its place
_OFF = (6.0, 3.0)  # grey levels, and times the usual noise, by which a freed pixel may be wrong
_WHITE = 250.0  # ground as light as this was lighter than white
_FAINT = 1.0  # squared grey levels: of blacker ground nothing is told, and nothing changed
_SPECK = 3  # px: places with a wrong value that are smaller are taken for noise
_TOLD = 0.7  # share from which on it is steady enough to be corrected
_UNTOLD = 0.05  # share of what is around that must tell a layer


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What the light was multiplied by."""

    shade: np.ndarray
    """(H, W, 3) float32 in 0..1; 1 where nothing is darkened."""
    doubtful: np.ndarray
    """(H, W) bool, within the shadow: what is better filled."""


def layer_of(sight: Sight, shadow: np.ndarray) -> Layer:
    """The layer that darkens ``shadow``, (H, W) bool, with the penumbra around it."""
    shade, doubtful = np.ones(sight.frame.shape, np.float32), np.zeros_like(shadow)
    box = bounding_box(shadow.astype(np.uint8))
    if box is not None:
        room = FADE + round(3 * _WIDE)
        height, width = shadow.shape
        part = (
            slice(max(box.y0 - room, 0), min(box.y1 + room, height)),
            slice(max(box.x0 - room, 0), min(box.x1 + room, width)),
        )
        shade[part], doubtful[part] = _within(sight.part(part), shadow[part])
    return Layer(shade, doubtful)


def _within(sight: Sight, shadow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    usable = sight.known.astype(np.float32)
    wide, trust = _slope(sight, usable, _WIDE)
    narrow, _ = _slope(sight, usable, _NARROW)
    steep = (np.abs(narrow - wide).max(axis=2) - _STEADY) / (_STEEP - _STEADY)
    steep = cv2.GaussianBlur(steep.clip(0, 1), (0, 0), _NARROW)[..., None]
    shade = (wide + steep * (narrow - wide)).clip(_LOST / 2, 1)
    doubtful = (_is_wrong(sight, shade) | (trust < _UNTOLD)).astype(np.uint8)
    doubtful = (cv2.dilate(doubtful, np.ones((3, 3), np.uint8)) > 0) & shadow
    inside = 1 - shadow.astype(np.uint8)
    away = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    weight = (1 - away / FADE).clip(0, 1)
    weight[trust < _UNTOLD] = 0
    return (1 - weight[..., None] * (1 - shade)).astype(np.float32), doubtful


def _slope(sight: Sight, usable: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """J over G around each pixel, (H, W, 3), and how much of what is around tells it, (H, W)."""
    weighted = usable[..., None] * sight.ground
    both = cv2.GaussianBlur(weighted * sight.frame, (0, 0), sigma)
    power = cv2.GaussianBlur(weighted * sight.ground, (0, 0), sigma)
    trust = cv2.GaussianBlur(usable, (0, 0), _WIDE)
    slope = (both + _FAINT) / (power + _FAINT)
    # Twicing (Tukey): a window flattens what is curved; what it takes once more is given back.
    free = cv2.GaussianBlur(usable, (0, 0), sigma)[..., None]
    again = cv2.GaussianBlur(usable[..., None] * slope, (0, 0), sigma) / np.maximum(free, 1e-3)
    return np.where(free > _TOLD, 2 * slope - again, slope), trust


def _is_wrong(sight: Sight, shade: np.ndarray) -> np.ndarray:
    freed = sight.frame / shade
    off = np.abs(cv2.GaussianBlur(freed - sight.ground, (0, 0), 1.0)).mean(axis=2)
    wrong = ((off > _OFF[0] + _OFF[1] * sight.noise) & sight.known).astype(np.uint8)
    wrong = cv2.morphologyEx(wrong, cv2.MORPH_OPEN, np.ones((_SPECK, _SPECK), np.uint8))
    mean = shade.mean(axis=2)
    change = np.hypot(cv2.Sobel(mean, cv2.CV_32F, 1, 0), cv2.Sobel(mean, cv2.CV_32F, 0, 1)) / 8
    return (
        (wrong > 0)
        | (change > _EDGE)
        | (mean < _LOST)
        | (sight.ground.max(axis=2) > _WHITE)
        | (~sight.known & (sight.mask == 0))
    )
