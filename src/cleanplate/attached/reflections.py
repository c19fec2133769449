"""Reflections: ground or glass in which a frame shows the object a second time, mirrored.

Wet or polished ground shows itself mixed with the object upside down, J = (1 - a) G + a R; glass
beside it, with the object turned left to right. What a frame shows otherwise than the plate
is compared, for each place of the mirror, with what a mirror there would add, R - G: colour,
texture and outline must agree. What has no mirror image near by (a shadow, another object, water)
does not correlate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.masks import bounding_box
from cleanplate.attached.ground import SMOOTH, Sight
from cleanplate.types import Box

_SIDE = 32  # px of the object's longer side in the pictures that are compared
_SMALLEST = 8  # px of the object's shorter side in a frame
_SLACK = 0.3  # of the object's height: how far from its lowest point the ground's mirror may lie
_BESIDE = 1.5  # of the object's width: how far from it a glass may stand
_ROOM = 0.3  # of the object's size: around a mirror image nothing else may differ
_VISIBLE = 0.4  # share of the mirror image's place that must be seen and known
_ALIKE = 0.6  # correlation from which on it is a mirror image
_STRENGTH = (0.06, 1.0)  # a of what is taken
_DIFFERS = (5.0, 3.0)  # grey levels, and times the usual noise, by which it is seen
_CLOSE, _RIM = 7, 3  # px: gaps that are closed; what is taken beyond what is seen
_STRETCH = 0.12  # of the object's size: by which a mirror image is moved by waves and perspective


@dataclass(frozen=True, slots=True, eq=False)
class Mirrored:
    """A mirror image in one frame."""

    mask: np.ndarray
    """(H, W) bool."""
    alike: float
    """Correlation with the mirrored object, up to 1."""
    place: tuple[str, float]
    """Kind of mirror, and how far it lies from the object's edge, in sizes of the object."""


def mirrored(sight: Sight, object_id: int, shadow: np.ndarray) -> Mirrored | None:
    """The object's mirror image, if the frame shows one.

    Args:
        sight: the frame.
        object_id: whose.
        shadow: (H, W) bool: what looks like a shadow, and so tells no mirror; where there is a
            mirror image, its dark parts do, and are part of it.
    """
    box = bounding_box((sight.mask == object_id).astype(np.uint8))
    if box is None or min(box.width, box.height) < _SMALLEST:
        return None
    usable = sight.known & ~shadow
    limit = _DIFFERS[0] + _DIFFERS[1] * sight.noise
    change = cv2.GaussianBlur(sight.frame - sight.ground, (0, 0), SMOOTH)
    differs = (np.abs(change).max(axis=2) > limit) & sight.known
    if not (differs & usable).any():
        return None
    scale = min(1.0, _SIDE / max(box.width, box.height))
    small = _Small.of(sight, usable, object_id, scale)
    tried = [(*small.alike(flip, axis), flip, axis) for flip, axis in _axes(box, scale)]
    alike, strength, flip, axis = max(tried, default=(0.0, 0.0, "", 0.0))
    if alike < _ALIKE or not _STRENGTH[0] <= strength <= _STRENGTH[1]:
        return None
    size = box.height if flip == "below" else box.width
    edge = box.y1 if flip == "below" else (box.x1 if axis / scale > box.x0 else box.x0)
    region = _region(sight.mask == object_id, flip, axis / scale, differs, box)
    return Mirrored(region & (sight.mask == 0), alike, (flip, (axis / scale - edge) / size))


def _axes(box: Box, scale: float) -> Iterator[tuple[str, float]]:
    """Mirrors that may stand near ``box``, in px of the small picture, half a pixel apart."""
    low, high = box.y1 - _SLACK * box.height, box.y1 + _SLACK * box.height
    for axis in np.arange(low * scale, high * scale, 0.5).tolist():
        yield "below", axis
    away = _BESIDE * box.width
    for start, stop in ((box.x0 - away, box.x0), (box.x1, box.x1 + away)):
        for axis in np.arange(start * scale, stop * scale, 0.5).tolist():
            yield "beside", axis


@dataclass(frozen=True, slots=True, eq=False)
class _Small:
    """A frame at the size at which mirror images are looked for."""

    frame: np.ndarray
    ground: np.ndarray
    change: np.ndarray
    """(h, w, 3) frame minus ground, 0 where nothing is known."""
    usable: np.ndarray
    """(h, w) float32."""
    inside: np.ndarray
    """(h, w) float32: the object."""

    @classmethod
    def of(cls, sight: Sight, usable: np.ndarray, object_id: int, scale: float) -> _Small:
        def small(values: np.ndarray) -> np.ndarray:
            return cv2.resize(values, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

        free = small(usable.astype(np.float32))
        change = small((sight.frame - sight.ground) * usable[..., None])
        change /= np.maximum(free, 0.25)[..., None]
        inside = small((sight.mask == object_id).astype(np.float32))
        return cls(small(sight.frame), small(sight.ground), change, free, inside)

    def alike(self, flip: str, axis: float) -> tuple[float, float]:
        """Correlation of what is seen with what a mirror at ``axis`` would show, and a."""
        object_mirrored = _flipped(self.inside, flip, axis)
        box = bounding_box((object_mirrored > 0.5).astype(np.uint8))
        if box is None:
            return 0.0, 0.0
        across, down = round(_ROOM * box.width), round(_ROOM * box.height)
        height, width = self.inside.shape
        part = (
            slice(max(box.y0 - down, 0), min(box.y1 + down, height)),
            slice(max(box.x0 - across, 0), min(box.x1 + across, width)),
        )
        there = object_mirrored[part]
        weight = self.usable[part]
        if float((there * weight).sum()) < _VISIBLE * float(self.inside.sum()):
            return 0.0, 0.0
        expected = (_flipped(self.frame, flip, axis)[part] - self.ground[part]) * there[..., None]
        # Light that changed all over is no mirror image: what counts is what stands out.
        change, free = self.change[part], weight[..., None] / weight.sum()
        expected = expected - (free * expected).sum((0, 1))
        change = change - (free * change).sum((0, 1))
        both = float((free * expected * change).sum())
        power = float((free * expected**2).sum()) + 1e-6
        seen = float((free * change**2).sum()) + 1e-6
        return both / (power * seen) ** 0.5, both / power


def _flipped(values: np.ndarray, flip: str, axis: float) -> np.ndarray:
    """``values`` as a mirror at ``axis`` shows them; 0 where it shows nothing."""
    turn = np.array([[1, 0, 0], [0, -1, 2 * axis - 1]], np.float64)
    if flip == "beside":
        turn = np.array([[-1, 0, 2 * axis - 1], [0, 1, 0]], np.float64)
    return cv2.warpAffine(values, turn, (values.shape[1], values.shape[0]))


def _region(
    inside: np.ndarray, flip: str, axis: float, differs: np.ndarray, box: Box
) -> np.ndarray:
    """The pixels that show the mirror image at ``axis``."""
    there = _flipped(inside.astype(np.float32), flip, axis) > 0.5
    reach = max(2, round(_STRETCH * (box.width * box.height) ** 0.5))
    near = cv2.dilate(there.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)) > 0
    found = (differs & near).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((_CLOSE, _CLOSE), np.uint8))
    return cv2.dilate(found, np.ones((2 * _RIM + 1,) * 2, np.uint8)) > 0
