"""No frame is shown later than it may be, whichever stage is slow; what is late is dropped."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from cleanplate.live import line
from cleanplate.live.effort import Effort, Level
from cleanplate.live.filling import blurred
from cleanplate.live.following import Follower
from cleanplate.live.inbox import LivePicture
from cleanplate.types import Frame, MaskedFrame
from tests.live import scenes
from tests.live.test_line import check_counts, play, sign_prompt

LATENCY, STALL = 0.15, 0.35  # seconds
EVERY = 12  # frames from one that stalls to the next


class Stalling:
    """An inpainter that now and then takes longer than there is time."""

    lookahead, lookback, window = 0, 0, 1

    def inpaint(self, frames: Iterable[MaskedFrame]) -> Iterator[Frame]:
        for n, masked in enumerate(frames):
            if n % EVERY == EVERY - 1:
                time.sleep(STALL)
            yield blurred(masked)


def fill_stalls(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(line, "live_inpainter", lambda _: Stalling())


def tracking_stalls(patch: pytest.MonkeyPatch) -> None:
    step = Follower.step

    def slow(self: Follower, picture: LivePicture, shot: int, rest: bool = False) -> np.ndarray:
        if picture.index % EVERY == EVERY - 1:
            time.sleep(STALL)
        return step(self, picture, shot, rest)

    patch.setattr(Follower, "step", slow)


@pytest.mark.parametrize("stalls", [fill_stalls, tracking_stalls])
def test_what_a_stall_makes_late_is_dropped_and_never_shown(
    stalls: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(stalls)
    stalls(monkeypatch)
    source = scenes.write(tmp_path / "in.mkv", scenes.compose(45)[0])
    sink = tmp_path / "out.mkv"
    summary = play(source, sink, sign_prompt(), latency=LATENCY, simulate=True)
    check_counts(summary)
    assert summary["dropped_because"]["too late"] >= 2
    assert summary["frames_out"] >= 10
    # Between the last look at the clock and the sink a busy machine may take a moment.
    assert summary["delay_ms"]["max"] <= 1000 * LATENCY + 60


def effort_that_fills_in(seconds: float) -> Effort:
    effort = Effort(0.2)
    for n in range(20):
        effort.filled(Level.FULL, seconds)
        effort.finished(n / 25, n / 25, n / 25 + 0.05)
    return effort


def test_a_frame_that_has_little_time_left_gets_less_work_before_it_is_late() -> None:
    effort = effort_that_fills_in(0.1)
    for _ in range(20):
        effort.filled(Level.CARRIED, 0.02)
    assert effort.in_time(Level.FULL, 0.15) is Level.FULL
    assert effort.in_time(Level.FULL, 0.05) is Level.CARRIED
    assert effort.in_time(Level.FULL, 0.01) is Level.BLURRED


def test_work_that_was_passed_over_is_tried_again() -> None:
    effort = effort_that_fills_in(0.1)
    levels = [effort.in_time(Level.FULL, 0.08) for _ in range(40)]
    assert levels[0] is Level.BLURRED
    assert levels[-1] is Level.FULL
