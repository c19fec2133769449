"""Lines of text that appear or vanish at once: captions over a camera that stands still.

There motion says nothing, but a caption comes or goes within half a second, keeps its colour while
it is shown, and leaves what lies around it as it was. So the usual picture just before a moment is
compared with the usual one just after it: what changed, is of one level and steady on the side that
shows it, and has the look of a line of text, is a caption. A thing that passes changes a solid
shape, bit by bit; a sign of the scene never comes or goes; a light changes too much at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from cleanplate.arrays.masks import around, shared_area, shifted, widened
from cleanplate.suggestions.lines import is_text
from cleanplate.types import Box

LOOKS = 8  # a second: enough to see what stays for half of one
_SIDE = 3  # looks compared on either side of a moment
_STEADY = 14  # grey levels within which coding lets steady pixels vary
_CHANGED = 30  # grey levels by which letters differ from what was there
_LEVEL = 45  # grey levels about their usual one within which letters lie, rims apart
_EVERYWHERE = 0.15  # part of the picture: what changes so much is a light, a cut, or the camera
_JOIN = (18, 5)  # px: letters so near belong together
_LEAST = 30  # px of a line's letters
_LARGEST = (0.95, 0.2)  # of the picture's width and height: a line of text
_WHOLE = 0.3  # part of a shape that changed, from which on it is a letter that overlies another
_HELD = 0.6  # part of the letters that must keep their level for the line to be seen still
_RIM, _RING = 4, 10  # px around letters: what an outline or a shadow takes; what lies beside
_CLEAR = 0.6  # part of the rim that differs from the letters
_PASSES = 0.7  # part of what lies beside letters that changes where something passes
_APART, _STRAY = (
    0.35,
    0.25,
)  # part of the way that letters may differ by; part of them that may more
_SHORTEST = 6  # looks: nobody reads faster
_TOGETHER = 0.7  # part of the letters that began within _SOFT looks of one another
_SOFT = 2  # looks that coming or going may take


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A line of text, and between which frames looked at it is seen."""

    box: Box
    letters: np.ndarray
    """(h, w) bool, of the box's size."""
    start: int
    stop: int
    begins: bool
    """It appears within a shot, else the shot begins with it."""
    ends: bool
    """It vanishes within a shot, else the shot ends with it."""


@dataclass(slots=True, eq=False)
class _Line:
    """A line that is being shown."""

    box: Box
    letters: np.ndarray
    luma: np.ndarray
    look: int

    def is_seen(self, luma: np.ndarray) -> bool:
        differs = cv2.absdiff(luma[self.box.slices], self.luma)[self.letters]
        return bool((differs <= 2 * _STEADY).mean() >= _HELD)


class Watch:
    """Looks at a clip, frame by frame. Holds a few pictures, whatever the length."""

    def __init__(self) -> None:
        self._looks: list[int] = []  # frames looked at
        self._lumas: deque[np.ndarray] = deque(maxlen=2 * _SIDE)
        self._level = self._since = np.zeros((0, 0), np.uint8)
        self._first = 0  # look that the shot begins with
        self._lines: list[_Line] = []

    def see(self, index: int, image: np.ndarray, cut: bool) -> Iterator[Stretch]:
        """Frame ``index`` ((H, W, 3) uint8 RGB); ``cut``: a shot began since the last one."""
        luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        if cut or not self._looks:
            yield from self.finish(index)
            self._first = len(self._looks)
            self._level, self._since = luma, np.full(luma.shape, self._first, np.int32)
        self._looks.append(index)
        self._lumas.append(luma)
        yield from self._vanished(luma)
        if len(self._lumas) == 2 * _SIDE:
            yield from self._moment()

    def finish(self, stop: int) -> Iterator[Stretch]:
        """What the shot that ends before frame ``stop`` shows to its end."""
        for line in self._lines:
            if len(self._looks) - line.look >= _SHORTEST:
                yield self._stretch(line.box, line.letters, line.look, stop, True, False)
        self._lines.clear()
        self._lumas.clear()

    def _vanished(self, luma: np.ndarray) -> Iterator[Stretch]:
        look = len(self._looks) - 1
        gone = [line for line in self._lines if not line.is_seen(luma)]
        self._lines = [line for line in self._lines if line not in gone]
        for line in gone:
            if look - line.look >= _SHORTEST:
                stop = self._looks[look]
                yield self._stretch(line.box, line.letters, line.look, stop, True, True)

    def _moment(self) -> Iterator[Stretch]:
        """What came or went between the earlier and the later half of the pictures held."""
        moment = len(self._looks) - _SIDE
        held = list(self._lumas)
        moved = cv2.absdiff(held[_SIDE - 1], self._level) > _STEADY
        self._level = np.where(moved, held[_SIDE - 1], self._level)
        self._since[moved] = moment - 1
        before, was_steady = _usual(held[:_SIDE])
        after, is_steady = _usual(held[_SIDE:])
        changed = cv2.absdiff(before, after) > _CHANGED
        if (changed & was_steady & is_steady).mean() > _EVERYWHERE:
            return
        for box, letters in _texts(held, after, before, is_steady & changed, is_steady):
            if not any(_overlies(box, line.box) for line in self._lines):
                self._lines.append(_Line(box, letters, after[box.slices], moment))
        for box, letters in _texts(held, before, after, was_steady & changed, was_steady):
            began = self._since[box.slices][letters]
            usual = int(np.median(began))
            if (np.abs(began - usual) <= _SOFT).mean() < _TOGETHER:
                continue
            begins = usual > self._first + _SOFT
            start = usual if begins else self._first
            if moment - start >= _SHORTEST:
                yield self._stretch(box, letters, start, self._looks[moment], begins, True)

    def _stretch(
        self, box: Box, letters: np.ndarray, look: int, stop: int, begins: bool, ends: bool
    ) -> Stretch:
        return Stretch(box, letters, self._looks[look], stop, begins, ends)


def joined(stretches: list[Stretch], step: int) -> list[Stretch]:
    """Lines and words that come and go together and lie near each other, as one.

    Args:
        stretches: in one picture's pixels.
        step: frames from one look to the next.
    """
    whole: list[Stretch] = []
    for stretch in sorted(stretches, key=lambda part: (part.start, part.box.y0, part.box.x0)):
        for place, other in enumerate(whole):
            at_once = max(abs(stretch.start - other.start), abs(stretch.stop - other.stop))
            if at_once <= _SOFT * step and _are_near(stretch.box, other.box):
                whole[place] = _union(other, stretch)
                break
        else:
            whole.append(stretch)
    return whole if len(whole) == len(stretches) else joined(whole, step)


def _union(first: Stretch, second: Stretch) -> Stretch:
    box = around(first.box, second.box)
    letters = np.zeros((box.height, box.width), bool)
    for part in (first, second):
        y, x = part.box.y0 - box.y0, part.box.x0 - box.x0
        letters[y : y + part.box.height, x : x + part.box.width] |= part.letters
    # Letters are complete a little after they begin to come, and until they begin to go.
    start, stop = max(first.start, second.start), min(first.stop, second.stop)
    return replace(first, box=box, letters=letters, start=start, stop=stop)


def _are_near(first: Box, second: Box) -> bool:
    """Whether they overlap, or are words of a row or rows of a text."""
    beside = max(first.x0, second.x0) - min(first.x1, second.x1)
    below = max(first.y0, second.y0) - min(first.y1, second.y1)
    height = min(first.height, second.height)
    return (beside <= 2 * height and below < -height // 2) or (beside < 0 and below <= height)


def _overlies(first: Box, second: Box) -> bool:
    """Whether they share most of the smaller one."""
    smaller = min(first.width * first.height, second.width * second.height)
    return shared_area(first, second) > 0.5 * smaller


def _usual(lumas: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The median of three pictures ((H, W) uint8), and where they hardly differ ((H, W) bool)."""
    first, second, third = lumas
    low, high = np.minimum(first, second), np.maximum(first, second)
    steady = np.maximum(high, third) - np.minimum(low, third) <= _STEADY
    return np.maximum(low, np.minimum(high, third)), steady


def _texts(
    held: list[np.ndarray],
    shown: np.ndarray,
    bare: np.ndarray,
    changed: np.ndarray,
    steady: np.ndarray,
) -> Iterator[tuple[Box, np.ndarray]]:
    """Lines of text that ``shown`` has and ``bare`` has not: the box and (h, w) bool letters.

    Args:
        held: the pictures around the moment, (H, W) uint8 luma.
        shown, bare: the usual one on the side of the text, and on the other.
        changed: (H, W) bool, where they differ and ``shown`` is steady.
        steady: (H, W) bool, where ``shown`` is.
    """
    for brighter in (True, False):
        pixels = changed & ((shown > bare) == brighter)
        for box in _lines(pixels):
            inside, luma = pixels[box.slices], shown[box.slices]
            level = float(np.percentile(luma[inside], 85 if brighter else 15))
            alike = steady[box.slices] & (np.abs(luma - np.float32(level)) < _LEVEL)
            letters = _whole(alike, inside)
            for part in _lines(letters):
                chosen = letters[part.slices]
                x, y = box.x0 + part.x0, box.y0 + part.y0
                place = Box(x, y, x + part.width, y + part.height)
                if not _is_inside(place, shown.shape):
                    continue
                if (
                    is_text(chosen)
                    and _stands_out(shown, bare, place, chosen)
                    and _at_once(held, bare, shown, place, chosen)
                ):
                    yield place, chosen


def _at_once(
    held: list[np.ndarray], bare: np.ndarray, shown: np.ndarray, box: Box, letters: np.ndarray
) -> bool:
    """Whether in each picture all letters are the same part of the way from ``bare`` to ``shown``.

    What something covers or uncovers as it passes is changed bit by bit.
    """
    first, last = bare[box.slices][letters].astype(np.float32), shown[box.slices][letters]
    way = last - first
    told = np.abs(way) > _CHANGED
    if not told.any():
        return False
    for luma in held:
        done = (luma[box.slices][letters][told] - first[told]) / way[told]
        if (np.abs(done - np.median(done)) > _APART).mean() > _STRAY:
            return False
    return True


def _is_inside(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether ``box`` is of a line's size and touches no side of the picture, (H, W) ``shape``."""
    height, width = shape
    if box.width > _LARGEST[0] * width or box.height > _LARGEST[1] * height:
        return False
    return box.x0 > 0 and box.y0 > 0 and box.x1 < width and box.y1 < height


def _stands_out(shown: np.ndarray, bare: np.ndarray, box: Box, letters: np.ndarray) -> bool:
    """Whether ``letters`` differ from what is close around them, which changes little by itself.

    A picture that a text leaves behind, or one that something passes through, fails one of the two.
    """
    height, width = shown.shape
    room = widened(box, _RING, width, height)
    text = np.zeros((room.height, room.width), np.uint8)
    text[shifted(box, -room.x0, -room.y0).slices] = letters
    rim, near, far = (
        cv2.dilate(text, np.ones((2 * reach + 1,) * 2, np.uint8)) > 0 for reach in (2, _RIM, _RING)
    )
    luma, other = shown[room.slices], bare[room.slices]
    level = float(np.median(luma[text > 0]))
    clear = np.abs(luma[rim & (text == 0)] - np.float32(level)) > _CHANGED
    unclear = np.abs(other[rim & (text == 0)] - np.median(other[text > 0]).astype(np.float32))
    if clear.mean() < max(_CLEAR, (unclear > _CHANGED).mean()):
        return False
    around = far & ~near
    changed = cv2.absdiff(luma, other)[around] > _STEADY
    return changed.size > 0 and bool(changed.mean() <= _PASSES)


def _whole(alike: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """The shapes of ``alike`` that changed, whole: what two captions share has not changed."""
    count, parts = cv2.connectedComponents(alike.astype(np.uint8), connectivity=8)
    labels: np.ndarray = np.asarray(parts).ravel()
    sizes = np.bincount(labels, minlength=count)
    share = np.bincount(labels, changed.ravel(), count) / np.maximum(sizes, 1)
    share[0] = 0
    is_whole: np.ndarray = share > _WHOLE
    return is_whole[labels].reshape(alike.shape) | (alike & changed)


def _lines(pixels: np.ndarray) -> Iterator[Box]:
    """Boxes of pixels ((H, W) bool) that lie together as a line of text does."""
    if np.count_nonzero(pixels) < _LEAST:
        return
    height, width = pixels.shape
    plain = np.pad(pixels.astype(np.uint8), 1)
    near = cv2.morphologyEx(plain, cv2.MORPH_CLOSE, np.ones(_JOIN[::-1], np.uint8))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    labels = np.asarray(parts)[1:-1, 1:-1]
    sizes = np.bincount(labels[pixels], minlength=count)
    for number in range(1, count):
        x, y, w, h = (int(value) for value in stats[number, :4])
        x0, y0, x1, y1 = max(x - 1, 0), max(y - 1, 0), min(x - 1 + w, width), min(y - 1 + h, height)
        if sizes[number] >= _LEAST and x1 - x0 > y1 - y0:
            yield Box(x0, y0, x1, y1)
