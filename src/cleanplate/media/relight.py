"""Makes pixels lighter or darker in the source's own samples, at its own depth."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from cleanplate.errors import InputError
from cleanplate.media.colour import UNSAID, effective_matrix, from_rgb, gray_scale
from cleanplate.media.composite import cover
from cleanplate.media.layout import component_views
from cleanplate.media.picture import Palette, Picture, check_inside, fine_rgb
from cleanplate.types import Box


def relight(picture: Picture, gain: np.ndarray, box: Box) -> Picture:
    """``picture`` with ``box`` of it multiplied by ``gain``; ``picture`` itself is unchanged.

    Samples all of whose pixels have a gain of 1, and every alpha plane, are the decoder's. What
    would be lighter than white is white. A chroma sample changes by the mean over its pixels.

    Args:
        picture: of any pixel format.
        gain: (h, w, 3) float32, for red, green and blue as they are coded (not linear light).
        box: in px of the upright picture, of the size of ``gain``.

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
    change = _code_steps(np.minimum(image * factor, 255) - image, palette)
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
