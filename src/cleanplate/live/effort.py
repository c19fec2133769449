"""How much work a frame gets: less where the machine is too slow, more again when there is time.

The order in which work is left out is fixed and documented (docs/live.md). At no level is the
object shown.
"""

from __future__ import annotations

import threading
from enum import IntEnum

_LISTENING = 12  # frames over which trouble is counted
_TROUBLE = 2  # drops or late frames among them that call for less work
_CALM = 24  # frames without trouble before more work is tried
_LONGEST_CALM = 960
_WARM_UP = 8  # frames at the start whose times say nothing, engines load; or
_WARM_SECONDS = 1.0  # seconds, whichever is over first
_SMOOTHING = 0.15
_FORGOTTEN = 0.98  # what is left of a measured time each time that it was a reason to do less
_EASY = 0.7  # of the time between two frames: the slowest stage must be done in it to do more


class Level(IntEnum):
    """What is left out, each with all before it."""

    FULL = 0
    COARSER = 1
    SELDOM = 2
    CARRIED = 3
    BLURRED = 4

    @property
    def words(self) -> str:
        """For a person; empty for full work."""
        return _WORDS[self]

    @property
    def looks_every(self) -> int:
        """Frames from one in which trackers look to the next."""
        return 1 if self < Level.SELDOM else 2 if self is Level.SELDOM else 4


_WORDS = {
    Level.FULL: "",
    Level.COARSER: "coarser flow",
    Level.SELDOM: "tracked less often",
    Level.CARRIED: "fill carried along",
    Level.BLURRED: "hole blurred",
}


class Effort:
    """Chooses the level from the delays and drops of the latest frames; thread-safe."""

    def __init__(self, latency: float | None) -> None:
        """``latency``: seconds that a frame may take; None: always full work."""
        self._latency = latency
        self._lock = threading.Lock()
        self._level = Level.FULL
        self._since, self._trouble, self._calm = 0, 0, _CALM
        self._quiet = 0
        self._frames = 0
        self._first: float | None = None
        self._eased = -_LONGEST_CALM
        self._delay = self._interval = 0.0
        self._busy: dict[str, float] = {}
        self._fill: dict[Level, float] = {}
        """Seconds that filling took lately, by level."""
        self._previous: float | None = None

    @property
    def level(self) -> Level:
        """The level of the next frame."""
        return self._level

    @property
    def expected(self) -> float:
        """Seconds from the inbox to the sink, as it was lately."""
        return self._delay

    def dropped(self) -> None:
        """A frame had to be dropped."""
        with self._lock:
            self._trouble += self._frames >= _WARM_UP

    def in_time(self, level: Level, left: float) -> Level:
        """The level at which a frame can still be filled and written in time, ``level`` or less.

        ``BLURRED`` without being at that level: it cannot be.

        Args:
            level: that it was to get.
            left: seconds until it is due.
        """
        with self._lock:
            left -= self.writing
            expected = 0.0
            for chosen in Level:
                expected = self._fill.get(chosen, expected)
                if chosen is Level.BLURRED or (chosen >= level and expected <= left):
                    return chosen
                if chosen >= level and chosen in self._fill:
                    # What is passed over is not measured: in the end it is tried again.
                    self._fill[chosen] *= _FORGOTTEN
            return Level.BLURRED

    @property
    def writing(self) -> float:
        """Seconds that it takes to give a frame to the sink, as it was lately."""
        return self._busy.get("write", 0.0)

    def filled(self, level: Level, seconds: float) -> None:
        """A frame was filled at ``level`` in so long."""
        with self._lock:
            if self._frames >= _WARM_UP // 2:
                self._fill[level] = _smoothed(self._fill.get(level, seconds), seconds)

    def worked(self, stage: str, seconds: float) -> None:
        """A stage was busy with a frame for so long."""
        with self._lock:
            if self._frames >= _WARM_UP // 2:
                self._busy[stage] = _smoothed(self._busy.get(stage, seconds), seconds)

    def finished(self, arrived: float, taken: float, now: float) -> None:
        """A frame reached the sink, or would have come there too late.

        Args:
            arrived: when it came, by the clock that plays.
            taken: when work on it began.
            now: the moment.
        """
        with self._lock:
            self._frames += 1
            self._first = arrived if self._first is None else self._first
            if now - self._first > _WARM_SECONDS:
                self._frames = max(self._frames, _WARM_UP + 1)
            if self._frames <= _WARM_UP // 2:
                self._previous = arrived
                return
            self._delay = _smoothed(self._delay or now - taken, now - taken)
            if self._previous is not None and 0 < arrived - self._previous < 1:
                step = arrived - self._previous
                self._interval = _smoothed(self._interval or step, step)
            self._previous = arrived
            if self._latency is None or self._frames <= _WARM_UP:
                return
            # Far too late counts double: two such frames are two levels.
            self._trouble += min(int((now - arrived) / self._latency), 2)
            self._since += 1
            self._quiet = 0 if self._trouble else self._quiet + 1
            if self._trouble >= _TROUBLE and self._since >= 3:
                self._move(1)
                # Whoever did more again and failed waits longer before the next attempt.
                again = self._frames - self._eased < 2 * _CALM
                self._calm = min(2 * self._calm, _LONGEST_CALM) if again else _CALM
            elif self._since >= _LISTENING:
                self._since = self._trouble = 0
                if self._quiet >= self._calm and self._has_time():
                    self._move(-1)
                    self._eased = self._frames

    def _has_time(self) -> bool:
        return max(self._busy.values(), default=0.0) < _EASY * (self._interval or 1.0)

    def _move(self, step: int) -> None:
        self._level = Level(min(max(self._level + step, Level.FULL), Level.BLURRED))
        self._since = self._trouble = self._quiet = 0


def _smoothed(old: float, new: float) -> float:
    return old + _SMOOTHING * (new - old)
