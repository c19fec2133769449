"""Captions over a still camera: lines of text that come and go at once, at the clip's own size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.masks import grow, widened
from cleanplate.arrays.overlay import grown, letter_height
from cleanplate.media.picture import Picture
from cleanplate.media.read import Clip
from cleanplate.media.survey import Survey
from cleanplate.suggestions.sudden import Stretch
from cleanplate.types import Box, Suggestion

_INSIDE, _OUTSIDE = 9, 3  # frames that show it, and frames before and after
_STEADY, _CHANGED = 14.0, 20.0  # grey levels: of what is the caption's
_REACH = 0.3  # of the letters' height: how far outlines and soft shadows go
_CONTRAST = 40.0  # grey levels of letters that are as clear as can be
_BUDGET = 64_000_000  # bytes of pictures held at once


@dataclass(frozen=True, slots=True)
class _Need:
    """The frames in which one stretch is looked at closely."""

    stretch: Stretch
    room: Box
    inside: tuple[int, ...]
    outside: tuple[tuple[int, ...], ...]

    @property
    def frames(self) -> set[int]:
        return {*self.inside, *(n for side in self.outside for n in side)}

    @property
    def size(self) -> int:
        return self.room.width * self.room.height * len(self.frames)


def captions(
    clip: Clip, surveyed: Survey, stretches: list[Stretch], scale: float, step: int
) -> list[tuple[Stretch, Suggestion]]:
    """Of each stretch the caption that it shows; times to a look.

    Args:
        clip: the clip.
        surveyed: its survey.
        stretches: in pixels of the small picture.
        scale: of the clip's pixels to those.
        step: frames from one look to the next.

    Reads the clip once for as many captions as 64 MB hold pictures of.
    """
    needs = [_need(clip, surveyed, stretch, scale, step) for stretch in stretches]
    needs.sort(key=lambda need: need.stretch.start)
    suggestions: list[tuple[Stretch, Suggestion]] = []
    while needs:
        batch, size = [needs.pop(0)], 0
        while needs and size + needs[0].size <= _BUDGET:
            batch.append(needs.pop(0))
            size += batch[-1].size
        pictures = _pictures(clip, batch)
        for need, seen in zip(batch, pictures, strict=True):
            suggestions += ((need.stretch, text) for text in _caption(clip, need, seen, scale))
    return suggestions


def _need(clip: Clip, surveyed: Survey, stretch: Stretch, scale: float, step: int) -> _Need:
    width, height = clip.info.width, clip.info.height
    (x0, y0), (x1, y1) = (
        (int(x * scale), int(y * scale))
        for x, y in ((stretch.box.x0, stretch.box.y0), (stretch.box.x1 + 1, stretch.box.y1 + 1))
    )
    room = widened(Box(x0, y0, x1, y1), round(0.5 * (y1 - y0)) + 4, width, height)
    last = max(stretch.stop - 1 - step, stretch.start + step)
    inside = np.linspace(stretch.start + step, last, _INSIDE).astype(int)
    shot, outside = surveyed.shots[stretch.start], []
    for is_there, first in (
        (stretch.begins, stretch.start - (_OUTSIDE + 1) * step),
        (stretch.ends, stretch.stop + 2 * step),
    ):
        side = [first + n * step for n in range(_OUTSIDE)] if is_there else []
        kept = [n for n in side if 0 <= n < surveyed.count and surveyed.shots[n] == shot]
        outside += [tuple(kept)] if kept else []
    shown = sorted({int(n) for n in inside if 0 <= n < surveyed.count})
    return _Need(stretch, room, tuple(shown), tuple(outside))


def _pictures(clip: Clip, batch: list[_Need]) -> list[dict[int, np.ndarray]]:
    """For each need its room in its frames, (h, w) uint8 luma."""
    seen: list[dict[int, np.ndarray]] = [{} for _ in batch]
    wanted = sorted(set().union(*(need.frames for need in batch)))
    for index, picture in _chosen(clip, wanted):
        for need, pictures in zip(batch, seen, strict=True):
            if index in need.frames:
                pictures[index] = cv2.cvtColor(picture.rgb(need.room), cv2.COLOR_RGB2GRAY)
    return seen


def _chosen(clip: Clip, wanted: list[int]) -> Iterator[tuple[int, Picture]]:
    chosen = set(wanted)
    for picture in clip.pictures(wanted[0], wanted[-1] + 1):
        if picture.index in chosen:
            yield picture.index, picture


def _caption(
    clip: Clip, need: _Need, seen: dict[int, np.ndarray], scale: float
) -> Iterator[Suggestion]:
    stretch, room = need.stretch, need.room
    shown = np.stack([seen[n] for n in need.inside if n in seen]).astype(np.float32)
    usual = np.median(shown, axis=0)
    steady = np.median(np.abs(shown - usual), axis=0) <= _STEADY
    sides = [[seen[n] for n in side if n in seen] for side in need.outside]
    changes = [np.abs(usual - np.median(np.stack(side), axis=0)) for side in sides if side]
    if not changes:
        return
    letters = _letters(stretch, room, scale)
    # Under the next caption letters may lie that are alike; under one of the two sides they do not.
    change = np.maximum.reduce(changes)
    near = grow(letters.view(np.uint8), max(2, round(_REACH * letter_height(letters)))) > 0
    mask = grown(letters | (near & steady & (np.minimum.reduce(changes) > _CHANGED)))
    clear = min(float(np.median(change[letters])) / _CONTRAST, 1.0)
    confidence = round(float(steady[letters].mean()) * (0.5 + 0.5 * clear), 3)
    whole = np.zeros((clip.info.height, clip.info.width), bool)
    whole[room.slices] = mask
    whole.flags.writeable = False
    rows, columns = np.flatnonzero(whole.any(axis=1)), np.flatnonzero(whole.any(axis=0))
    box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    yield Suggestion(box, whole, stretch.start, stretch.stop, confidence, "caption")


def _letters(stretch: Stretch, room: Box, scale: float) -> np.ndarray:
    """The stretch's letters in the clip's own pixels, (h, w) bool of ``room``."""
    move = np.array(
        [
            [scale, 0, (stretch.box.x0 + 0.5) * scale - 0.5 - room.x0],
            [0, scale, (stretch.box.y0 + 0.5) * scale - 0.5 - room.y0],
        ],
        np.float32,
    )
    plain = stretch.letters.astype(np.float32)
    large = cv2.warpAffine(plain, move, (room.width, room.height), flags=cv2.INTER_LINEAR)
    return large > 0.4
