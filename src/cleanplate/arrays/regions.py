"""Where an engine works: crops around the masks, of one size, that follow them through a shot.

A 4K clip with a small logo should cost little more than a small clip. So each group of objects
that lie together is filled in a crop of its own: the mask plus context, moved in jumps so that it
stays put while the mask stays inside, and only over the frames that can matter to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cleanplate.types import Box

NONE = -1  # in an array of boxes: the object is not in this frame


@dataclass(frozen=True, slots=True)
class Margins:
    """How much of the picture around a mask an engine may look at, on each side."""

    part: float
    """As a part of the root of the area of the mask's box."""
    least: int
    """In px, whatever the mask's size."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One crop through a stretch of one shot."""

    objects: frozenset[int]
    """Ids whose pixels are filled from this crop."""
    start: int
    """First frame that the engine sees."""
    stop: int
    """One past the last frame that the engine sees."""
    width: int
    height: int
    origins: np.ndarray
    """(stop - start, 2) int32: (x, y) of the crop's top left pixel in each frame."""
    opens: int = -1
    """First frame that is filled from it; frames before are only shown. -1: ``start``."""

    def __post_init__(self) -> None:
        if self.opens < 0:
            object.__setattr__(self, "opens", self.start)

    def box(self, index: int) -> Box:
        """Where the crop lies in frame ``index``, which the engine sees."""
        x, y = (int(v) for v in self.origins[index - self.start])
        return Box(x, y, x + self.width, y + self.height)


def plan(
    boxes: Mapping[int, np.ndarray],
    shots: np.ndarray,
    width: int,
    height: int,
    margins: Margins,
    lookback: int | None,
    lookahead: int | None,
) -> list[Region]:
    """The crops that a clip needs, sorted by their first frame.

    Args:
        boxes: for each object id, (N, 4) int32 x0, y0, x1, y1 of its mask in each frame, ``NONE``
            where it is not.
        shots: (N,) shot number of each frame, ascending.
        width, height: of the picture.
        margins: how much of the picture around a mask the engine may look at.
        lookback, lookahead: frames that the engine may use before and after a masked one; None
            is all of the shot.
    """
    regions: list[Region] = []
    edges = np.flatnonzero(np.diff(shots)) + 1
    for first, last in zip([0, *edges], [*edges, len(shots)], strict=True):
        inside = {i: b[first:last] for i, b in boxes.items() if (b[first:last, 0] != NONE).any()}
        for group in groups(inside, margins):
            union = _union([inside[i] for i in sorted(group)])
            seen = np.flatnonzero(union[:, 0] != NONE)
            start = 0 if lookback is None else max(0, seen[0] - lookback)
            stop = len(union) if lookahead is None else min(len(union), seen[-1] + 1 + lookahead)
            size, origins = _path(union[start:stop], width, height, margins)
            regions.append(
                Region(frozenset(group), int(first + start), int(first + stop), *size, origins)
            )
    return sorted(regions, key=lambda region: region.start)


def _margin(size: np.ndarray, margins: Margins) -> int:
    # One width on all sides: a caption is wide and low, and needs as much above as beside it.
    return max(margins.least, round(margins.part * float(np.sqrt(np.prod(size)))))


def groups(boxes: Mapping[int, np.ndarray], margins: Margins) -> list[set[int]]:
    """The objects that are filled together: their masks come into each other's context.

    Args:
        boxes: for each object id, (N, 4) int32 of its mask in each frame, ``NONE`` where it is not.
        margins: how much of the picture around a mask the engine may look at.
    """
    together: list[set[int]] = []
    for object_id in boxes:
        touching = [
            group
            for group in together
            if any(_meet(boxes[object_id], boxes[other], margins) for other in group)
        ]
        merged = {object_id}.union(*touching)
        together = [group for group in together if group not in touching] + [merged]
    return together


def _meet(boxes: np.ndarray, other: np.ndarray, margins: Margins) -> bool:
    both = (boxes[:, 0] != NONE) & (other[:, 0] != NONE)
    a, b = boxes[both], other[both]
    reach = np.full((len(a), 2), margins.least)
    near = np.maximum(a[:, :2], b[:, :2]) - np.minimum(a[:, 2:], b[:, 2:]) < reach
    return bool(near.all(axis=1).any())


def _union(boxes: list[np.ndarray]) -> np.ndarray:
    stack = np.stack(boxes)
    absent = stack[..., :1] == NONE
    far = np.iinfo(np.int32).max
    low = np.where(absent, far, stack[..., :2]).min(axis=0)
    high = np.where(absent, NONE, stack[..., 2:]).max(axis=0)
    union = np.concatenate([low, high], axis=1).astype(np.int32)
    union[absent.all(axis=0)[:, 0]] = NONE
    return union


def _path(
    boxes: np.ndarray, width: int, height: int, margins: Margins
) -> tuple[tuple[int, int], np.ndarray]:
    """The crop's size and where it lies in each frame."""
    seen = boxes[boxes[:, 0] != NONE]
    picture = np.array([width, height])
    largest = (seen[:, 2:] - seen[:, :2]).max(axis=0)
    size = _room(largest, picture, margins)
    margin = _margin(largest, margins)
    origins = np.zeros((len(boxes), 2), np.int32)
    place = _around(seen[0], size, picture)
    for i, box in enumerate(boxes):
        # The crop may lag until half of the context is used up, then it jumps back to the middle.
        if box[0] != NONE and _leaves(box, place, size, margin // 2, picture):
            place = _around(box, size, picture)
        origins[i] = place
    return (int(size[0]), int(size[1])), origins


def room_for(
    box: np.ndarray, picture: np.ndarray, margins: Margins
) -> tuple[np.ndarray, np.ndarray]:
    """Size and place of a crop around ``box``, each (x, y) int, without knowing what comes.

    Args:
        box: (4,) int x0, y0, x1, y1 of the mask.
        picture: (width, height).
        margins: how much of the picture around the mask is wanted.
    """
    size = _room(box[2:] - box[:2], picture, margins)
    return size, _around(box, size, picture)


def follow(
    box: np.ndarray, place: np.ndarray, size: np.ndarray, picture: np.ndarray, margins: Margins
) -> np.ndarray | None:
    """Where a crop goes from ``place`` when its mask is at ``box``; None: it has become too small.

    It stays until half of the context is used up, then it jumps so that the mask is in its middle.

    Args:
        box: (4,) int x0, y0, x1, y1 of the mask.
        place: (x, y) of the crop's top left pixel in the frame before.
        size: (width, height) of the crop.
        picture: (width, height).
        margins: how much of the picture around the mask is wanted.
    """
    margin = _margin(box[2:] - box[:2], margins) // 2
    if not _leaves(box, place, size, margin, picture):
        return place
    centred = _around(box, size, picture)
    return None if _leaves(box, centred, size, margin, picture) else centred


def _room(largest: np.ndarray, picture: np.ndarray, margins: Margins) -> np.ndarray:
    # Even sizes and places keep chroma samples whole.
    return np.minimum((largest + 2 * _margin(largest, margins) + 1) & ~1, picture)


def _around(box: np.ndarray, size: np.ndarray, picture: np.ndarray) -> np.ndarray:
    start = (box[:2] + box[2:]) // 2 - size // 2
    furthest = picture - size
    return np.where(start < furthest, np.maximum(start, 0) & ~1, furthest)


def _leaves(
    box: np.ndarray, place: np.ndarray, size: np.ndarray, margin: int, picture: np.ndarray
) -> bool:
    low = np.maximum(box[:2] - margin, 0)
    high = np.minimum(box[2:] + margin, picture)
    return bool((low < place).any() or (high > place + size).any())
