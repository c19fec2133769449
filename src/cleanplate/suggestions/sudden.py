"""Where pixels that stayed the same change together: how a caption comes and goes.

What is in front of a still camera stays, too, but does not appear or vanish at once and leave all
around it as it was. Only stretches that begin or end so within a shot are told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.types import Box

SECOND = 8  # looks a second that are enough
_SAME = 14  # grey levels by which coding may change a pixel that stays
_SHORTEST = 4  # looks that a stretch lasts at least
_SOFT = 2  # looks that coming or going may take
_JOIN = (18, 6)  # px: letters so near belong together
_LEAST = 30  # px of the picture that change together
_DENSITY = (0.04, 0.85)  # part of its box: letters leave room between them
_LARGEST = (0.95, 0.35)  # parts of the picture's width and height
_EVERYWHERE = 0.15  # part of the picture: what changes so much is a cut, or the camera
_TOGETHER = 0.6  # share of the pixels that began at the same look


@dataclass(frozen=True, slots=True)
class Stretch:
    """Pixels that stayed the same for a while, then changed together, or the other way round."""

    box: Box
    start: int
    """The first frame looked at that shows them."""
    stop: int
    """The first one that does not; the end of the shot, where they last so long."""
    begins: bool
    """They appear within a shot."""
    ends: bool
    """They vanish within a shot."""


class Watch:
    """Looks at a clip frame by frame. Holds a few pictures, whatever the length."""

    def __init__(self) -> None:
        self._level: np.ndarray | None = None
        self._since = np.zeros((0, 0), np.int32)
        self._looks: list[int] = []  # frames looked at
        self._shot = 0  # the look that the shot begins with
        self._gone: list[
            np.ndarray
        ] = []  # of the last looks: since when what went had lasted, or -1

    def see(self, index: int, image: np.ndarray, cut: bool) -> Iterator[Stretch]:
        """Frame ``index`` ((H, W, 3) uint8 RGB); ``cut``: a shot began since the last one."""
        luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if self._level is None or cut:
            yield from self.finish(index)
            self._level, self._shot = luma.copy(), len(self._looks)
            self._since = np.full(luma.shape, self._shot, np.int32)
            self._gone = [np.full(luma.shape, -1, np.int32) for _ in range(_SOFT)]
        look = len(self._looks)
        self._looks.append(index)
        changed = cv2.absdiff(luma, self._level) > _SAME
        lasted = changed & (look - self._since >= _SHORTEST)
        now = np.where(lasted, self._since, -1)
        # Those that went a look ago are of the same change.
        together = np.maximum.reduce([*self._gone, now])
        before, self._gone = self._gone, [*self._gone[1:], now]
        if (before[-1] >= 0).any():
            yield from self._found(together, look - 1, ends=True)
        self._level[changed] = luma[changed]
        self._since[changed] = look

    def finish(self, stop: int) -> Iterator[Stretch]:
        """What the shot that ends before frame ``stop`` shows to its end."""
        if self._level is None or not self._looks:
            return
        look = len(self._looks)
        lasts = (self._since > self._shot) & (look - self._since >= _SHORTEST)
        counts = np.bincount(self._since[lasts], minlength=look)
        for began in np.flatnonzero(counts >= _LEAST):
            # With those that came a look later.
            chosen = lasts & (self._since >= began) & (self._since < began + _SOFT)
            yield from self._found(np.where(chosen, self._since, -1), look, ends=False, stop=stop)

    def _found(self, since: np.ndarray, look: int, ends: bool, stop: int = 0) -> Iterator[Stretch]:
        pixels = (since >= 0).astype(np.uint8)
        if pixels.mean() > _EVERYWHERE:
            return
        joined = cv2.morphologyEx(pixels, cv2.MORPH_CLOSE, np.ones(_JOIN[::-1], np.uint8))
        count, parts, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
        labels, (height, width) = np.asarray(parts), pixels.shape
        for number in range(1, count):
            x, y, w, h = (int(v) for v in stats[number, :4])
            box = Box(x, y, x + w, y + h)
            began = since[box.slices][(labels[box.slices] == number) & (pixels[box.slices] > 0)]
            if len(began) < _LEAST or not _DENSITY[0] < len(began) / (w * h) < _DENSITY[1]:
                continue
            if w > _LARGEST[0] * width or h > _LARGEST[1] * height or w < h:
                continue
            if x == 0 or y == 0 or x + w == width or y + h == height:
                continue
            first = int(np.median(began))
            near = np.abs(began - first) < _SOFT
            begins = bool(near.mean() >= _TOGETHER and first > self._shot)
            end = self._looks[look] if ends else stop
            yield Stretch(box, self._looks[first], end, begins, ends)
