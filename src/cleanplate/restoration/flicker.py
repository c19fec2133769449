"""Flicker: the light of the whole frame goes up and down from frame to frame, as old film's does.

From each frame to the next a gain and an offset for each channel are fitted robustly over block
means, so that what moves does not count. Chained, they say how light any neighbour is beside a
frame; the neighbours' course, a line fitted through it, is where the frame should lie. A line goes
with a fade. What leaves the course by much more than the shot usually flickers (a flash) stays, and
a change that lasts (a lamp, a cut) begins a new course. After Delon, "Movie and Video Scale-Time
Equalization", 2006, with affine maps in place of histograms.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_BLOCKS = (48, 27)  # that a frame is divided into
_REACH = 8  # frames each way that make a frame's course
_STEADY = 4.0  # frames: sigma of their weights
_BLACK, _WHITE = 4.0, 250.0  # block means beyond which light was lost
_LEAST = 0.4  # share of the blocks that must tell a pair
_GAINS = (0.6, 1.6)  # of a pair that can be told
_TIED = 30.0  # squared grey levels, a block, that speak for a gain of 1
_ROUNDS = 4  # of weighting what does not fit less
_LOOSE = 2.0  # grey levels by which a block may always be off
_GIVEN_UP = 3  # frames in a row that fit nothing: a new course begins
_LAGS = (1, 2, 3)  # frames apart: second differences that tell flicker from courses
_FAR = 3.5  # times the usual flicker: further off is no flicker
_STEP, _LASTS = 5.0, 3.0  # times the usual flicker, and grey levels: a change that lasts
_VISIBLE = 0.3  # grey levels: a smaller change is not made


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """What a frame is multiplied by, and what is added."""

    gain: np.ndarray
    """(3,) float32, for red, green and blue."""
    offset: np.ndarray
    """(3,) float32, grey levels."""


class FlickerMeter:
    """Shown a shot's frames in order, it tells what each is to be corrected by."""

    def __init__(self) -> None:
        self._reference: np.ndarray | None = None
        self._count, self._lost = 0, 0
        self._frames: list[int] = []
        self._levels: list[np.ndarray] = []
        self._maps: list[np.ndarray] = []
        self._begins: list[int] = []

    def see(self, image: np.ndarray) -> None:
        """The next frame, (H, W, 3) uint8 RGB."""
        blocks = cv2.resize(image, _BLOCKS, interpolation=cv2.INTER_AREA)
        blocks = blocks.reshape(-1, 3).astype(np.float64)
        step = None if self._reference is None else _fitted(self._reference, blocks)
        if step is None and self._reference is not None and self._lost < _GIVEN_UP:
            self._lost += 1
        else:
            if step is None:
                self._begins.append(len(self._frames))
                step = np.array([[1.0, 0.0]] * 3)
            spread = blocks.std(axis=0).clip(8, None)
            middle = blocks.mean(axis=0)
            self._levels.append(np.stack([middle - spread, middle + spread], axis=1))
            self._maps.append(step)
            self._frames.append(self._count)
            self._reference, self._lost = blocks, 0
        self._count += 1

    def corrections(self) -> list[Correction | None]:
        """One for each frame; None for those that stay as they are, bit for bit."""
        result: list[Correction | None] = [None] * self._count
        ends = [*self._begins[1:], len(self._frames)][: len(self._begins)]
        for begin, end in zip(self._begins, ends, strict=True):
            frames = self._frames[begin:end]
            found = _course(np.stack(self._levels[begin:end]), np.stack(self._maps[begin:end]))
            for frame, correction in zip(frames, found, strict=True):
                result[frame] = correction
        return result


def _fitted(before: np.ndarray, now: np.ndarray) -> np.ndarray | None:
    """(3, 2) gain and offset from block means (n, 3) to those of the next frame; None where they
    have too little to do with each other."""
    told = ((np.minimum(before, now) > _BLACK) & (np.maximum(before, now) < _WHITE)).all(axis=1)
    if told.mean() < _LEAST:
        return None
    maps = np.empty((3, 2))
    for channel in range(3):
        x, y = before[told, channel], now[told, channel]
        gain, offset = 1.0, float(np.median(y - x))
        for _ in range(_ROUNDS):
            off = np.abs(y - gain * x - offset)
            scale = 1.5 * float(np.median(off)) + _LOOSE
            weight = 1 / (1 + (off / scale) ** 2) ** 2
            total = weight.sum()
            mean_x, mean_y = (weight * x).sum() / total, (weight * y).sum() / total
            spread = (weight * (x - mean_x) ** 2).sum() / total
            both = (weight * (x - mean_x) * (y - mean_y)).sum() / total
            gain = float((both + _TIED) / (spread + _TIED))
            offset = float(mean_y - gain * mean_x)
        maps[channel] = gain, offset
    if not (_GAINS[0] < maps[:, 0].min() and maps[:, 0].max() < _GAINS[1]):
        return None
    return maps


def _course(levels: np.ndarray, maps: np.ndarray) -> list[Correction | None]:
    """What frames that hang together are corrected by.

    Args:
        levels: (n, 3, 2): a dark and a light level of each channel of each frame.
        maps: (n, 3, 2): gain and offset from the frame before.
    """
    count = len(levels)
    if count < 2 * _REACH:
        return [None] * count
    light = _light(levels, maps)
    usual = _usual_flicker(light)
    parts = _parts(light, usual)
    seen, there = _neighbours(levels, maps, parts)
    target = _line(seen, there)
    result: list[Correction | None] = []
    for index in range(count):
        change = target[index] - levels[index]
        limit = _FAR * usual[index]
        is_flicker = np.abs(change).max() >= _VISIBLE and np.abs(change.mean()) <= limit
        if not is_flicker:
            result.append(None)
            continue
        dark, bright = levels[index, :, 0], levels[index, :, 1]
        gain = (target[index, :, 1] - target[index, :, 0]) / (bright - dark)
        offset = target[index, :, 0] - gain * dark
        result.append(Correction(gain.astype(np.float32), offset.astype(np.float32)))
    return result


def _light(levels: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """(n,) how light the first frame would be if it were lit as each frame is, in grey levels."""
    level = levels[0].mean(axis=1)
    light = [level.mean()]
    for gain, offset in maps[1:].transpose(0, 2, 1):
        level = gain * level + offset
        light.append(level.mean())
    return np.array(light)


def _usual_flicker(light: np.ndarray) -> np.ndarray:
    """(n,) grey levels: how much the light usually leaves its course around each frame."""
    count = len(light)
    usual = np.zeros(count)
    for lag in _LAGS:
        bends = np.abs(light[: -2 * lag] - 2 * light[lag:-lag] + light[2 * lag :])
        bends = np.pad(bends, lag, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(bends, _REACH, mode="reflect"), 2 * _REACH + 1
        )
        usual = np.maximum(usual, np.median(windows, axis=1))
    return usual * 1.4826 / 6**0.5


def _parts(light: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """(n,) int: a new number after each change that lasts."""
    number, numbers = 0, [0]
    for index in range(1, len(light)):
        jump = light[index] - light[index - 1]
        before = np.median(light[max(index - 5, 0) : index])
        after = np.median(light[index : index + 5])
        least = _STEP * usual[index] + _LASTS
        # A fade has no frame that jumps more than those beside it.
        beside = [
            abs(light[k] - light[k - 1]) for k in (index - 1, index + 1) if 0 < k < len(light)
        ]
        alone = abs(jump) > 3 * max(beside, default=0.0)
        number += bool(abs(jump) > least and abs(after - before) > 0.6 * abs(jump) and alone)
        numbers.append(number)
    return np.array(numbers)


def _neighbours(
    levels: np.ndarray, maps: np.ndarray, parts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(2 reach + 1, n, 3, 2): the levels of each frame as its neighbours would light them; and
    (2 reach + 1, n) whether there is such a neighbour."""
    count = len(levels)
    seen = np.repeat(levels[None], 2 * _REACH + 1, axis=0)
    there = np.zeros((2 * _REACH + 1, count), bool)
    there[_REACH] = True
    gain, offset = maps[..., :1], maps[..., 1:]
    for away in range(1, _REACH + 1):
        now = slice(0, count - away)  # frames that have a neighbour so far ahead
        ahead = seen[_REACH + away - 1, now]
        seen[_REACH + away, now] = gain[away:] * ahead + offset[away:]
        there[_REACH + away, now] = parts[away:] == parts[:-away]
        behind = seen[_REACH - away + 1, away:]
        seen[_REACH - away, away:] = (behind - offset[1 : count - away + 1]) / (
            gain[1 : count - away + 1]
        )
        there[_REACH - away, away:] = parts[away:] == parts[:-away]
    return seen, there


def _line(seen: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(n, 3, 2): where a line through the neighbours' levels passes each frame."""
    time = np.arange(-_REACH, _REACH + 1, dtype=np.float64)[:, None, None, None]
    near = np.exp(-0.5 * (time / _STEADY) ** 2) * there[..., None, None]
    weight = np.broadcast_to(near, seen.shape)
    line = seen[_REACH]
    for _ in range(_ROUNDS):
        total = weight.sum(axis=0)
        mean_t, mean_y = (weight * time).sum(axis=0) / total, (weight * seen).sum(axis=0) / total
        spread = (weight * (time - mean_t) ** 2).sum(axis=0)
        slope = (weight * (time - mean_t) * (seen - mean_y)).sum(axis=0) / np.maximum(spread, 1e-9)
        line = mean_y - slope * mean_t
        off = np.abs(seen - line - slope * time)
        hidden = np.where(there[..., None, None], off, np.nan)
        scale = 3 * np.nanmedian(hidden, axis=0) + 0.5
        weight = near / (1 + (off / scale) ** 2) ** 2
    return line
