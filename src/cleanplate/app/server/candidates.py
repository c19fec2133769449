"""Small pictures of the outlines that a prompt may mean, to be told apart at a glance."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from cleanplate.arrays.masks import bounding_box

_WIDTH, _HEIGHT = 96, 60  # px
_ROOM = 0.25  # of the outlines' size, shown around them
_DIM = 0.35  # brightness of what an outline leaves out


def candidate_picture(
    image: np.ndarray, masks: Sequence[np.ndarray], place: int, colour: str
) -> np.ndarray:
    """(60, 96, 3) uint8 RGB: what outline ``place`` takes is bright, the rest is dark.

    All candidates of a prompt are shown in one crop, so that they can be compared.

    Args:
        image: (H, W, 3) uint8 RGB.
        masks: the candidates, (H, W) bool each.
        place: which of them.
        colour: ``#rrggbb`` of its rim.
    """
    x0, y0, x1, y1 = _crop(np.logical_or.reduce(masks))
    size = (_WIDTH, _HEIGHT)
    seen = cv2.resize(image[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
    part = masks[place][y0:y1, x0:x1].astype(np.uint8) * 255
    inside = cv2.resize(part, size, interpolation=cv2.INTER_AREA)[..., None] / 255
    picture = seen * (_DIM + (1 - _DIM) * inside)
    taken = (inside[..., 0] > 0.5).astype(np.uint8)
    rim = taken - cv2.erode(taken, np.ones((3, 3), np.uint8), borderValue=0) > 0
    picture[rim] = list(bytes.fromhex(colour.lstrip("#")))
    return picture.astype(np.uint8)


def _crop(union: np.ndarray) -> tuple[int, int, int, int]:
    """The part of the picture to show, in the shape of the small picture where it has room."""
    height, width = union.shape
    box = bounding_box(union.view(np.uint8))
    assert box is not None  # no outline is empty
    wide = max(box.width, box.height * _WIDTH / _HEIGHT) * (1 + 2 * _ROOM)
    wide = min(max(wide, _WIDTH / 2), width, height * _WIDTH / _HEIGHT)
    high = wide * _HEIGHT / _WIDTH
    x = min(max(0.0, (box.x0 + box.x1 - wide) / 2), width - wide)
    y = min(max(0.0, (box.y0 + box.y1 - high) / 2), height - high)
    return int(x), int(y), max(int(x) + 1, int(x + wide)), max(int(y) + 1, int(y + high))
