"""Writes a fill into the source's own samples, under its alpha, and nowhere else."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.errors import InputError
from cleanplate.media.colour import UNSAID, effective_matrix, from_rgb, gray_scale
from cleanplate.media.layout import Component, component_views
from cleanplate.media.picture import Palette, Picture, check_inside
from cleanplate.types import Box


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A fill and how much of it is to be seen."""

    box: Box
    """In pixels of the upright picture."""
    image: np.ndarray
    """(h, w, 3) uint8 RGB, of the box's size."""
    alpha: np.ndarray
    """(h, w) float32 in 0..1: 0 keeps the source's samples bit for bit, 1 is the fill alone."""

    def __post_init__(self) -> None:
        size = (self.box.height, self.box.width)
        if self.image.shape != (*size, 3) or self.alpha.shape != size:
            raise InputError(
                f"A patch for a box of {size[1]}x{size[0]} has an image of shape "
                f"{self.image.shape} and an alpha of shape {self.alpha.shape}; "
                f"expected {(*size, 3)} and {size}."
            )


def composite(picture: Picture, patches: Sequence[Patch]) -> Picture:
    """``picture`` with ``patches`` over it, later ones on top; ``picture`` itself is unchanged.

    out = (1 - alpha) source + alpha fill, in the source's own samples. A chroma sample's alpha is
    the mean over the pixels that it covers, its fill the mean weighted by alpha. Samples whose
    alpha is 0, and every alpha plane, are the decoder's.

    Raises:
        InputError: a patch reaches out of the picture.
    """
    patches = [patch for patch in patches if patch.alpha.any()]
    if not patches:
        return picture
    frame = picture.palette.copier.copy(picture.frame)
    samples = component_views(frame, picture.palette.layout)
    for patch in patches:
        check_inside(patch.box, picture.width, picture.height)
        _write(samples, picture, patch)
    return dataclasses.replace(picture, frame=frame)


def _write(samples: dict[str, np.ndarray], picture: Picture, patch: Patch) -> None:
    palette = picture.palette
    orientation = palette.orientation
    box = orientation.stored_box(patch.box, picture.width, picture.height)
    alpha = np.clip(orientation.stored(patch.alpha), 0, 1).astype(np.float32)
    fill = _code_values(orientation.stored(patch.image), palette) * alpha[..., None]
    for number, component in enumerate(palette.layout.color):
        plane = samples[component.role]
        size = (picture.frame.width, picture.frame.height)
        x, y, weights = cover(alpha, box, component, size)
        _, _, weighted = cover(fill[..., number], box, component, size)
        region = plane[y : y + weights.shape[0], x : x + weights.shape[1]]
        source = (region >> component.shift).astype(np.float32)
        blended = np.rint(source + (weighted - weights * source))
        blended = np.clip(blended, 0, (1 << palette.layout.bits) - 1).astype(region.dtype)
        np.copyto(region, blended << component.shift, where=weights > 0)


def _code_values(image: np.ndarray, palette: Palette) -> np.ndarray:
    """RGB as (h, w, components) float32 in the source's code values, unrounded."""
    layout = palette.layout
    values = np.ascontiguousarray(image, np.float32)
    if layout.is_rgb:
        return values * np.float32(((1 << layout.bits) - 1) / 255)
    if layout.is_gray:
        scale, offset = gray_scale(layout.bits, palette.full_range)
        luma = from_rgb(effective_matrix(UNSAID, 0), 8, True)[:1]
        return (cv2.transform(values, luma) - np.float32(offset))[..., None] / np.float32(scale)
    return cv2.transform(values, from_rgb(palette.matrix, layout.bits, palette.full_range))


def cover(
    values: np.ndarray, box: Box, component: Component, size: tuple[int, int]
) -> tuple[int, int, np.ndarray]:
    """``values`` of the pixels of ``box`` as means over the samples of ``component``.

    Pixels of a sample outside the box count as 0; those outside the picture do not count.
    Returns the first sample's x and y, and the means.
    """
    x_shift, y_shift = component.x_shift, component.y_shift
    if not (x_shift or y_shift):
        return box.x0, box.y0, values
    high, wide = 1 << y_shift, 1 << x_shift
    x, y = box.x0 >> x_shift, box.y0 >> y_shift
    left, top = box.x0 - (x << x_shift), box.y0 - (y << y_shift)
    padded = np.pad(values, ((top, -(top + box.height) % high), (left, -(left + box.width) % wide)))
    width, height = padded.shape[1] >> x_shift, padded.shape[0] >> y_shift
    means = cv2.resize(padded, (width, height), interpolation=cv2.INTER_AREA)
    if box.x1 == size[0] and size[0] % wide:
        means[:, -1] *= wide / (size[0] % wide)
    if box.y1 == size[1] and size[1] % high:
        means[-1] *= high / (size[1] % high)
    return x, y, means
