"""What a live picture's frames went through: counts that add up, delays, how long stages take."""

from __future__ import annotations

import resource
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

_BIN, _BINS = 0.001, 20_000  # seconds; the last bin holds all that is slower
_SHARES = {"p50": 50.0, "p95": 95.0, "p99": 99.0}


class Stats:
    """Counts and delays in constant memory; thread-safe.

    Of all frames that came, each was shown or dropped: ``frames_in = frames_out + dropped``, once
    the source has ended. ``degraded`` counts those of the shown ones that got less than full work.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._delays = np.zeros(_BINS, np.int64)
        self._longest = 0.0
        self._frames_in = self._frames_out = 0
        self._dropped: Counter[str] = Counter()
        self._degraded: Counter[str] = Counter()
        self._busy: dict[str, tuple[float, int]] = {}
        self.clock: Callable[[], float] = lambda: 0.0
        """Seconds since it began, by the clock that plays."""
        self.other: dict[str, Any] = {}
        """Further facts, such as how often a source came back."""

    def came(self) -> None:
        """A frame came."""
        with self._lock:
            self._frames_in += 1

    def shown(self, delay: float, effort: str) -> None:
        """A frame was given to the sink, ``delay`` seconds after it came.

        Args:
            delay: in seconds.
            effort: in a word or two, what it got less than full work; empty: full work.
        """
        with self._lock:
            self._frames_out += 1
            self._delays[min(int(delay / _BIN), _BINS - 1)] += 1
            self._longest = max(self._longest, delay)
            if effort:
                self._degraded[effort] += 1

    def dropped(self, why: str, count: int = 1) -> None:
        """Frames were left out."""
        if count:
            with self._lock:
                self._dropped[why] += count

    def worked(self, stage: str, seconds: float) -> None:
        """A stage was busy with one frame."""
        with self._lock:
            total, count = self._busy.get(stage, (0.0, 0))
            self._busy[stage] = total + seconds, count + 1

    def delay(self, percent: float) -> float:
        """The delay in seconds that ``percent`` of the frames shown did not exceed."""
        with self._lock:
            return self._delay(percent)

    def _delay(self, percent: float) -> float:
        total = self._delays.sum()
        if not total:
            return 0.0
        place = int(np.searchsorted(np.cumsum(self._delays), total * percent / 100))
        return min((place + 1) * _BIN, self._longest)

    def summary(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        with self._lock:
            stages = {n: round(1000 * t / c, 2) for n, (t, c) in sorted(self._busy.items())}
            delays = {n: round(1000 * self._delay(share), 1) for n, share in _SHARES.items()}
            elapsed = max(self.clock(), 1e-9)
            return {
                "frames_in": self._frames_in,
                "frames_out": self._frames_out,
                "dropped": sum(self._dropped.values()),
                "degraded": sum(self._degraded.values()),
                "dropped_because": dict(self._dropped),
                "degraded_by": dict(self._degraded),
                "seconds": round(elapsed, 3),
                "frames_per_second": round(self._frames_out / elapsed, 2),
                "delay_ms": {**delays, "max": round(1000 * self._longest, 1)},
                "stage_ms": stages,
                "peak_memory_mb": round(peak_memory(), 1),
                **self.other,
            }


def peak_memory() -> float:
    """The most memory that this process has held, in MB."""
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def table(summary: dict[str, Any]) -> str:
    """``Stats.summary`` in lines for a person."""
    delays, stages = summary["delay_ms"], summary["stage_ms"]
    lines = [
        f"frames    {summary['frames_in']} in, {summary['frames_out']} out, "
        f"{summary['dropped']} dropped, {summary['degraded']} degraded",
        f"rate      {summary['frames_per_second']:g} frames a second for {summary['seconds']:g} s",
        "delay     " + ", ".join(f"{name} {value:g} ms" for name, value in delays.items()),
        "stages    " + ", ".join(f"{name} {value:g} ms" for name, value in stages.items()),
        f"memory    {summary['peak_memory_mb']:g} MB at most",
    ]
    for title, counts in (
        ("dropped", summary["dropped_because"]),
        ("degraded", summary["degraded_by"]),
    ):
        if counts:
            said = ", ".join(f"{count} {why}" for why, count in counts.items())
            lines.append(f"{title:<9} {said}")
    return "\n".join(lines)
