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
_NARROW = (24, 80)  # px: what moves on leaves strips behind, a line of text is wider than they
_LEAST = 30  # px of the picture that change together
_DENSITY = (0.04, 0.85)  # part of its box: letters leave room between them
_LARGEST = (0.95, 0.35)  # parts of the picture's width and height
_EVERYWHERE = 0.15  # part of the picture: what changes so much is a cut, or the camera


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
            yield from self._grouped(together, look - 1, self._looks[look - 1], ends=True)
        self._level[changed] = luma[changed]
        self._since[changed] = look

    def finish(self, stop: int) -> Iterator[Stretch]:
        """What the shot that ends before frame ``stop`` shows to its end."""
        if self._level is None or not self._looks:
            return
        look = len(self._looks)
        lasts = (self._since > self._shot) & (look - self._since >= _SHORTEST)
        yield from self._grouped(np.where(lasts, self._since, -1), look, stop, ends=False)

    def _grouped(self, since: np.ndarray, look: int, stop: int, ends: bool) -> Iterator[Stretch]:
        """Of pixels that changed together those that had begun together as well."""
        if ends:
            # What moved behind letters has changed some of them a little before.
            for box in _lines(since >= 0):
                within = since[box.slices]
                often = np.bincount(within[within >= 0], minlength=look) >= _LEAST
                if often.any():
                    began = int(np.flatnonzero(often)[0])
                    yield Stretch(box, self._looks[began], stop, began > self._shot, ends)
        counts = np.bincount(since[since >= 0], minlength=look)
        taken = -_SOFT
        for began in np.flatnonzero(counts >= _LEAST):
            if began - taken < _SOFT:
                continue
            taken = began
            # Those that came a look later are of the same change.
            chosen = (since >= began) & (since < began + _SOFT)
            for box in _lines(chosen):
                yield Stretch(box, self._looks[began], stop, bool(began > self._shot), ends)


def _lines(pixels: np.ndarray) -> Iterator[Box]:
    """Boxes of pixels ((H, W) bool) that lie together as lines of text do."""
    if pixels.mean() > _EVERYWHERE:
        return
    plain = pixels.astype(np.uint8)
    joined = cv2.morphologyEx(plain, cv2.MORPH_CLOSE, np.ones(_JOIN[::-1], np.uint8))
    told: set[Box] = set()
    for narrow in _NARROW:
        lines = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((3, narrow), np.uint8))
        for box in _boxes(lines, pixels):
            if box not in told:
                told.add(box)
                yield box


def _boxes(lines: np.ndarray, pixels: np.ndarray) -> Iterator[Box]:
    count, parts, stats, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    labels, (height, width) = np.asarray(parts), pixels.shape
    for number in range(1, count):
        x, y, w, h = (int(v) for v in stats[number, :4])
        box = Box(x, y, x + w, y + h)
        own = np.count_nonzero((labels[box.slices] == number) & pixels[box.slices])
        if own < _LEAST or not _DENSITY[0] < own / (w * h) < _DENSITY[1]:
            continue
        if w > _LARGEST[0] * width or h > _LARGEST[1] * height or w < h:
            continue
        if x == 0 or y == 0 or x + w == width or y + h == height:
            continue
        yield box
