"""Which of several outlines a person is likely to have meant."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.engines.segment.grabcut.outline import box_of, disc

BINS = 8  # a channel, of the histograms that are compared


def confidence(lab: np.ndarray, steepness: np.ndarray, mask: np.ndarray) -> float:
    """How much ``mask`` looks like one whole thing, 0..1.

    An outline on edges, other colours within than just without, and little of it cut off by the
    picture's border.

    Args:
        lab: (H, W, 3) float32 CIE Lab, L in 0..100.
        steepness: (H, W) float32, gradient of lab.
        mask: (H, W) bool.
    """
    area = int(mask.sum())
    if area == 0 or area == mask.size:
        return 0.0
    room = max(3.0, 0.25 * np.sqrt(area))
    box = box_of(mask, room + 2)
    assert box is not None
    here = mask[box.slices].astype(np.uint8)
    ring = cv2.dilate(here, disc(room)) - here > 0
    if not ring.any():
        return 0.0
    rim = cv2.dilate(here, disc(1)) - cv2.erode(here, disc(1)) > 0
    edge = float(np.minimum(steepness[box.slices][rim], 12).mean()) / 12
    apart = _separation(lab[box.slices], here > 0, ring)
    outlines, _ = cv2.findContours(here, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    length = sum(cv2.arcLength(outline, True) for outline in outlines)
    sides = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    cut_off = sum(int(side.sum()) for side in sides) / max(length, 1.0)
    return float(np.clip(0.7 * edge + 0.3 * apart - 0.8 * cut_off, 0, 1))


def _separation(lab: np.ndarray, mask: np.ndarray, ring: np.ndarray) -> float:
    """1 less the overlap of two colour histograms."""
    levels = np.float32([100, 128, 128]) / BINS  # type: ignore[arg-type]
    bins = np.clip((lab + np.float32([0, 64, 64])) / levels, 0, BINS - 1).astype(np.int32)  # type: ignore[arg-type]
    flat = (bins[..., 0] * BINS + bins[..., 1]) * BINS + bins[..., 2]
    counts = [np.bincount(flat[part], minlength=BINS**3) for part in (mask, ring)]
    inside, outside = (c / c.sum() for c in counts)
    return 1 - float(np.minimum(inside, outside).sum())


def distinct(masks: list[np.ndarray], scores: list[float], alike: float = 0.95) -> list[int]:
    """The masks worth offering, best first: none empty, no two with an IoU above ``alike``."""
    kept: list[int] = []
    areas = [np.count_nonzero(mask) for mask in masks]
    for number in np.argsort([-s for s in scores], kind="stable").tolist():
        if not areas[number]:
            continue
        # Areas alone tell most apart; the overlap of two masks costs a look at the whole picture.
        rivals = [
            k for k in kept if min(areas[k], areas[number]) >= alike * max(areas[k], areas[number])
        ]
        if all(_overlap(masks[number], masks[k]) < alike for k in rivals):
            kept.append(number)
    return kept


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    return np.count_nonzero(first & second) / np.count_nonzero(first | second)
