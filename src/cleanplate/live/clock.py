"""Clocks that a live picture is played by: the machine's, and one that leaves out idle time."""

from __future__ import annotations

import threading
import time
from typing import Protocol

_LOOK = 0.05  # seconds between two looks at whether waiting is over


class Clock(Protocol):
    """Seconds that pass."""

    def now(self) -> float:
        """In seconds, from any moment on."""
        ...

    def wait_until(self, moment: float, stop: threading.Event) -> None:
        """Return at ``moment``, or when ``stop`` is set."""
        ...


class RealClock:
    """The machine's."""

    def now(self) -> float:
        """See ``Clock``."""
        return time.monotonic()

    def wait_until(self, moment: float, stop: threading.Event) -> None:
        """See ``Clock``."""
        while not stop.is_set() and (left := moment - self.now()) > 0:
            stop.wait(min(left, 1.0))


class InFlight:
    """Counts the frames that are being worked on, so that somebody can wait until none is."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def add(self, count: int) -> None:
        """So many more frames; negative: they are done or dropped."""
        with self._changed:
            self._count += count
            self._changed.notify_all()

    def take_all(self) -> int:
        """How many frames there are; from here on they count as given up."""
        with self._changed:
            count, self._count = self._count, 0
            self._changed.notify_all()
            return count

    def wait(self, seconds: float) -> bool:
        """Whether nothing is being worked on, after at most so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, seconds)


class VirtualClock:
    """Work takes the time that it takes; where nobody works, no time is spent.

    So a file is played as if it came live, with the same delays and drops, as fast as the machine
    is idle between its frames.
    """

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight, self._skipped = in_flight, 0.0

    def now(self) -> float:
        """See ``Clock``."""
        return time.monotonic() + self._skipped

    def wait_until(self, moment: float, stop: threading.Event) -> None:
        """See ``Clock``."""
        while not stop.is_set() and (left := moment - self.now()) > 0:
            if self._in_flight.wait(min(left, _LOOK)):
                self._skipped += max(moment - self.now(), 0)
