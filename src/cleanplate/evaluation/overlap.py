"""J and F of tracked objects, as DAVIS 2017 defines them for the semi-supervised task.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR
2016; Pont-Tuset et al., "The 2017 DAVIS Challenge". Masks are (H, W) bool of one object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

_TOLERANCE = 0.008  # of the picture's diagonal: how far a boundary may be off
_RECALLED = 0.5  # an object counts as recalled in frames with more than this
_QUARTERS = 4


def region_similarity(truth: np.ndarray, result: np.ndarray) -> float:
    """J: intersection over union; 1 when both are empty."""
    union = np.count_nonzero(truth | result)
    return np.count_nonzero(truth & result) / union if union else 1.0


def contour_accuracy(truth: np.ndarray, result: np.ndarray) -> float:
    """F: harmonic mean of the boundary's precision and recall, within 0.8 % of the diagonal."""
    radius = _radius(truth.shape)
    true_edge, edge = boundary(truth), boundary(result)
    trues, edges = np.count_nonzero(true_edge), np.count_nonzero(edge)
    if not trues or not edges:
        # One empty boundary: perfect precision or perfect recall, and nothing of the other.
        return float(trues == edges)
    precision = np.count_nonzero(edge & _dilated(true_edge, radius)) / edges
    recall = np.count_nonzero(true_edge & _dilated(edge, radius)) / trues
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def boundary(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels that differ from their right, lower or lower right neighbour.

    Half a pixel up and left of the rim; the last row and column look along themselves only.
    """
    right, below, across = mask.copy(), mask.copy(), mask.copy()
    right[:, :-1] = mask[:, 1:]
    below[:-1] = mask[1:]
    across[:-1, :-1] = mask[1:, 1:]
    edge = (mask ^ right) | (mask ^ below) | (mask ^ across)
    edge[-1] = mask[-1] ^ right[-1]
    edge[:, -1] = mask[:, -1] ^ below[:, -1]
    edge[-1, -1] = False
    return edge


def _radius(shape: tuple[int, ...]) -> int:
    return int(np.ceil(_TOLERANCE * np.hypot(shape[0], shape[1])))


def _dilated(edge: np.ndarray, radius: int) -> np.ndarray:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = (x**2 + y**2 <= radius**2).astype(np.uint8)
    return cv2.dilate(edge.astype(np.uint8), disc, borderValue=0) > 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """One measure of one object over a clip."""

    mean: float
    recall: float
    """Share of the frames above one half."""
    decay: float
    """Mean of the first quarter less that of the last."""


def statistics(values: Sequence[float]) -> Statistics:
    """Mean, recall and decay of a measure's values, frame by frame; NaN where there are none."""
    array = np.asarray(values, float)
    if not array.size:
        return Statistics(float("nan"), float("nan"), float("nan"))
    ends = np.round(np.linspace(1, len(array), _QUARTERS + 1) + 1e-10).astype(int) - 1
    quarters = [array[a : b + 1] for a, b in pairwise(ends)]
    decay = float(quarters[0].mean() - quarters[-1].mean())
    return Statistics(float(array.mean()), float((array > _RECALLED).mean()), decay)


def judged(count: int) -> slice:
    """The frames that DAVIS 2017 judges: all but the first, which is given, and the last."""
    return slice(1, max(1, count - 1))


def returns(truth_present: Sequence[bool], similarity: Sequence[float]) -> list[int | None]:
    """Frames from each return of an object into the picture until it is found again (J > 0.5).

    Returns:
        For each time that it comes back after being away: 0 when it is found at once; None when
        it is not found before it leaves again or the clip ends.
    """
    delays: list[int | None] = []
    was_there = True
    waiting: int | None = None
    for present, value in zip(truth_present, similarity, strict=True):
        if present and not was_there:
            waiting = 0
        if waiting is not None and not present:
            delays.append(None)
            waiting = None
        if waiting is not None:
            if value > _RECALLED:
                delays.append(waiting)
                waiting = None
            else:
                waiting += 1
        was_there = present
    if waiting is not None:
        delays.append(None)
    return delays
