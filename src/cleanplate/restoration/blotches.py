"""Dirt, fibres, drop-outs and tape lines: what stands in one frame alone, and does not move on.

Where a frame leaps out of what its neighbours show (``spikes``), pixels are gathered into patches.
Many things leap besides damage: what moves too fast to be followed, glints, rain, snow, sparks. A
patch is judged by what tells these apart: whether the picture around it is followed well, whether
its neighbours agree on what should be there, whether something alike stands near by in a
neighbour, and whether other frames leap in the same place.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.masks import shifted
from cleanplate.restoration.lines import unit_of
from cleanplate.restoration.spikes import View, leap, sided
from cleanplate.types import Box

AROUND = 4  # frames each way in which other leaps are counted
_SEED, _REST = (10.0, 2.0), (6.0, 1.5)  # grey levels, and times the noise, that a patch leaps
_REACH = 3  # px that a patch goes on beyond its seeds
_LEAST_SEEDS, _LEAST_AREA = 2, 3  # px
_LARGEST = 0.02  # of the picture; of a patch lower than _LOW rows nothing is too large
_LOW = 8  # px
_MOST = 0.08  # of the picture: a frame that leaps in more is lit otherwise
_BUSY = 24  # px around a patch in which other leaps are counted
_NEAR = 32  # px around a patch in which something alike is looked for
_RIM = 2  # px around a patch that belong to its look
_RING = 2, 5  # px around a patch whose picture ought to be followed well
_FLIES, _SIZED = 160, 10  # px: a ball may fly so far in a frame; a smaller speck says nothing
_SOFT = -0.45  # sharpness: the rim of what is so large and so soft is blurred by motion
_SAME, _FOUND = (0.45, 0.8), 0.55  # log of size and contrast, relative difference: the same thing
_LIKE, _BENT = (
    (0.5, 1.0),
    0.3,
)  # log of size and contrast; part of its way by which what flies on may leave its course
_RELIT, _FLASHED = 0.15, 0.97  # log of a ratio of light; confidence that is enough in a flash
_LIVELY, _PLAIN = 0.35, 0.95  # share of frames that leap near by; confidence that is enough there
_HOPELESS = 0.1  # confidence, before that search, below which it is not made
_CERTAIN = 3.0  # ratio that stands for what was not looked for

FEATURES = (
    *("area", "contrast", "ring", "disagreement", "alike", "busy"),
    *("motion", "sharpness"),
)
# Logistic regression, see bench/restore.py --learn: mean, deviation and weight of each feature.
_MEANS = np.array([2.894, 3.1, -1.014, -1.161, -0.569, 0.744, 1.88, 0.238])
_DEVIATIONS = np.array([1.003, 0.439, 0.762, 1.244, 0.451, 0.312, 1.11, 0.239])
_WEIGHTS = np.array([0.313, 0.859, -2.147, -0.671, 0.986, -1.157, -0.548, 0.916])
_BIAS = -5.851


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Pixels of one frame that leap together."""

    box: Box
    mask: np.ndarray
    """(h, w) bool, of the box's size."""
    features: np.ndarray
    """(8,) float32, as in ``FEATURES``; ``alike`` and ``busy`` come with the other frames."""
    relit: float
    """Of ``View.relit`` at its place."""


@dataclass(frozen=True, slots=True, eq=False)
class Leaps:
    """What leaps in one frame, and what is needed to judge it when its neighbours are known."""

    frame: int
    grey: np.ndarray
    """(H, W) uint8."""
    neighbours: tuple[np.ndarray, ...]
    """The frames before and after it, (H, W) uint8."""
    patches: Sequence[Patch]
    busy: np.ndarray
    """(H / 8, W / 8) uint8: where anything leaps."""
    is_one_sided: bool
    """At the end of a shot: both neighbours lie on the same side in time."""


MOST_SPECKS = 20
"""In a frame of 640x480, half of the frames around: more is the weather and no dirt."""
_CELL = 8  # px of a cell of ``Leaps.busy``


def leaps_in(
    frame: int,
    grey: np.ndarray,
    view: View,
    motion: np.ndarray,
    neighbours: tuple[np.ndarray, ...],
    known: np.ndarray | None = None,
    *,
    is_one_sided: bool = False,
) -> Leaps:
    """The patches of one frame.

    Args:
        frame: its number.
        grey: (H, W) uint8.
        view: the same frame beside its neighbours.
        motion: (h, w) float32, of any size: how fast things move, in px of the frame a frame.
        neighbours: the frames before and after it.
        known: (H, W) bool: lines that are found otherwise, and left out.
        is_one_sided: both neighbours lie on the same side in time.
    """
    height, width = grey.shape
    unit = unit_of(height, width)
    jump, all_of_it = leap(view), sided(view)
    patches: list[Patch] = []
    busy = np.zeros((-(-height // _CELL), -(-width // _CELL)), np.uint8)
    measures = _Measures(view, cv2.resize(motion, (width, height)), unit)
    kernel = np.ones((2 * round(_REACH * unit) + 1,) * 2, np.uint8)
    for sign in (1, -1):
        seeds = sign * jump > _SEED[0] + _SEED[1] * view.noise
        if known is not None:
            seeds &= ~known
        if not seeds.any() or np.count_nonzero(seeds) > _MOST * seeds.size:
            continue
        near = cv2.dilate(seeds.view(np.uint8), kernel)
        area = (near > 0) & (sign * all_of_it > _REST[0] + _REST[1] * view.noise)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            area.astype(np.uint8), connectivity=8
        )
        sure = np.bincount(labels[seeds], minlength=count)
        for label in range(1, count):
            x, y, wide, high, pixels = stats[label].tolist()
            if sure[label] < _LEAST_SEEDS or pixels < _LEAST_AREA:
                continue
            busy[y // _CELL : -(-(y + high) // _CELL), x // _CELL : -(-(x + wide) // _CELL)] = 1
            if pixels > _LARGEST * grey.size and high > _LOW * unit:
                continue
            box = Box(x, y, x + wide, y + high)
            mask = labels[box.slices] == label
            patches.append(Patch(box, mask, measures.of(box, mask), measures.relit(box)))
    return Leaps(frame, grey, neighbours, patches, busy, is_one_sided)


class _Measures:
    """What one frame tells of its patches."""

    def __init__(self, view: View, motion: np.ndarray, unit: float) -> None:
        self._all_of_it = np.abs(sided(view))
        self._off = np.abs(view.grey - (view.before + view.after) / 2)
        self._disagreement = np.abs(view.before - view.after)
        self._motion, self._relit = motion, view.relit
        self._inner, self._outer = (
            np.ones((2 * max(round(reach * unit), 1) + 1,) * 2, np.uint8) for reach in _RING
        )

    def relit(self, box: Box) -> float:
        """``View.relit`` in the middle of ``box``."""
        rows, columns = self._relit.shape
        height, width = self._off.shape
        y, x = (box.y0 + box.y1) // 2 * rows // height, (box.x0 + box.x1) // 2 * columns // width
        return float(self._relit[y, x])

    def of(self, box: Box, mask: np.ndarray) -> np.ndarray:
        """(8,) float32 features of the patch ``mask`` in ``box``."""
        margin = self._outer.shape[0] // 2
        height, width = self._off.shape
        top, left = min(margin, box.y0), min(margin, box.x0)
        rows = slice(box.y0 - top, min(box.y1 + margin, height))
        columns = slice(box.x0 - left, min(box.x1 + margin, width))
        padded = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        padded[top : top + box.height, left : left + box.width] = mask
        ring = (cv2.dilate(padded, self._outer) > 0) & (cv2.dilate(padded, self._inner) == 0)
        inside = padded > 0
        area = (rows, columns)
        contrast = float(self._all_of_it[area][inside].mean())
        around = float(self._off[area][ring].mean()) if ring.any() else contrast
        rim = cv2.morphologyEx(padded, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        steep = cv2.morphologyEx(self._off[area], cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        within = float(self._disagreement[area][inside].mean())
        return np.array(
            [
                np.log(np.count_nonzero(mask)),
                np.log(contrast),
                np.log(around / contrast + 0.02),
                np.log(within / contrast + 0.02),
                np.log(_CERTAIN),
                0.0,
                np.log(float(self._motion[area].mean()) + 0.1),
                np.log(float(steep[rim].mean()) / contrast + 0.02),
            ],
            np.float32,
        )


def judged(stream: Iterable[Leaps | None]) -> Iterator[tuple[int, list[tuple[Patch, float]]]]:
    """For each frame its number and its patches, features complete, with their confidence.

    Args:
        stream: in order, ``None`` where a shot ends; ``AROUND`` frames are waited for.
    """
    waiting: deque[Leaps] = deque()
    behind: deque[Leaps] = deque(maxlen=AROUND)
    for leaps in stream:
        if leaps is None:
            while waiting:
                yield _judge(waiting, behind)
            behind.clear()
            continue
        waiting.append(leaps)
        if len(waiting) > AROUND:
            yield _judge(waiting, behind)
    while waiting:
        yield _judge(waiting, behind)


def without_weather(
    stream: Iterable[tuple[int, list[tuple[Patch, float]]]], size: tuple[int, int], least: float
) -> Iterator[tuple[int, list[tuple[Patch, float]]]]:
    """The same, but for frames with more patches, for some time, than a film has dirt.

    Snow and rain leave many specks in each of many frames, of which each might be dirt.

    Args:
        stream: of ``judged``; ``AROUND`` frames are waited for.
        size: (H, W) of the frames.
        least: the confidence from which on a patch counts.
    """
    most = MOST_SPECKS * size[0] * size[1] / (640 * 480 * unit_of(*size) ** 2)
    held: deque[tuple[int, list[tuple[Patch, float]]]] = deque()
    counts: deque[int] = deque(maxlen=2 * AROUND + 1)
    for item in itertools.chain(stream, itertools.repeat(None, AROUND)):
        if item is not None:
            held.append(item)
            counts.append(sum(sure >= least for _, sure in item[1]))
        elif len(counts) > AROUND + 1:
            counts.popleft()
        if held and (item is None or len(held) > AROUND):
            index, patches = held.popleft()
            yield index, patches if np.median(counts) <= most else []


def _judge(waiting: deque[Leaps], behind: deque[Leaps]) -> tuple[int, list[tuple[Patch, float]]]:
    leaps = waiting.popleft()
    others = [other.busy for other in (*behind, *waiting)]
    neighbours = [*list(behind)[-1:], *list(waiting)[:1]]
    behind.append(leaps)
    unit = unit_of(*leaps.grey.shape)
    reach = max(round(_BUSY * unit / _CELL), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    share = np.mean([cv2.dilate(cells, disc) for cells in others], axis=0) if others else None
    results: list[tuple[Patch, float]] = []
    for patch in leaps.patches:
        box = patch.box
        if share is not None:
            y, x = (box.y0 + box.y1) // 2 // _CELL, (box.x0 + box.x1) // 2 // _CELL
            patch.features[5] = share[y, x]
        sure = confidence(patch.features)
        if sure > _HOPELESS:
            unlike = _alike(leaps, patch, round(_NEAR * unit))
            patch.features[4] = np.log(min(unlike, _CERTAIN) + 0.05)
            sure = confidence(patch.features)
        if patch.relit > _RELIT and sure < _FLASHED:
            sure = 0.0
        if min(box.width, box.height) >= _SIZED * unit and (
            leaps.is_one_sided  # nobody knows where it goes
            or patch.features[7] < _SOFT
            or (patch.features[5] >= _LIVELY and sure < _PLAIN)
            or _flew(leaps, patch, neighbours, unit)
        ):
            sure = 0.0
        results.append((patch, sure))
    return leaps.frame, results


def confidence(features: np.ndarray) -> float:
    """How surely a patch with these features is damage, 0..1."""
    total = float(((features - _MEANS) / _DEVIATIONS) @ _WEIGHTS) + _BIAS
    return float(1 / (1 + np.exp(-total)))


def _alike(leaps: Leaps, patch: Patch, reach: int) -> float:
    """How unlike the patch is to all that is within ``reach`` px of its place in a neighbour.

    The least root mean squared difference of the patch and its rim, relative to the patch's
    contrast: about 1 where nothing is like it, 0 where it is found again.
    """
    return min(_unlike(leaps, patch, other, patch.box, reach) for other in leaps.neighbours)


def _flew(leaps: Leaps, patch: Patch, neighbours: Sequence[Leaps], unit: float) -> bool:
    """Whether a patch of a frame next to it is the same thing, or it flies through all three."""
    ways: list[list[np.ndarray]] = []
    for other in neighbours:
        ways.append([])
        for twin in other.patches:
            way = _middle(twin.box) - _middle(patch.box)
            if np.abs(way).max() > _FLIES * unit:
                continue
            apart = np.abs(patch.features[:2] - twin.features[:2])
            if (apart <= _LIKE).all():
                ways[-1].append(way)
            if (apart <= _SAME).all() and _unlike(
                leaps, patch, other.grey, twin.box, round(4 * unit)
            ) < _FOUND:
                return True
    if len(ways) < 2:
        return False
    return any(
        np.abs(before + after).max() <= _BENT * max(np.abs(before).max(), np.abs(after).max())
        for before in ways[0]
        for after in ways[1]
        if np.abs(before).max() > _SIZED * unit
    )


def _middle(box: Box) -> np.ndarray:
    return np.array([box.x0 + box.x1, box.y0 + box.y1]) / 2


def _unlike(leaps: Leaps, patch: Patch, grey: np.ndarray, place: Box, reach: int) -> float:
    """As ``_alike``, in one other frame around ``place``."""
    dx = (place.x0 + place.x1 - patch.box.x0 - patch.box.x1) // 2
    dy = (place.y0 + place.y1 - patch.box.y0 - patch.box.y1) // 2
    mask = cv2.dilate(np.pad(patch.mask.astype(np.uint8), _RIM), np.ones((5, 5), np.uint8))
    template, weights = _cut(leaps.grey, patch.box, _RIM), mask.astype(np.float32)
    part = _cut(grey, shifted(patch.box, dx, dy), reach + _RIM)
    least = float(cv2.matchTemplate(part, template, cv2.TM_SQDIFF, mask=weights).min())
    return float(np.sqrt(max(least, 0) / weights.sum())) / float(np.exp(patch.features[1]))


def _cut(grey: np.ndarray, box: Box, margin: int) -> np.ndarray:
    """``box`` of ``grey`` with ``margin`` px around it, float32; its border goes on beyond it."""
    rows = np.clip(np.arange(box.y0 - margin, box.y1 + margin), 0, grey.shape[0] - 1)
    columns = np.clip(np.arange(box.x0 - margin, box.x1 + margin), 0, grey.shape[1] - 1)
    return np.ascontiguousarray(grey[rows[:, None], columns], np.float32)
