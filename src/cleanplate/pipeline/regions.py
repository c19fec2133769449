"""Where the engine works in each frame: planned ahead for a file, or found as pictures come.

A file's regions are planned from the boxes of all its masks (``arrays.regions.plan``): they know
how large a mask will become and when it comes back. A stream knows none of this. Its regions are
opened with the room that the mask has now, follow it, are opened anew when it outgrows them, and
closed at a cut or when nothing of theirs has been seen for a while. A causal engine is given such
regions for files, too, so that a file shows what a stream would.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from cleanplate.arrays.masks import object_boxes
from cleanplate.arrays.regions import NONE, Margins, Region, follow, groups, room_for
from cleanplate.types import Box

LOOKBACK = 32  # frames that a region of a stream is shown from before it was opened, at most
IDLE = 50  # frames without a mask after which a region of a stream is closed
_KEPT_PLACES = 8  # frames whose place a region of a stream remembers


class FilledRegion(Protocol):
    """One crop through a stretch of one shot, as the pipeline sees it."""

    @property
    def objects(self) -> frozenset[int]:
        """Ids whose pixels are filled from this crop."""
        ...

    @property
    def start(self) -> int:
        """First frame that the engine sees."""
        ...

    @property
    def stop(self) -> int | None:
        """One past the last frame that the engine sees; None while that is not known."""
        ...

    @property
    def width(self) -> int:
        """Of the crop, in px."""
        ...

    @property
    def height(self) -> int:
        """Of the crop, in px."""
        ...

    def box(self, index: int) -> Box:
        """Where the crop lies in frame ``index``."""
        ...


class RegionSource(Protocol):
    """Tells the pipeline, frame by frame, which regions begin and end."""

    @property
    def lookback(self) -> int:
        """Frames before the current one that a region opened next may want to see."""
        ...

    def opened(self, index: int, mask: np.ndarray, shot: int) -> Sequence[FilledRegion]:
        """The regions that are filled from frame ``index`` on; called once a frame, in order.

        Args:
            index: of the frame.
            mask: (H, W) uint8, value = object id.
            shot: number of the frame's shot.
        """
        ...

    def first_shown(self, region: FilledRegion, start: int) -> int:
        """The first frame of ``region`` that the engine is shown, when frames from ``start`` on are
        asked for."""
        ...


class PlannedRegions:
    """Regions that are known beforehand."""

    lookback = 0

    def __init__(self, regions: Iterable[Region], lookback: int | None, start: int = 0) -> None:
        """
        Args:
            regions: sorted by the first frame that is filled from them.
            lookback: earlier frames that the engine may use; None is all of the shot's.
            start: first frame to give.
        """
        self._waiting = deque(region for region in regions if region.stop > start)
        self._engine_lookback = lookback
        self.lookback = max((r.opens - r.start for r in self._waiting), default=0)

    def opened(self, index: int, mask: np.ndarray, shot: int) -> Sequence[Region]:
        """See ``RegionSource``."""
        regions: list[Region] = []
        while self._waiting and self._waiting[0].opens <= index:
            regions.append(self._waiting.popleft())
        return regions

    def first_shown(self, region: FilledRegion, start: int) -> int:
        """See ``RegionSource``."""
        return _first_shown(region, start, self._engine_lookback)


def first_needed(regions: Iterable[Region], start: int, lookback: int | None) -> int:
    """The first frame that must be read so that frames from ``start`` on can be filled.

    Args:
        regions: all that are planned.
        start: first frame to give.
        lookback: earlier frames that the engine may use; None is all of the shot's.
    """
    active = [region for region in regions if region.start < start < region.stop]
    return min([start, *(_first_shown(region, start, lookback) for region in active)])


def _first_shown(region: FilledRegion, start: int, lookback: int | None) -> int:
    if lookback is None or region.start >= start:
        return region.start
    return max(region.start, start - lookback)


class OpenRegion:
    """A region of a stream: its end and its places are found as pictures come."""

    def __init__(
        self, objects: frozenset[int], start: int, opens: int, room: tuple[int, int]
    ) -> None:
        self.objects, self.start, self.opens = objects, start, opens
        self.stop: int | None = None
        self.width, self.height = room
        self.seen = opens
        """The latest frame in which one of its objects was seen."""
        self.places: deque[tuple[int, int]] = deque(maxlen=_KEPT_PLACES)
        """(x, y) of the crop's top left pixel in the latest frames."""
        self._latest = opens

    def place(self, index: int, place: tuple[int, int]) -> None:
        """Put the crop at ``place`` in frame ``index``, the one after the latest."""
        self._latest = index
        self.places.append(place)

    def box(self, index: int) -> Box:
        """Where the crop lies in frame ``index``; before it was opened, where it was then."""
        behind = min(self._latest - index, len(self.places) - 1)
        x, y = self.places[-1 - behind]
        return Box(x, y, x + self.width, y + self.height)


class CausalRegions:
    """Regions of a stream, from what has come by now."""

    def __init__(self, size: tuple[int, int], margins: Margins, lookback: int | None) -> None:
        """
        Args:
            size: (H, W) of the picture.
            margins: how much of the picture around a mask the engine may look at.
            lookback: earlier frames that the engine may use; None is all of the shot's. At most
                ``LOOKBACK`` of them are kept for regions that are opened later.
        """
        self.lookback = LOOKBACK if lookback is None else min(lookback, LOOKBACK)
        self._height, self._width = size
        self._margins = margins
        self._open: list[OpenRegion] = []
        self._shot, self._shot_start = -1, 0
        self._first: int | None = None

    def opened(self, index: int, mask: np.ndarray, shot: int) -> Sequence[OpenRegion]:
        """See ``RegionSource``."""
        boxes = {i: (b.x0, b.y0, b.x1, b.y1) for i, b in object_boxes(mask).items()}
        return self.see(index, boxes, shot)

    def first_shown(self, region: FilledRegion, start: int) -> int:
        """See ``RegionSource``."""
        return region.start

    @property
    def open_regions(self) -> Sequence[OpenRegion]:
        """The regions that the latest frame is filled from."""
        return self._open

    def see(
        self, index: int, boxes: Mapping[int, tuple[int, int, int, int]], shot: int
    ) -> list[OpenRegion]:
        """Move, close and open regions for the next frame; returns those that are opened.

        Args:
            index: of the frame.
            boxes: x0, y0, x1, y1 of each object in it, by id.
            shot: number of its shot.
        """
        if self._first is None:
            self._first = index
        if shot != self._shot:
            self._shot, self._shot_start = shot, max(index, self._first)
            for region in self._open:
                region.stop = index
            self._open = []
        for region in self._open:
            self._follow(region, index, boxes)
        self._open = [region for region in self._open if region.stop is None]
        taken = {i for region in self._open for i in region.objects}
        free = {i: np.array([box], np.int32) for i, box in boxes.items() if i not in taken}
        opened = [self._opened(group, index, boxes) for group in groups(free, self._margins)]
        self._open += opened
        return opened

    def _follow(
        self, region: OpenRegion, index: int, boxes: Mapping[int, tuple[int, int, int, int]]
    ) -> None:
        here = [boxes[i] for i in region.objects if i in boxes]
        if not here and index - region.seen > IDLE:
            region.stop = index
            return
        place = region.places[-1]
        if here:
            union = _union(here)
            size = np.array([region.width, region.height])
            picture = np.array([self._width, self._height])
            moved = follow(union, np.array(place), size, picture, self._margins)
            if moved is None:
                region.stop = index  # it has outgrown the crop
                return
            region.seen = index
            place = int(moved[0]), int(moved[1])
        region.place(index, place)

    def _opened(
        self, group: set[int], index: int, boxes: Mapping[int, tuple[int, int, int, int]]
    ) -> OpenRegion:
        union = _union([boxes[i] for i in group])
        picture = np.array([self._width, self._height])
        size, place = room_for(union, picture, self._margins)
        start = max(self._shot_start, index - self.lookback)
        room = int(size[0]), int(size[1])
        region = OpenRegion(frozenset(group), start, index, room)
        region.place(index, (int(place[0]), int(place[1])))
        return region


def _union(boxes: Sequence[tuple[int, int, int, int]]) -> np.ndarray:
    stack = np.array(boxes, np.int32)
    return np.concatenate([stack[:, :2].min(axis=0), stack[:, 2:].max(axis=0)])


def plan_causal(
    boxes: Mapping[int, np.ndarray],
    shots: np.ndarray,
    size: tuple[int, int],
    margins: Margins,
    lookback: int | None,
) -> list[Region]:
    """The regions that a stream of a clip's frames would be filled in, sorted by ``opens``.

    Args:
        boxes: for each object id, (N, 4) int32 x0, y0, x1, y1 of its mask in each frame, ``NONE``
            where it is not.
        shots: (N,) shot number of each frame, ascending.
        size: (H, W) of the picture.
        margins: how much of the picture around a mask the engine may look at.
        lookback: earlier frames that the engine may use; None is all of the shot's.
    """
    stream = CausalRegions(size, margins, lookback)
    places: dict[OpenRegion, list[tuple[int, int]]] = {}
    for index, shot in enumerate(shots.tolist()):
        here = {
            i: tuple(rows[index].tolist()) for i, rows in boxes.items() if rows[index, 0] != NONE
        }
        for region in stream.see(index, here, shot):  # type: ignore[arg-type]
            places[region] = []
        for region in stream.open_regions:
            places[region].append(region.places[-1])
    return [
        Region(
            region.objects,
            region.start,
            len(shots) if region.stop is None else region.stop,
            *(region.width, region.height),
            np.array([path[0]] * (region.opens - region.start) + path, np.int32),
            region.opens,
        )
        for region, path in places.items()
    ]
