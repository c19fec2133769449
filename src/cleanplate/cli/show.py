"""What a person sees while a job runs and when it is done."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from cleanplate.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cleanplate.jobs.report import Report
    from cleanplate.tracks.doubts import Doubt
    from cleanplate.tracks.view import ListedDoubt

_MOST = 5  # stretches to look at that are named when a job is done
_TITLES = {
    "survey": "Looking at the clip",
    "segment": "Outlining",
    "suggest": "Comparing",
    "letters": "Looking for letters",
    "track": "Tracking",
    "masks": "Reading masks",
    "inpaint": "Painting the background",
    "focus": "Looking for what matters",
    "crop": "Cropping",
    "write": "Writing",
    "evaluate": "Evaluating clips",
    "damage": "Looking for damage",
    "ground": "Looking at the ground",
    "shadows": "Looking for shadows",
    "train": "Training",
}
_COUNTED = {"train": "step", "evaluate": "clip"}  # what a stage counts, if not frames
_PAUSE = 10.0  # seconds between two lines, where there is no terminal for a bar


class Bars(Progress):
    """A bar for each stage on stderr, or a line now and then where that is no terminal, with rate
    and time left; sentences as they come."""

    def __init__(self, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            ProgressColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: Any) -> Text:
                return Text(_rate(task))

        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self._bars = RichProgress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._task: Any = None
        self._told = 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        """See ``Progress``: a bar for the stage."""
        title = _TITLES.get(stage, stage)
        counted = _COUNTED.get(stage, "frame")
        self._task = self._bars.add_task(title, total=total, completed=done, counted=counted)
        if self._bars.disable:
            self.console.print(f"{title} ...")
            self._told = time.monotonic()

    def advance(self) -> None:
        """See ``Progress``."""
        self._bars.advance(self._task)
        if self._bars.disable and time.monotonic() - self._told >= _PAUSE:
            self._told = time.monotonic()
            self.note(_line(self._bars.tasks[-1]))

    def finish(self) -> None:
        """See ``Progress``."""
        done = self._bars.tasks[-1].completed if self._bars.tasks else 0
        self._bars.update(self._task, total=done or 1, completed=done or 1)

    def note(self, message: str) -> None:
        """See ``Progress``; silent with ``--quiet``."""
        self.console.print(message, soft_wrap=True, markup=False)

    def warn(self, message: str) -> None:
        """See ``Progress``; said even with ``--quiet``."""
        if self.console.quiet:
            print(message, file=sys.stderr)
        else:
            self.note(message)


def _rate(task: Any) -> str:
    """How fast a stage goes on; "" where nobody knows."""
    speed = task.finished_speed or task.speed
    if not speed or task.total is None:
        return ""
    counted = task.fields["counted"]
    if counted == "frame":
        return f"{speed:.1f} fps"
    return f"{speed:.1f} {counted}s/s" if speed >= 1 else f"{1 / speed:.1f} s a {counted}"


def _line(task: Any) -> str:
    """Where a stage is, in words."""
    known = task.total is not None
    parts = [f"{task.completed:.0f} of {task.total:.0f}" if known else f"{task.completed:.0f}"]
    if rate := _rate(task):
        parts.append(rate)
    if task.time_remaining:
        parts.append(f"{timedelta(seconds=round(task.time_remaining))} left")
    return f"{task.description}: {', '.join(parts)}"


def conclude(report: Report, bars: Bars, as_json: bool) -> None:
    """Say what was made, and which frames to look at."""
    if as_json:
        print(json.dumps(asdict(report), indent=1, default=str))
        return
    spent = sum(report.seconds.values())
    bars.console.print(
        f"{report.output}: {report.frame_count} frames in {spent:.1f} s", soft_wrap=True
    )
    if doubtful := report.doubtful():
        most = [_frames(doubt) for doubt in doubtful[:_MOST]]
        more = f" and {len(doubtful) - _MOST} more" if len(doubtful) > _MOST else ""
        bars.console.print(
            f"Worth a look (worst first): frames {', '.join(most)}{more}; --report of cleanplate "
            "track says why.",
            soft_wrap=True,
        )
    if hint := _other_tracker(report):
        bars.console.print(hint, soft_wrap=True)


def _other_tracker(report: Report) -> str:
    """What to try where the tracker for flat things lost what it was given; "" elsewhere."""
    if report.engines.get("track", {}).get("name") != "planar":
        return ""
    seen = [state for frame in report.frames for state in frame["objects"]]
    names = sorted({state["object"] for state in seen})
    missed = [
        name
        for name in names
        if sum(state["object"] == name and state["area"] == 0 for state in seen)
        > len(report.frames) / 2
    ]
    if not missed:
        return ""
    things = "object " + " and ".join(map(str, missed))
    return (
        f"planar, which tracks flat things, missed {things} in most frames. For what bends: "
        "--tracker flowtrack, prompted every second or so, or deaot, which needs weights."
    )


def print_doubts(doubtful: Sequence[Doubt | ListedDoubt], names: Mapping[int, str]) -> None:
    """A table of the frames to look at on stdout, worst first.

    Args:
        doubtful: stretches of frames, worst first.
        names: of objects, by id; a number where there is none.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not doubtful:
        console.print("No frame needs a look: every object was seen clearly throughout.")
        return
    is_project = hasattr(doubtful[0], "id")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("frames", "look at", "object", "why", *(["row"] if is_project else [])):
        table.add_column(title, justify="left" if title in ("object", "why", "row") else "right")
    for doubt in doubtful:
        name = names.get(doubt.object_id, str(doubt.object_id))
        table.add_row(
            *(_frames(doubt), str(doubt.frame), name, doubt.reason),
            *([getattr(doubt, "id", "")] if is_project else []),
        )
    console.print(table)


def _frames(doubt: Doubt | ListedDoubt) -> str:
    return str(doubt.first) if doubt.first == doubt.last else f"{doubt.first}-{doubt.last}"
