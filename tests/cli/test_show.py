"""What a job says when it is done."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cleanplate.cli.show import Bars, conclude
from cleanplate.jobs.report import Report


def said(tracker: str, states: str) -> str:
    """What is said after object 1 was seen (``+``) or not (``-``), frame by frame."""
    frames = [
        {
            "frame": number,
            "time": number / 25,
            "objects": [
                {
                    "object": 1,
                    "confidence": 0.9 if one == "+" else 0.1,
                    "state": "visible" if one == "+" else "lost",
                    "area": 500 if one == "+" else 0,
                }
            ],
        }
        for number, one in enumerate(states)
    ]
    report = Report("track", "clip.mp4", "masks.mkv", {}, frames=frames)
    report.engines["track"] = {"name": tracker}
    with Bars(quiet=False) as bars:
        bars.console = Console(file=io.StringIO(), width=500)
        conclude(report, bars, as_json=False)
        return bars.console.file.getvalue()


@pytest.mark.parametrize(
    ("tracker", "states", "hinted"),
    [
        ("planar", "+++------", True),
        ("planar", "+++++++--", False),
        ("flowtrack", "+++------", False),
    ],
)
def test_who_points_a_plane_tracker_at_a_person_is_told_of_others(
    tracker: str, states: str, hinted: bool
) -> None:
    text = said(tracker, states)
    assert ("--tracker flowtrack" in text) is hinted
    assert "Worth a look" in text


@pytest.mark.parametrize(
    ("stage", "steps", "second", "line"),
    [
        ("inpaint", 40, 0.5, "Painting the background: 40 of 100, 2.0 fps, 0:00:30 left"),
        ("train", 10, 2.0, "Training: 10 of 100, 2.0 s a step, 0:03:00 left"),
        ("train", 80, 0.25, "Training: 80 of 100, 4.0 steps/s, 0:00:05 left"),
    ],
)
def test_without_a_terminal_a_line_now_and_then_says_how_far_it_is(
    stage: str, steps: int, second: float, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("cleanplate.cli.show.time.monotonic", lambda: now[0])
    with Bars() as bars:
        bars._bars.get_time = lambda: now[0]
        bars.console = Console(file=io.StringIO(), width=500)
        bars.start(stage, 100)
        for _ in range(steps):
            now[0] += second
            bars.advance()
        lines = bars.console.file.getvalue().splitlines()
    assert lines[-1] == line
    assert len(lines) == 1 + steps * second // 10, "every ten seconds, not more often"
