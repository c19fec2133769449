"""Times that rise: what a muxer demands of copied packets, and what real files do not hold to."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import av
from av.stream import Stream

BREAK = Fraction(1, 2)  # seconds: a step back of more begins another timeline
GAP = 10  # seconds: in a broadcast a step ahead of more is a break too, as FFmpeg's program has it
_BROADCAST = frozenset({"mpegts", "mpeg"})  # formats in which a recording may change its clock


def may_break(container: str) -> bool:
    """Whether clips of FFmpeg's format ``container`` may go over to another clock on their way."""
    return container in _BROADCAST


def must_rise(container: str, stream: Stream) -> bool:
    """Whether no two packets of ``stream`` may share a time in FFmpeg's format ``container``."""
    return container in ("mp4", "mov") and stream.type not in ("subtitle", "data")


class RisingTimes:
    """Gives the packets of one copied stream decoding times that rise, as the output counts."""

    def __init__(self, unit: Fraction, strict: bool, closes_gaps: bool) -> None:
        """
        Args:
            unit: seconds of one tick of the output's stream.
            strict: whether two packets may not share a time.
            closes_gaps: whether a long step ahead is a break and no pause.
        """
        self._unit, self._strict, self._closes_gaps = unit, strict, closes_gaps
        self._offset = Fraction(0)
        self._last: Fraction | None = None
        self._end = Fraction(0)
        self.moved = 0
        """Packets that were moved because their time repeats or goes back a little."""
        self.first_moved: Fraction | None = None
        """Time in the source of the first of them, in seconds."""
        self.breaks: list[Fraction] = []
        """Where another timeline begins that was joined to the one before: seconds in the source"""

    def place(self, packet: av.Packet, joined: Fraction | None = None) -> bool:
        """Set the times of ``packet``; False where it is to be left out.

        Args:
            packet: with the source's times.
            joined: seconds by which the pictures after their latest break were moved, if any.
        """
        base = packet.time_base
        stamp = packet.dts if packet.dts is not None else packet.pts
        given = self._end if stamp is None else stamp * base
        time = given + self._offset
        if self._last is not None:
            if time < self._last - BREAK or (self._closes_gaps and time > self._end + GAP):
                if packet.is_discard:
                    return False  # an edit list hides it, and it lies out of order
                time = self._join(given, joined)
            if self._ticks(time) < self._ticks(self._last) + self._strict:
                if packet.is_discard:
                    return False
                self.moved += 1
                self.first_moved = given if self.first_moved is None else self.first_moved
                between = (self._last + self._end) / 2
                time = max(between, (self._ticks(self._last) + self._strict) * self._unit)
        decoded = round(time / base)
        if self._last is not None and self._ticks(decoded * base) < (
            self._ticks(self._last) + self._strict
        ):
            decoded += 1  # the source's ticks are coarser
        ahead = 0 if packet.pts is None or packet.dts is None else packet.pts - packet.dts
        packet.dts, packet.pts = decoded, decoded + max(0, ahead)
        before = self._last
        self._last = decoded * base
        usual = self._last - before if before is not None else self._unit
        self._end = self._last + (packet.duration * base if packet.duration else usual)
        return True

    def _join(self, given: Fraction, joined: Fraction | None) -> Fraction:
        """The time of a packet at ``own`` seconds of another timeline."""
        self.breaks.append(given)
        self._offset = self._end - given
        if joined is not None and abs(given + joined - self._end) < BREAK:
            self._offset = joined  # so that sound stays with its pictures
        return given + self._offset

    def _ticks(self, time: Fraction) -> int:
        """As FFmpeg rounds: to the nearest, halves away from zero."""
        ticks = abs(time) / self._unit
        return floor(ticks + Fraction(1, 2)) * (-1 if time < 0 else 1)
