"""Masks as arrays, (H, W) uint8, value = object id: growing, feathering, boxes, pieces."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.types import Box


def bounding_box(mask: np.ndarray) -> Box | None:
    """The smallest box around all that is not background; None for an empty mask."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8) if mask.dtype == bool else mask)
    return Box(x, y, x + width, y + height) if width else None


def deepest(mask: np.ndarray) -> tuple[float, float]:
    """(x, y) of the place deepest inside ``mask``, (H, W) bool, which is not empty."""
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(x), float(y)


def object_boxes(mask: np.ndarray) -> dict[int, Box]:
    """The box of each object in ``mask``, by its id."""
    whole = bounding_box(mask)
    if whole is None:
        return {}
    inner = mask[whole.slices]
    counts = np.bincount(inner.ravel(), minlength=256)
    counts[0] = 0
    ids = np.flatnonzero(counts)
    if len(ids) == 1:
        return {int(ids[0]): whole}
    boxes = {}
    for object_id in ids:
        box = bounding_box(np.asarray(inner == object_id))
        assert box is not None  # counted above
        boxes[int(object_id)] = shifted(box, whole.x0, whole.y0)
    return boxes


def shifted(box: Box, dx: int, dy: int) -> Box:
    """``box`` moved by (``dx``, ``dy``) px."""
    return Box(box.x0 + dx, box.y0 + dy, box.x1 + dx, box.y1 + dy)


def around(first: Box, second: Box) -> Box:
    """The smallest box that holds both."""
    return Box(
        min(first.x0, second.x0),
        min(first.y0, second.y0),
        max(first.x1, second.x1),
        max(first.y1, second.y1),
    )


def shared_area(first: Box, second: Box) -> int:
    """px that lie in both."""
    wide = min(first.x1, second.x1) - max(first.x0, second.x0)
    high = min(first.y1, second.y1) - max(first.y0, second.y0)
    return max(wide, 0) * max(high, 0)


def clipped(box: Box, width: int, height: int) -> Box | None:
    """The part of ``box`` inside a picture of that size; None where there is none."""
    x0, y0 = max(box.x0, 0), max(box.y0, 0)
    x1, y1 = min(box.x1, width), min(box.y1, height)
    return Box(x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def widened(box: Box, pixels: int, width: int, height: int) -> Box:
    """``box``, some of which is inside a picture of that size, with ``pixels`` around it there."""
    wide = Box(box.x0 - pixels, box.y0 - pixels, box.x1 + pixels, box.y1 + pixels)
    inside = clipped(wide, width, height)
    assert inside is not None  # some of the box is
    return inside


def grow(mask: np.ndarray, pixels: int) -> np.ndarray:
    """Every object grown by ``pixels`` all around (a disc); objects keep their own pixels."""
    box = bounding_box(mask)
    if pixels <= 0 or box is None:
        return mask
    room = widened(box, pixels, *mask.shape[::-1])
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    before = mask[room.slices]
    after = mask.copy()
    after[room.slices] = np.where(before > 0, before, cv2.dilate(before, disc))
    return after


def inward_alpha(inside: np.ndarray, feather: int) -> np.ndarray:
    """Weights of a fill: 0 outside, rising from the rim inwards to 1 over ``feather`` px.

    The edge of the picture is no rim: what leaves the picture goes on beyond it.

    Args:
        inside: (H, W) bool or uint8, not 0 inside.
        feather: width of the rise in px; 0 is a hard edge.

    Returns:
        (H, W) float32 in 0..1; greater than 0 exactly where ``inside`` is.
    """
    solid = (inside != 0).astype(np.uint8)
    if feather <= 0:
        return solid.astype(np.float32)
    padded = cv2.copyMakeBorder(solid, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    return np.minimum(depth / np.float32(feather + 1), 1) * solid


def components(mask: np.ndarray, gap: int) -> np.ndarray:
    """Number the parts of ``mask`` that lie more than ``gap`` px apart: 1, 2, ... (at most 255).

    Ids are not looked at: this is for masks that never move, whose far parts are filled apart.
    """
    solid = (mask != 0).astype(np.uint8)
    reach = max(1, gap // 2)
    # A box filter is cheap at any size, and nearness need not be exact.
    near = cv2.boxFilter(solid, cv2.CV_32F, (2 * reach + 1,) * 2, normalize=False) > 0
    count, labels = cv2.connectedComponents(near.astype(np.uint8))
    if count - 1 > 255:
        return solid
    return (labels * solid).astype(np.uint8)


def stability(logits: np.ndarray, threshold: float, offset: float) -> np.ndarray:
    """(n,) IoU of each mask of (n, H, W) logits at a higher and a lower threshold; 0/0 is NaN."""
    high = np.count_nonzero(logits > threshold + offset, axis=(1, 2)).astype(np.float32)
    low = np.count_nonzero(logits > threshold - offset, axis=(1, 2)).astype(np.float32)
    return np.divide(high, low, out=np.full(len(low), np.nan, np.float32), where=low > 0)


def without_small(mask: np.ndarray, least: int, kind: str) -> tuple[np.ndarray, bool]:
    """``mask`` with holes below ``least`` px filled, or islands removed; and whether it changed.

    Args:
        mask: (H, W) bool.
        least: in pixels; parts that touch at a corner are one.
        kind: ``holes`` or ``islands``; of islands that are all small the largest stays.
    """
    of_holes = kind == "holes"
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (mask ^ of_holes).view(np.uint8), connectivity=8
    )
    sizes = stats[1:, cv2.CC_STAT_AREA]
    small = np.flatnonzero(sizes < least) + 1
    if not len(small):
        return mask, False
    if of_holes:
        return mask | np.isin(labels, small), True
    large = np.setdiff1d(np.arange(1, count), small)
    return np.isin(labels, large if len(large) else [sizes.argmax() + 1]), True
