"""Makes pixels lighter or darker in the source's own samples, at its own depth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.masks import bounding_box
from cleanplate.errors import InputError
from cleanplate.media.colour import UNSAID, effective_matrix, from_rgb, gray_scale
from cleanplate.media.composite import cover
from cleanplate.media.layout import component_views
from cleanplate.media.picture import Palette, Picture, check_inside, fine_rgb
from cleanplate.types import Box


@dataclass(frozen=True, slots=True, eq=False)
class Relight:
    """How the light of a picture is to be changed."""

    gain: np.ndarray
    """(h, w, 3) float32 of any size, stretched over the picture; (1, 1, 3) is the same all over."""
    offset: np.ndarray | None = None
    """(3,) float32, grey levels that are added all over."""

    def of(self, picture: Picture) -> Picture:
        """``picture`` in that light."""
        if self.gain.shape[:2] == (1, 1):
            whole = Box(0, 0, picture.width, picture.height)
            gain = np.broadcast_to(self.gain, (picture.height, picture.width, 3))
            return relight(picture, gain, whole, self.offset)
        box = self._box(picture.width, picture.height)
        if box is None and self.offset is None:
            return picture
        if box is None or self.offset is not None:
            box = Box(0, 0, picture.width, picture.height)
        size = (picture.width, picture.height)
        gain = cv2.resize(self.gain, size, interpolation=cv2.INTER_LINEAR)
        return relight(picture, gain[box.slices], box, self.offset)

    def _box(self, width: int, height: int) -> Box | None:
        """Where a picture of that size is multiplied by anything but 1."""
        small = bounding_box(np.any(self.gain != 1, axis=2).astype(np.uint8))
        if small is None:
            return None
        x, y = width / self.gain.shape[1], height / self.gain.shape[0]
        # A pixel more each way: between two samples a gain is neither.
        return Box(
            max(int((small.x0 - 1) * x), 0),
            max(int((small.y0 - 1) * y), 0),
            min(int((small.x1 + 1) * x) + 1, width),
            min(int((small.y1 + 1) * y) + 1, height),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """How the light of each frame of a clip is to be changed."""

    read: Callable[[int], Iterator[Relight | None]]
    """``read(start)`` gives the change of each frame from ``start`` on; None for none."""
    key: str
    """Tells it from others: equal keys, equal changes."""


def relight(
    picture: Picture, gain: np.ndarray, box: Box, offset: np.ndarray | None = None
) -> Picture:
    """``picture`` with ``box`` of it multiplied by ``gain``; ``picture`` itself is unchanged.

    Samples all of whose pixels have a gain of 1, without an offset, and every alpha plane, are the
    decoder's. What would be lighter than white is white, and what would be darker than black black.
    A chroma sample changes by the mean over its pixels.

    Args:
        picture: of any pixel format.
        gain: (h, w, 3) float32, for red, green and blue as they are coded (not linear light).
        box: in px of the upright picture, of the size of ``gain``.
        offset: (3,) float32, grey levels that are added after that.

    Raises:
        InputError: the box reaches out of the picture or is not of the gain's size.
    """
    check_inside(box, picture.width, picture.height)
    if gain.shape != (box.height, box.width, 3):
        raise InputError(
            f"A gain for a box of {box.width}x{box.height} has the shape {gain.shape}; "
            f"expected {(box.height, box.width, 3)}."
        )
    palette = picture.palette
    stored = palette.orientation.stored_box(box, picture.width, picture.height)
    factor = np.ascontiguousarray(palette.orientation.stored(gain), np.float32)
    image = fine_rgb(picture, stored)
    lit = image * factor if offset is None else image * factor + offset.astype(np.float32)
    change = _code_steps(np.clip(lit, 0, 255) - image, palette)
    frame = palette.copier.copy(picture.frame)
    samples = component_views(frame, palette.layout)
    size = (picture.frame.width, picture.frame.height)
    for number, component in enumerate(palette.layout.color):
        x, y, means = cover(change[..., number], stored, component, size)
        region = samples[component.role][y : y + means.shape[0], x : x + means.shape[1]]
        lit = np.rint((region >> component.shift).astype(np.float32) + means)
        lit = np.clip(lit, 0, (1 << palette.layout.bits) - 1).astype(region.dtype)
        np.copyto(region, lit << component.shift, where=means != 0)
    return dataclasses.replace(picture, frame=frame)


def _code_steps(change: np.ndarray, palette: Palette) -> np.ndarray:
    """A difference of RGB in 0..255 as one of the source's code values, unrounded."""
    layout = palette.layout
    if layout.is_rgb:
        return change * np.float32(((1 << layout.bits) - 1) / 255)
    if layout.is_gray:
        scale, _ = gray_scale(layout.bits, palette.full_range)
        luma = from_rgb(effective_matrix(UNSAID, 0), 8, True)[:1, :3]
        return cv2.transform(change, luma)[..., None] / np.float32(scale)
    return cv2.transform(change, from_rgb(palette.matrix, layout.bits, palette.full_range)[:, :3])
