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
