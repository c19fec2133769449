"""Prompts made sure of and drawn: what every segmenter does before it thinks."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from cleanplate.errors import InputError
from cleanplate.types import Box, Brush, Prompt


def check_image(image: np.ndarray) -> None:
    """Raise InputError unless ``image`` is (H, W, 3) uint8."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(
            f"The image is {image.dtype} of shape {image.shape}; give (H, W, 3) uint8 RGB."
        )


def check_prompt(prompt: Prompt, size: tuple[int, int]) -> None:
    """Raise InputError unless ``prompt`` points at something in a picture of ``size`` (H, W)."""
    height, width = size
    if not (prompt.points or prompt.brushes or prompt.box or prompt.mask is not None):
        raise InputError("The prompt is empty; give a point, a box, a brush stroke or a mask.")
    for point in prompt.points:
        if not (0 <= point.x < width and 0 <= point.y < height):
            raise InputError(
                f"Point {point.x:g},{point.y:g} is outside the picture of {width}x{height}; "
                f"give X below {width} and Y below {height}."
            )
    if prompt.mask is not None and prompt.mask.shape != size:
        raise InputError(
            f"The mask is {prompt.mask.shape[1]}x{prompt.mask.shape[0]} and the picture "
            f"{width}x{height}; give a mask of the picture's size."
        )
    if prompt.box is not None:
        clip_box(prompt.box, size)


def clip_box(box: Box, size: tuple[int, int]) -> Box:
    """``box`` cut to a picture of ``size`` (H, W).

    Raises:
        InputError: the box lies wholly outside.
    """
    height, width = size
    x0, y0 = max(box.x0, 0), max(box.y0, 0)
    x1, y1 = min(box.x1, width), min(box.y1, height)
    if x1 <= x0 or y1 <= y0:
        raise InputError(
            f"Box {box.x0},{box.y0},{box.x1},{box.y1} lies outside the picture of "
            f"{width}x{height}; give X0,Y0,X1,Y1 within it."
        )
    return Box(x0, y0, x1, y1)


def draw_strokes(
    brushes: Iterable[Brush],
    size: tuple[int, int],
    scale: float = 1,
    origin: tuple[float, float] = (0, 0),
) -> np.ndarray:
    """(H, W) bool of ``size``: the pixels under ``brushes``, less ``origin``, times ``scale``."""
    canvas = np.zeros(size, np.uint8)
    for brush in brushes:
        path = (np.asarray(brush.points, np.float64) - origin) * scale - 0.5
        radius = max(brush.radius * scale, 0.5)
        ends = np.round(path * 16).astype(np.int32)
        cv2.polylines(canvas, [ends[:, None]], False, 1, max(1, round(2 * radius)), shift=4)
        for x, y in ends.tolist():
            cv2.circle(canvas, (x, y), round(radius * 16), 1, -1, shift=4)
    return canvas > 0
