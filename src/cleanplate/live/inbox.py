"""Frames on their way in: the newest wait, bounded; what would come too late is dropped."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from cleanplate.live.clock import Clock, InFlight
from cleanplate.live.effort import Effort, Level
from cleanplate.live.stats import Stats
from cleanplate.media.composite import Patch, composite
from cleanplate.media.picture import Picture
from cleanplate.types import Box

LATE = "too late"


@dataclass(slots=True, eq=False)
class LivePicture:
    """A picture with when it came; its RGB is worked out once."""

    picture: Picture
    index: int
    """Counts the pictures that were not dropped."""
    arrived: float
    """By the clock that plays, in seconds."""
    image: np.ndarray
    """(H, W, 3) uint8 RGB, read-only."""
    taken: float = 0.0
    """When work on it began."""
    effort: Level = Level.FULL
    """How much work it gets."""
    due: float | None = None
    """The moment after which it must not be shown; None: there is none."""
    is_late: bool = False
    """Whether it is certain beforehand that it would be shown too late."""
    mask: np.ndarray | None = None
    """(H, W) uint8: what was filled in it, once that is known."""

    @property
    def time(self) -> Fraction:
        """Presentation time in seconds."""
        return self.picture.time

    def comes(self, moment: float) -> None:
        """It counts as having come at ``moment``."""
        if self.due is not None:
            self.due += moment - self.arrived
        self.arrived = self.taken = moment

    def rgb(self, box: Box | None = None) -> np.ndarray:
        """The picture, or ``box`` of it: (h, w, 3) uint8 RGB."""
        return self.image if box is None else self.image[box.slices]


def compose(picture: LivePicture, patches: Sequence[Patch]) -> LivePicture:
    """``picture`` with ``patches`` written into its own samples."""
    return replace(picture, picture=composite(picture.picture, patches))


class Inbox:
    """Between a source, which does not wait, and the work, which takes as long as it takes."""

    def __init__(
        self,
        clock: Clock,
        stats: Stats,
        in_flight: InFlight,
        latency: float | None,
        effort: Effort,
        room: int = 8,
    ) -> None:
        """
        Args:
            clock: that plays.
            stats: told what comes and what is dropped.
            in_flight: counts the frames that are inside.
            latency: seconds that a frame may take from here to the sink; None: nothing is dropped,
                and the source waits.
            effort: knows how long the work takes, and is told of drops.
            room: frames that may wait.
        """
        self._clock, self._stats, self._in_flight = clock, stats, in_flight
        self._latency, self._effort, self._room = latency, effort, room
        self._waiting: deque[tuple[Picture, float]] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None

    def put(self, picture: Picture, arrived: float) -> None:
        """A picture came."""
        with self._changed:
            while self._latency is None and len(self._waiting) >= self._room and not self._ended:
                self._changed.wait(0.2)
            self._stats.came()
            self._in_flight.add(1)
            if self._ended:
                self._drop("stopped", 1)
                return
            if len(self._waiting) >= self._room:
                self._waiting.popleft()
                self._drop(LATE, 1)
            self._waiting.append((picture, arrived))
            self._changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing comes any more; what waits is still given out, then ``error`` is raised."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def abandon(self) -> None:
        """Nothing comes any more, and what waits is dropped."""
        with self._changed:
            self._drop("stopped", len(self._waiting))
            self._waiting.clear()
            self._ended = True
            self._changed.notify_all()

    def pictures(self) -> Iterator[LivePicture]:
        """The pictures that can still be shown in time, numbered without gaps."""
        index = 0
        while True:
            taken = self._take()
            if taken is None:
                return
            picture, arrived = taken
            began = self._clock.now()
            due = None if self._latency is None else arrived + self._latency
            level = self._effort.level
            yield LivePicture(picture, index, arrived, picture.rgb(), began, level, due)
            index += 1

    def _take(self) -> tuple[Picture, float] | None:
        with self._changed:
            while not self._waiting:
                if self._ended:
                    if self._error is not None:
                        raise self._error
                    return None
                self._changed.wait(0.2)
            if self._latency is not None:
                self._drop_late(self._latency)
            taken = self._waiting.popleft()
            self._changed.notify_all()
            return taken

    def _drop_late(self, latency: float) -> None:
        """Drop what would be shown too late; the newest is worked on in any case."""
        ready = self._clock.now() + self._effort.expected
        late = 0
        while len(self._waiting) > 1 and ready - self._waiting[0][1] > latency:
            self._waiting.popleft()
            late += 1
        if late:
            self._drop(LATE, late)

    def _drop(self, why: str, count: int) -> None:
        if count:
            self._stats.dropped(why, count)
            self._in_flight.add(-count)
            if why == LATE:
                self._effort.dropped()
