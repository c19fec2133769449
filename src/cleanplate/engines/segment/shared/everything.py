"""Everything mode: one click at each place of a grid, and what is doubtful or double dropped.

The automatic mask generator of Kirillov et al., "Segment Anything", ICCV 2023, appendix B.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.arrays.masks import bounding_box, stability, without_small
from cleanplate.arrays.runs import Found, run_lengths
from cleanplate.settings import check, setting

if TYPE_CHECKING:
    from cleanplate.engines.segment.shared.decoding import DecodesMany

NEAR = 20  # px from a crop's edge within which a mask is taken for cut off there


@dataclass(frozen=True, slots=True)
class EverythingSettings:
    """How closely a picture is looked through; the defaults are the published ones."""

    points_per_side: int = setting(32, "Clicks along each side of the picture.", low=1, high=256)
    points_at_once: int = setting(64, "Clicks decoded at once; fewer take less memory.", low=1)
    quality: float = setting(0.88, "Least quality that the network predicts of a mask.", low=0)
    stability: float = setting(0.95, "Least stability of a mask's outline.", low=0, high=1)
    stability_offset: float = setting(1.0, "Logits up and down between which it is tested.", low=0)
    overlap: float = setting(0.7, "Boxes that overlap more are one.", low=0, high=1)
    crop_layers: int = setting(0, "Looks again into 4, 16, ... crops so many times.", low=0, high=4)
    crop_overlap: float = setting(512 / 1500, "Overlap of crops, of the short side.", low=0, high=1)
    crop_overlap_limit: float = setting(
        0.7, "Boxes of different crops that overlap more are one.", low=0, high=1
    )
    crop_points_shrink: int = setting(1, "Clicks a side are divided by this a layer.", low=1)
    least_region: int = setting(0, "Holes and islands below this are removed.", low=0, unit="px")
    threshold: float = setting(0.0, "Logit above which a pixel belongs to a mask.")

    def __post_init__(self) -> None:
        check(self)


def everything(engine: DecodesMany, image: np.ndarray, settings: EverythingSettings) -> list[Found]:
    """All things in ``image`` ((H, W, 3) uint8 RGB), in the published order."""
    height, width = image.shape[:2]
    crops, layers = crop_boxes((height, width), settings.crop_layers, settings.crop_overlap)
    grids = point_grids(settings.points_per_side, settings.crop_layers, settings.crop_points_shrink)
    found: list[Found] = []
    for crop, layer in zip(crops, layers, strict=True):
        found += _in_crop(engine, image, crop, grids[layer], settings)
    if len(crops) > 1:
        # What was seen closer is better seen.
        scores = [1 / _area(one.crop) for one in found]
        found = _kept(found, scores, settings.crop_overlap_limit)
    if settings.least_region > 0:
        limit = max(settings.overlap, settings.crop_overlap_limit)
        found = _tidied(found, settings.least_region, limit)
    return found


def _in_crop(
    engine: DecodesMany,
    image: np.ndarray,
    crop: tuple[int, int, int, int],
    grid: np.ndarray,
    settings: EverythingSettings,
) -> list[Found]:
    x0, y0, x1, y1 = crop
    part = np.ascontiguousarray(image[y0:y1, x0:x1])
    encoded = engine.encode(part)
    points = grid * (x1 - x0, y1 - y0)
    found: list[Found] = []
    for first in range(0, len(points), settings.points_at_once):
        batch = points[first : first + settings.points_at_once]
        decoded = engine.decode_many(
            encoded, batch[:, None], np.ones((len(batch), 1), np.int64), several=True
        )
        for point, masks, quality in zip(batch, decoded.logits, decoded.quality, strict=True):
            for logits, expected in zip(masks, quality.tolist(), strict=True):
                one = _judged(logits, expected, point, crop, image.shape[:2], settings)
                if one is not None:
                    found.append(one)
    return _kept(found, [one.quality for one in found], settings.overlap)


def _judged(
    logits: np.ndarray,
    quality: float,
    point: np.ndarray,
    crop: tuple[int, int, int, int],
    size: tuple[int, int],
    settings: EverythingSettings,
) -> Found | None:
    """The mask in the whole picture; None when it is doubtful or cut off by the crop's edge."""
    if settings.quality > 0 and not quality > settings.quality:
        return None
    stable = stability(logits[None], settings.threshold, settings.stability_offset)[0]
    if settings.stability > 0 and not stable >= settings.stability:  # NaN is dropped too
        return None
    mask = logits > settings.threshold
    x0, y0, *_ = crop
    box = box_of(mask) + np.array([x0, y0, x0, y0])
    if near_crop_edge(box[None], crop, (0, 0, size[1], size[0]))[0]:
        return None
    runs = run_lengths(uncropped(mask, crop, size))
    place = float(point[0] + x0), float(point[1] + y0)
    left, top, right, bottom = box.tolist()
    return Found(runs, size, (left, top, right, bottom), quality, float(stable), place, crop)


def _kept(found: list[Found], scores: list[float], limit: float) -> list[Found]:
    boxes = np.array([one.box for one in found], np.float32).reshape(-1, 4)
    return [found[index] for index in suppressed(boxes, np.array(scores), limit)]


def _tidied(found: list[Found], least: int, limit: float) -> list[Found]:
    """Holes filled and islands removed; of what then coincides the unchanged is kept."""
    tidied, scores = [], []
    for one in found:
        mask, filled = without_small(one.mask, least, "holes")
        mask, cleared = without_small(mask, least, "islands")
        if filled or cleared:
            left, top, right, bottom = box_of(mask).astype(float).tolist()
            one = replace(one, runs=run_lengths(mask), box=(left, top, right, bottom))
        tidied.append(one)
        scores.append(0.0 if filled or cleared else 1.0)
    return _kept(tidied, scores, limit)


# --- its parts ---------------------------------------------------------------------------------


def point_grids(per_side: int, layers: int, shrink: int) -> list[np.ndarray]:
    """For each layer of crops (n, 2) places x, y in 0..1, x fastest."""
    return [_grid(max(1, int(per_side / shrink**layer))) for layer in range(layers + 1)]


def _grid(per_side: int) -> np.ndarray:
    places = (np.arange(per_side) + 0.5) / per_side
    x, y = np.meshgrid(places, places)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def crop_boxes(
    size: tuple[int, int], layers: int, overlap_ratio: float
) -> tuple[list[tuple[int, int, int, int]], list[int]]:
    """x0, y0, x1, y1 of the whole picture of ``size`` (H, W) and of its crops, and their layers."""
    height, width = size
    boxes, numbers = [(0, 0, width, height)], [0]
    for layer in range(1, layers + 1):
        count = 2**layer
        overlap = int(overlap_ratio * min(size) * (2 / count))
        across = math.ceil((overlap * (count - 1) + width) / count)
        down = math.ceil((overlap * (count - 1) + height) / count)
        for column, row in itertools.product(range(count), repeat=2):
            x0, y0 = (across - overlap) * column, (down - overlap) * row
            boxes.append((x0, y0, min(x0 + across, width), min(y0 + down, height)))
            numbers.append(layer)
    return boxes, numbers


def box_of(mask: np.ndarray) -> np.ndarray:
    """(4,) int64 x0, y0, x1, y1 of a mask, its last pixel included; zeros when it is empty."""
    box = bounding_box(mask)
    if box is None:
        return np.zeros(4, np.int64)
    return np.array([box.x0, box.y0, box.x1 - 1, box.y1 - 1], np.int64)


def uncropped(
    mask: np.ndarray, crop: tuple[int, int, int, int], size: tuple[int, int]
) -> np.ndarray:
    """(H, W) bool of ``size``: the ``mask`` of a ``crop`` (x0, y0, x1, y1) put in its place."""
    x0, y0, x1, y1 = crop
    whole = np.zeros(size, bool)
    whole[y0:y1, x0:x1] = mask
    return whole


def near_crop_edge(
    boxes: np.ndarray, crop: tuple[int, ...], whole: tuple[int, ...], near: float = NEAR
) -> np.ndarray:
    """(n,) bool: a side of the box lies at the crop's edge and not at the picture's."""
    to_crop = np.abs(boxes - np.array(crop)) <= near
    to_whole = np.abs(boxes - np.array(whole)) <= near
    return np.any(to_crop & ~to_whole, axis=1)


def suppressed(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    """The rows of ``boxes`` (n, 4) to keep, best first: none overlaps a better one by more.

    Boxes without area overlap nothing. Equal scores keep their order.
    """
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    waiting = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(waiting):
        best, waiting = int(waiting[0]), waiting[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[waiting, :2])
        high = np.minimum(boxes[best, 2:], boxes[waiting, 2:])
        common = np.prod(np.clip(high - low, 0, None), axis=1)
        together = area[best] + area[waiting] - common
        waiting = waiting[common <= limit * together]
    return kept


def _area(box: tuple[int, int, int, int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
