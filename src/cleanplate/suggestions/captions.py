"""Which pixels that change together are a caption: its edges come or go, and look like text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from cleanplate.arrays.masks import clipped, shifted, widened
from cleanplate.arrays.overlay import Stays, grown, relief, shapes, what_stays
from cleanplate.media.read import Clip
from cleanplate.media.samples import spread
from cleanplate.media.survey import Span, Survey
from cleanplate.suggestions.lines import is_text
from cleanplate.suggestions.sudden import Stretch
from cleanplate.types import Box, Suggestion

_ROOM = 12  # px of surroundings of a box
_INSIDE, _OUTSIDE = 12, 4  # frames that tell what is there, and what was there before or after
_NEAR = 0.5  # seconds before and after, within which those lie
_OTHER = 0.5  # of an edge's strength, by which it changes with the caption
_CONTRAST = 15.0  # grey levels a px of edges that are as clear as can be


def caption(
    clip: Clip, found: Survey, stretch: Stretch, scale: float, step: int
) -> Suggestion | None:
    """The caption that ``stretch`` shows, if it is one; times to a look.

    Args:
        clip: the clip.
        found: its survey.
        stretch: in pixels of the small picture.
        scale: of the clip's pixels to those.
        step: frames from one look to the next.
    """
    width, height = clip.info.width, clip.info.height
    x0, y0 = int((stretch.box.x0 - 3) * scale), int((stretch.box.y0 - 3) * scale)
    x1, y1 = int((stretch.box.x1 + 3) * scale) + 1, int((stretch.box.y1 + 3) * scale) + 1
    box = clipped(Box(x0, y0, x1, y1), width, height)
    if box is None:
        return None
    room = widened(box, _ROOM, width, height)
    start, stop = stretch.start, stretch.stop
    last = max(stop - step, start + 1)  # the last look that shows it
    near = max(round(_NEAR * _rate(found)), 2 * step)
    before = (start - 2 * step - near, start - 2 * step) if stretch.begins else None
    after = (stop + 2 * step, stop + 2 * step + near) if stretch.ends else None
    told = _told(clip, found, room, (start, last), before, after)
    if told is None:
        return None
    stays, own = told
    if not own.any():
        return None
    inside = np.zeros(own.shape, bool)
    inside[shifted(box, -room.x0, -room.y0).slices] = True
    letters = shapes(stays) & inside
    if not letters.any() or not any(map(is_text, _strokes(stays, letters))):
        return None
    sure = float(stays.agreement[own].mean())
    clear = min(float(stays.size[own].mean()) / _CONTRAST, 1.0)
    confidence = round(sure * (0.5 + 0.5 * clear), 3)
    box, mask = _placed(grown(letters), room, (height, width))
    return Suggestion(box, mask, start, stop, confidence, "caption")


def _told(
    clip: Clip,
    found: Survey,
    room: Box,
    shown: tuple[int, int],
    before: tuple[int, int] | None,
    after: tuple[int, int] | None,
) -> tuple[Stays, np.ndarray] | None:
    """What stays in ``room`` in the frames ``shown`` and comes and goes with them.

    Its edges, (H, W) bool, besides; None where the shot's end leaves nothing to tell it by.
    """
    stays, shot = _stays(clip, found, room, *shown, _INSIDE), found.shots[shown[0]]
    if stays is None or (before is None and after is None):
        return None
    own, is_told = stays.edges, False
    for other in (before, after):
        there = None if other is None else _stays(clip, found, room, *other, _OUTSIDE, shot)
        if there is not None:
            own, is_told = own & _changes(stays, there), True
    if not is_told:
        return None
    agreement = np.where(own, stays.agreement, np.float32(0))
    return replace(stays, agreement=agreement), own


def _placed(part: np.ndarray, room: Box, size: tuple[int, int]) -> tuple[Box, np.ndarray]:
    """The box around ``part`` ((h, w) bool of ``room``), and the picture's mask, (H, W) bool."""
    mask = np.zeros(size, bool)
    mask[room.slices] = part
    mask.flags.writeable = False
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1), mask


def _strokes(stays: Stays, letters: np.ndarray) -> Iterator[np.ndarray]:
    """What may be strokes, (H, W) bool: all shapes, and those without an outline of theirs."""
    yield letters
    raised = relief(stays)
    for way in (raised, -raised):
        yield letters & (way > 0.5 * float(np.percentile(way[letters], 90)))


def _stays(
    clip: Clip, found: Survey, room: Box, start: int, stop: int, most: int, shot: int | None = None
) -> Stays | None:
    """What the frames [start, stop) share in ``room``; None: there are none in ``shot``."""
    wanted = [
        n for n in range(max(start, 0), min(stop, found.count)) if shot in (None, found.shots[n])
    ]
    if not wanted:
        return None
    span = Span(wanted[0], wanted[-1] + 1, found.shots)
    return what_stays(picture.rgb(room) for picture in spread(clip, span, most))


def _changes(stays: Stays, other: Stays) -> np.ndarray:
    """(H, W) bool: edges that ``other`` has not, nor another one near as steep in their place."""
    size = np.maximum(stays.size, 1e-3)
    along = (stays.gradient * other.gradient).sum(axis=-1) / size
    there = along > (1 - _OTHER) * size
    # An edge that lies a pixel aside is the same one.
    return cv2.dilate(there.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0


def _rate(found: Survey) -> float:
    seconds = float(found.time(found.count - 1) - found.time(0))
    return found.count / seconds if seconds > 0 else 25.0
