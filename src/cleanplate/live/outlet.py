"""The way out: a thread that writes what is filled, so that a sink that stalls holds nobody up."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from cleanplate.errors import MediaError
from cleanplate.live.clock import Clock, InFlight
from cleanplate.live.effort import Effort
from cleanplate.live.inbox import LATE, LivePicture
from cleanplate.live.stats import Stats
from cleanplate.media.live_sink import Sink
from cleanplate.media.live_source import Sound

_ROOM = 2  # pictures that wait for the sink
_SOUND_ROOM = 1000  # packets of sound, at most: some twenty seconds
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 8.0  # seconds before a sink that went away is tried again
_LAST_WAIT = 10.0  # seconds that a sink is given to take what is left

MakeSink = Callable[[], Sink]


class Outlet:
    """Between the filled pictures and a sink."""

    def __init__(self, clock: Clock, stats: Stats, in_flight: InFlight, effort: Effort) -> None:
        self._clock, self._stats, self._in_flight = clock, stats, in_flight
        self._effort = effort
        self._waiting: deque[LivePicture | Sound] = deque()
        self._pictures = self._sounds = 0
        self._changed = threading.Condition()
        self._ended = False
        self._error: MediaError | None = None
        self._make: MakeSink | None = None
        self._may_return = False
        self.reopened = 0
        """How often a sink that went away was opened again."""
        self.notes: list[str] = []
        """Sentences for a person."""

    @contextlib.contextmanager
    def open(self, make: MakeSink | None, may_return: bool) -> Iterator[None]:
        """Write from here on; at the end what waits is written, and the sink finished.

        Args:
            make: opens the sink; None: there is none.
            may_return: whether a sink that goes away is worth opening again.

        Raises:
            MediaError: the sink went away, and does not return.
        """
        self._make, self._may_return = make, may_return
        if make is None:
            yield
            return
        writer = threading.Thread(target=self._write, name="live sink", daemon=True)
        writer.start()
        try:
            yield
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            writer.join(_LAST_WAIT)
            if writer.is_alive():
                self.notes.append("The sink took nothing any more: what was left was dropped.")
                self._drop_waiting("the sink stalled")
        self._raise()

    def show(self, picture: LivePicture, wait: bool = False) -> None:
        """Hand over the next picture; it is dropped where it would come too late, and where the
        sink is behind, unless that is waited for.

        Raises:
            MediaError: the sink went away.
        """
        if self._make is None:
            if not self._is_late(picture):
                self._count(picture)
            return
        with self._changed:
            while wait and self._pictures >= _ROOM and self._error is None:
                self._changed.wait(0.2)
            self._raise()
            if self._pictures >= _ROOM:
                self._stats.dropped("the sink stalled")
                self._in_flight.add(-1)
                self._effort.dropped()
                return
            self._waiting.append(picture)
            self._pictures += 1
            self._changed.notify_all()

    def play(self, sound: Sound) -> None:
        """Hand over a packet of sound."""
        with self._changed:
            if self._make is not None and self._sounds < _SOUND_ROOM:
                self._waiting.append(sound)
                self._sounds += 1
                self._changed.notify_all()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _count(self, picture: LivePicture) -> None:
        now = self._clock.now()
        self._stats.shown(now - picture.arrived, picture.effort.words)
        self._effort.finished(picture.arrived, picture.taken, now)
        self._in_flight.add(-1)

    def _is_late(self, picture: LivePicture) -> bool:
        """Whether the picture cannot be shown in time any more; then it is dropped."""
        now = self._clock.now()
        if picture.due is None:
            return False
        if not picture.is_late and now + self._effort.writing <= picture.due:
            return False
        self._stats.dropped(LATE)
        self._effort.finished(picture.arrived, picture.taken, max(now, picture.due))
        self._in_flight.add(-1)
        return True

    def _next(self) -> LivePicture | Sound | None:
        with self._changed:
            while not self._waiting:
                if self._ended:
                    return None
                self._changed.wait(0.2)
            item = self._waiting.popleft()
            if isinstance(item, Sound):
                self._sounds -= 1
            else:
                self._pictures -= 1
            self._changed.notify_all()
            return item

    def _write(self) -> None:
        wait = _FIRST_WAIT
        while True:
            try:
                self._written_until_the_end()
                return
            except MediaError as error:
                if not self._may_return or self._ended:
                    self._error = error
                    self._drop_waiting("the sink went away")
                    return
                if not self.reopened:
                    self.notes.append(f"{error} It was opened again.")
                self.reopened += 1
            self._pause(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._ended:
            time.sleep(0.05)

    def _written_until_the_end(self) -> None:
        assert self._make is not None
        sink = self._make()
        try:
            while (item := self._next()) is not None:
                if isinstance(item, Sound):
                    sink.play(item)
                    continue
                if self._is_late(item):
                    continue
                begun = time.perf_counter()
                try:
                    sink.show(item.picture)
                except MediaError:
                    self._stats.dropped("the sink went away")
                    self._in_flight.add(-1)
                    raise
                self._stats.worked("write", time.perf_counter() - begun)
                self._effort.worked("write", time.perf_counter() - begun)
                self._count(item)
        except MediaError:
            with contextlib.suppress(MediaError):
                sink.finish()
            raise
        sink.finish()
        self.notes += sink.notes

    def _drop_waiting(self, why: str) -> None:
        with self._changed:
            count, self._pictures = self._pictures, 0
            self._waiting.clear()
            self._sounds = 0
            if count:
                self._stats.dropped(why, count)
                self._in_flight.add(-count)
            self._changed.notify_all()
