"""Puts a part of one picture into another, in their own samples: moved, scaled, under an alpha."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.media.layout import Component, component_views
from cleanplate.media.picture import Picture
from cleanplate.types import Box


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a part comes from and goes to: (x, y) goes to scale * (x, y) + (dx, dy), in px."""

    scale: float
    dx: float
    dy: float


def paste(
    onto: Picture, source: Picture, alpha: np.ndarray, box: Box, placement: Placement
) -> Picture:
    """``onto`` with what ``alpha`` takes out of ``source`` over it; both stay as they are.

    Args:
        onto: of any size, of the pixel format of ``source``.
        source: where the part comes from.
        alpha: (h, w) float32 in 0..1, of ``box``'s size: how much of each pixel is the part's.
        box: in px of the upright ``source``.
        placement: in px of the upright pictures.
    """
    orientation = source.palette.orientation
    stored = orientation.stored_box(box, source.width, source.height)
    matte = np.ascontiguousarray(orientation.stored(alpha), np.float32)
    place = _stored_placement(onto, source, placement)
    frame = onto.palette.copier.copy(onto.frame)
    layout = onto.palette.layout
    target, pixels = component_views(frame, layout), component_views(source.frame, layout)
    for component in layout.components:
        _paste(target[component.role], pixels[component.role], component, layout.bits,
               matte, stored, place)  # fmt: skip
    return dataclasses.replace(onto, frame=frame)


def _stored_placement(onto: Picture, source: Picture, placement: Placement) -> Placement:
    """``placement`` of upright pictures as one of stored ones."""
    turned = source.palette.orientation
    dx, dy, scale = placement.dx, placement.dy, placement.scale
    dx = onto.width - scale * source.width - dx if turned.flip_x else dx
    dy = onto.height - scale * source.height - dy if turned.flip_y else dy
    return Placement(scale, dy, dx) if turned.transpose else Placement(scale, dx, dy)


def _paste(
    target: np.ndarray,
    source: np.ndarray,
    component: Component,
    bits: int,
    matte: np.ndarray,
    box: Box,
    place: Placement,
) -> None:
    across, down = 1 << component.x_shift, 1 << component.y_shift
    x0, y0 = box.x0 // across, box.y0 // down
    x1, y1 = min(-(-box.x1 // across), source.shape[1]), min(-(-box.y1 // down), source.shape[0])
    padded = np.zeros(((y1 - y0) * down, (x1 - x0) * across), np.float32)
    top, left = box.y0 - y0 * down, box.x0 - x0 * across
    inside = padded[top : top + box.height, left : left + box.width]
    inside[...] = matte[: inside.shape[0], : inside.shape[1]]
    alpha = cv2.resize(padded, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    region = (source[y0:y1, x0:x1] >> component.shift).astype(np.float32)
    # The middle of sample i of a plane lies at px across * (i + 1/2).
    shift_x = place.dx / across + (place.scale - 1) / 2
    shift_y = place.dy / down + (place.scale - 1) / 2
    left_end = place.scale * x0 + shift_x
    top_end = place.scale * y0 + shift_y
    u0, v0 = max(0, int(np.floor(left_end)) - 2), max(0, int(np.floor(top_end)) - 2)
    u1 = min(target.shape[1], int(np.ceil(place.scale * x1 + shift_x)) + 3)
    v1 = min(target.shape[0], int(np.ceil(place.scale * y1 + shift_y)) + 3)
    if u1 <= u0 or v1 <= v0:
        return
    move = np.array([[place.scale, 0, left_end - u0], [0, place.scale, top_end - v0]])
    if place.scale < 1:  # what is made smaller is averaged, or it would glitter
        sigma = 0.4 * np.sqrt(1 / place.scale**2 - 1)
        region, alpha = (cv2.GaussianBlur(part, (0, 0), sigma) for part in (region, alpha))
    size = (u1 - u0, v1 - v0)
    moved = cv2.warpAffine(
        region, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    weights = np.clip(cv2.warpAffine(alpha, move, size, flags=cv2.INTER_LINEAR), 0, 1)
    under = target[v0:v1, u0:u1]
    below = (under >> component.shift).astype(np.float32)
    mixed = np.clip(np.rint(below + weights * (moved - below)), 0, (1 << bits) - 1)
    np.copyto(under, mixed.astype(under.dtype) << component.shift, where=weights > 0)
