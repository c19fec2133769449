"""Where a crop of fixed size goes through a shot: still where it can be, eased where it must move.

One coordinate of the crop is a cubic B-spline in time, so it has no corner and its acceleration no
step. Its control points solve a linear programme: the sums of the absolute first, second and third
derivatives are least (Grundmann, Kwatra, Essa, "Auto-Directed Video Stabilization with Robust L1
Optimal Camera Paths", CVPR 2011, section 3), against what is lost of the foci and how far these are
from the middle. Absolute values, unlike squares, make derivatives exactly 0 wherever they can be:
the camera stands, pans evenly, or speeds up evenly. The whole shot is known, so it starts to move
before it has to.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from cleanplate.retargeting.programme import Programme, Rows

# Prices, with positions in lengths of the crop and times in seconds.
TRAVEL = 1.0  # of moving by one length: a nearer middle must pay for it within about a second
SPEED_CHANGE = 0.6  # of a change of speed by one length a second
JERK = 0.08  # of a change of acceleration by one length a second squared
OFF_MIDDLE = 1.0  # of a second with what matters off the middle by one length more than is free
FREE = 0.1  # lengths by which it may be off the middle at little price
NEARLY = 0.05  # of that second where it is less off: it places a camera that stands, and moves none
HOME = 0.001  # of a second one length off the middle of the picture, where nothing else decides
ROOM_LOST = 20.0  # of a second with one length of a focus's room lost
ROOM = 0.04  # lengths of room wanted on both sides of a focus

STEP = 0.4  # s between control points, at first
_BIN = 0.1  # s of foci taken together
_LOST = 0.5  # px of a focus that would fit, from which on control points are set closer
_WINDOW = 90.0  # s of a shot that are planned together
_KEPT = 60.0  # s of them that are final


@dataclass(frozen=True, slots=True, eq=False)
class Foci:
    """What matters along one coordinate, a row for each focus in each frame; sorted by frame."""

    frames: np.ndarray
    """(M,) int, counted from the first frame of the shot."""
    keys: np.ndarray
    """(M,) int: rows of one key are of one thing."""
    lows: np.ndarray
    """(M,) px where it begins."""
    highs: np.ndarray
    """(M,) px where it ends."""
    weights: np.ndarray
    """(M,) price of a second with one length of the crop of it lost; > 0."""


def plan_axis(times: np.ndarray, foci: Foci, length: float, room: float) -> np.ndarray:
    """Where the crop begins in each frame of one shot, along one coordinate.

    Args:
        times: (N,) float64 seconds, rising.
        foci: what matters.
        length: of the crop, in px.
        room: of the picture, in px; at least ``length``.

    Returns:
        (N,) float64 px in [0, room - length].
    """
    if room <= length:
        return np.zeros(len(times))
    interval = float(np.median(np.diff(times))) if len(times) > 1 else STEP
    best, least, step = np.zeros(0), np.inf, STEP
    while True:
        path = _Axis(times, foci, length, room, step, interval).solve()
        lost = _most_lost(path, foci, length)
        if lost < least - 0.01:
            best, least = path, lost
        if least <= _LOST or step <= interval:
            return best
        step = max(step / 2, interval)


def _most_lost(path: np.ndarray, foci: Foci, length: float) -> float:
    """px lost, at most, of what comes first in its frame and is no longer than the crop."""
    if len(foci.frames) == 0:
        return 0.0
    first = _strongest(foci.frames, foci.weights)
    starts = path[foci.frames[first]]
    lows, highs = foci.lows[first], foci.highs[first]
    lost = np.maximum(starts - lows, highs - starts - length)
    return float(np.where(highs - lows <= length, lost, 0).max(initial=0))


def _strongest(groups: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """For each group, ascending, the row of the greatest weight."""
    order = np.lexsort((-weights, groups))
    return order[np.unique(groups[order], return_index=True)[1]]


class _Axis:
    """One coordinate of one shot, with control points at one distance. Positions in lengths."""

    def __init__(
        self,
        times: np.ndarray,
        foci: Foci,
        length: float,
        room: float,
        step: float,
        interval: float,
    ) -> None:
        self._length, self._span = length, room / length - 1
        self._times = times - times[0]
        self._step = step
        self._count = max(1, int(np.ceil((self._times[-1] + 1e-9) / step))) + 3
        self._interval = interval
        width = max(1, round(min(_BIN, step) / interval))
        self._binned = _binned(foci, width, length)
        self._bins = width

    def solve(self) -> np.ndarray:
        points = np.zeros(0)
        window, kept = (max(4, round(seconds / self._step)) for seconds in (_WINDOW, _KEPT))
        for first in itertools.count(0, kept):
            last = first + window >= self._count
            stop = self._count if last else first + window
            known = np.clip(points[first : first + 3], 0, self._span) if first else np.zeros(0)
            solved = self._solve(first, stop, known)
            points = np.concatenate([points[:first], solved])
            if last:
                break
            points = points[: first + kept + 3]
        rows, columns, values = self._basis(self._times)
        path = np.zeros(len(self._times))
        np.add.at(path, rows, values * points[columns])
        return np.clip(path, 0, self._span) * self._length

    def _basis(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, control points and values of a uniform cubic B-spline at ``times``."""
        place = np.minimum((times / self._step).astype(int), self._count - 4)
        u = times / self._step - place
        values = np.stack(
            [
                (1 - u) ** 3,
                3 * u**3 - 6 * u**2 + 4,
                -3 * u**3 + 3 * u**2 + 3 * u + 1,
                u**3,
            ],
            axis=1,
        )
        columns = place[:, None] + np.arange(4)
        rows = np.repeat(np.arange(len(times)), 4)
        return rows, columns.ravel(), (values / 6).ravel()

    def _solve(self, first: int, stop: int, known: np.ndarray) -> np.ndarray:
        """Control points [first, stop); the first of them are ``known``."""
        count, step = stop - first, self._step
        programme = Programme()
        points = programme.variables(np.zeros(count), 0.0, self._span)
        programme.fix(points[: len(known)], known)
        for order, price in ((1, TRAVEL), (2, SPEED_CHANGE / step), (3, JERK / step**2)):
            if count > order:
                programme.absolute(points, _difference(order), price)
        begun, ended = first * step, (stop - 3) * step
        last = stop == self._count
        inside = (self._times >= begun) & ((self._times < ended) | last)
        self._price_foci(programme, points, first, inside)
        return programme.solve()[points]

    def _price_foci(
        self, programme: Programme, points: np.ndarray, first: int, inside: np.ndarray
    ) -> None:
        frames = np.flatnonzero(inside)
        if len(frames) == 0:
            return
        bins = np.unique(frames // self._bins)
        # The first and the last frame of each bin stand for all in it.
        starts = np.maximum(bins * self._bins, frames[0])
        stops = np.minimum(bins * self._bins + self._bins - 1, frames[-1])
        ends = np.unique(np.concatenate([starts, stops]))
        rows, columns, values = self._basis(self._times[ends])
        at = (rows, points[columns - first], values, len(ends))
        of_bin = ends // self._bins
        seconds = self._interval * self._bins
        home = np.full(len(ends), self._span / 2)
        programme.hinge(at, home, np.array(HOME * seconds / 2), home)
        for key in np.unique(self._binned.keys):
            self._price_losses(programme, at, of_bin, _of_key(self._binned, key), seconds)
        self._price_middles(programme, at, of_bin, seconds)

    def _price_losses(
        self, programme: Programme, at: Rows, of_bin: np.ndarray, foci: Foci, seconds: float
    ) -> None:
        """Of one thing what lies outside of the crop, and dearly so, or in its rim."""
        place = np.minimum(np.searchsorted(foci.frames, of_bin), len(foci.frames) - 1)
        there = foci.frames[place] == of_bin
        if not there.any():
            return
        rows, place = _rows_of(at, there), place[there]
        lows, highs, weights = foci.lows[place], foci.highs[place], foci.weights[place]
        for margin, prices in ((0.0, weights), (ROOM, np.minimum(weights, ROOM_LOST))):
            low, high = lows - margin, highs + margin - 1
            # Too long for the crop: what is lost is the same wherever it lies inside.
            ceiling, floor = np.maximum(low, high), np.minimum(low, high)
            programme.hinge(rows, ceiling, prices * seconds / 2, floor)

    def _price_middles(
        self, programme: Programme, at: Rows, of_bin: np.ndarray, seconds: float
    ) -> None:
        """How far what comes first, with all that fits beside it, is from the crop's middle."""
        subjects = _subjects(self._binned)
        if len(subjects.frames) == 0:
            return
        place = np.minimum(np.searchsorted(subjects.frames, of_bin), len(subjects.frames) - 1)
        there = subjects.frames[place] == of_bin
        middle = ((subjects.lows + subjects.highs) / 2)[place][there] - 0.5
        rows, weights = _rows_of(at, there), subjects.weights[place][there]
        for free, price in ((FREE, OFF_MIDDLE), (0.0, NEARLY)):
            prices = np.minimum(weights, price) * seconds / 2
            programme.hinge(rows, middle + free, prices, middle - free)


def _of_key(foci: Foci, key: int) -> Foci:
    mine = foci.keys == key
    return Foci(
        *(foci.frames[mine], foci.keys[mine], foci.lows[mine], foci.highs[mine]),
        foci.weights[mine],
    )


def _difference(order: int) -> np.ndarray:
    return {1: np.array([-1.0, 1]), 2: np.array([1.0, -2, 1]), 3: np.array([-1.0, 3, -3, 1])}[order]


def _rows_of(at: Rows, there: np.ndarray) -> Rows:
    rows, columns, values, _ = at
    kept = there[rows]
    numbers = np.cumsum(there) - 1
    return numbers[rows[kept]], columns[kept], values[kept], int(there.sum())


def _binned(foci: Foci, width: int, length: float) -> Foci:
    """The foci in lengths of the crop, those of one thing in a bin of frames taken together."""
    bins = foci.frames // width
    order = np.lexsort((bins, foci.keys))
    keys, bins = foci.keys[order], bins[order]
    starts = np.flatnonzero(np.concatenate([[True], (np.diff(keys) != 0) | (np.diff(bins) != 0)]))
    if len(order) == 0:
        return foci
    return Foci(
        bins[starts],
        keys[starts],
        np.minimum.reduceat(foci.lows[order], starts) / length,
        np.maximum.reduceat(foci.highs[order], starts) / length,
        np.maximum.reduceat(foci.weights[order], starts),
    )


def _subjects(foci: Foci) -> Foci:
    """In each bin the stretch to be in the middle: what comes first, and all else that fits."""
    order = np.lexsort((-foci.weights, foci.frames))
    starts = np.flatnonzero(np.diff(foci.frames[order], prepend=-1))
    lows, highs = foci.lows[order], foci.highs[order]
    merged_low, merged_high = lows[starts].copy(), highs[starts].copy()
    group = np.searchsorted(starts, np.arange(len(order)), side="right") - 1
    rank = np.arange(len(order)) - starts[group] if len(order) else group
    for number in range(1, int(rank.max(initial=0)) + 1):
        at = np.flatnonzero(rank == number)
        low = np.minimum(merged_low[group[at]], lows[at])
        high = np.maximum(merged_high[group[at]], highs[at])
        fits = high - low <= 1
        merged_low[group[at[fits]]], merged_high[group[at[fits]]] = low[fits], high[fits]
    frames, keys = foci.frames[order][starts], foci.keys[order][starts]
    return Foci(frames, keys, merged_low, merged_high, foci.weights[order][starts])
